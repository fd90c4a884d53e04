"""Sound: WAV, FLAC and OGG, mono, stereo and more."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Shaped

from .._checks import check_count
from .._files import atomic_path
from ..errors import SignalError
from ..geometry import Grid
from ._base import AbstractGridSignal
from ._files import check_readable, import_extra, one_line
from ._layout import AbstractLayout, check_suffix, value_range

_WRITTEN_AS = {
    ".wav": ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"),
    ".flac": ("PCM_16", "PCM_24", "PCM_S8"),
    ".ogg": ("VORBIS", "OPUS"),
}


@dataclass(frozen=True, kw_only=True)
class AudioLayout(AbstractLayout):
    """A sound without its samples. The one axis is time; channels as in the file.

    Values are sound pressure relative to full scale; the largest magnitude becomes 1, and
    silence stays 0.

    Args:
        sample_rate: Samples per second.
        subtype: How the file encodes samples, in libsndfile's names: PCM_16, FLOAT, ...
    """

    kind: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = tuple(_WRITTEN_AS)
    num_axes: ClassVar[int] = 1
    resizable_axes: ClassVar[tuple[int, ...]] = (0,)

    sample_rate: int
    subtype: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("AudioLayout", sample_rate=self.sample_rate, high=2**31 - 1)

    def _on_grid(self, grid: Grid) -> "AudioLayout":
        rate = round(self.sample_rate * self.grid.spacing[0] / grid.spacing[0])
        return type(self)(**{**vars(self), "grid": grid, "sample_rate": max(1, rate)})

    def check_writable(self, path: Path) -> None:
        check_suffix(self, path)

    def write(self, path: Path, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> None:
        path = Path(path)
        known = _WRITTEN_AS[check_suffix(self, path)]
        soundfile = import_extra("soundfile", "audio", path)
        subtype = self.subtype if self.subtype in known else known[0]
        with atomic_path(path) as partial:
            try:
                with soundfile.SoundFile(
                    partial, "w", self.sample_rate, self.channels, subtype
                ) as file:
                    for slab in slabs:
                        # Whole-number encodings end at full scale; libsndfile would wrap around.
                        floats = subtype in ("FLOAT", "DOUBLE")
                        file.write(slab if floats else np.clip(slab, -1.0, 1.0))
            except soundfile.SoundFileError as error:
                raise SignalError(f"{path}: cannot be written ({one_line(error)}).") from error


class Audio(AbstractGridSignal[AudioLayout]):
    """A sound.

    Example:
        >>> sound = Audio.from_array(np.zeros((100, 2), np.float32), sample_rate=8000)
        >>> sound.batch(5, seed=0, step=0)[1].shape
        torch.Size([5, 2])
    """

    @classmethod
    def load(cls, path: str | Path) -> "Audio":
        """Read a sound.

        Raises:
            SignalError: If the file is missing, damaged, has no samples, or holds NaN or
                infinity.
        """
        path = Path(path)
        check_readable(path)
        soundfile = import_extra("soundfile", "audio", path)
        try:
            with soundfile.SoundFile(path) as file:
                claimed, rate, subtype = file.frames, file.samplerate, file.subtype
                data = file.read(dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, RuntimeError, MemoryError, ValueError) as error:
            raise SignalError(
                f"{path}: cannot be read as sound ({one_line(error)}). Is it complete, and is it "
                "WAV, FLAC or OGG?"
            ) from error
        missing = _missing_bytes(path)
        if len(data) < claimed or missing:
            raise SignalError(
                f"{path}: is cut off ({missing or claimed - len(data)} bytes are missing). Take "
                "another copy."
            )
        return cls.from_array(data, sample_rate=rate, subtype=subtype, name=path)

    @classmethod
    def from_array(
        cls,
        array: Shaped[np.ndarray, "..."],
        *,
        sample_rate: int,
        subtype: str = "FLOAT",
        grid: Grid | None = None,
        name: str | Path = "Audio",
    ) -> "Audio":
        """Make a sound of an array, of shape `(samples,)` or `(samples, channels)`.

        Raises:
            SignalError: If the shape is another, it is empty, or values are not finite.
        """
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not 1 <= array.shape[1] <= 64:
            raise SignalError(
                f"{name}: expected shape (samples,) or (samples, channels), got {array.shape}."
            )
        low, high = value_range(array, name)
        peak = max(-low, high) or 1.0
        layout = AudioLayout(
            grid=grid or Grid.centres(array.shape[:1]),
            channels=array.shape[1],
            dtype="float32",
            low=-peak,
            high=peak,
            sample_rate=sample_rate,
            subtype=subtype,
        )
        return cls(np.ascontiguousarray(array, dtype=np.float32), layout)


def _missing_bytes(path: Path) -> int:
    # libsndfile reads a truncated WAV up to where it ends and says nothing.
    with open(path, "rb") as file:
        riff = file.read(12)
        if riff[:4] != b"RIFF" or riff[8:12] != b"WAVE":
            return 0
        size, position = path.stat().st_size, 12
        while position + 8 <= size:
            file.seek(position)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            # Streams of unknown length carry 0 or all ones here.
            if chunk[:4] == b"data" and length not in (0, 0xFFFFFFFF):
                return max(0, position + 8 + length - size)
            position += 8 + length + length % 2
    return 0
