"""Sound: WAV, FLAC and OGG, mono, stereo and more."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Shaped

from .._checks import check_count
from .._files import write_atomically
from .._inputs import check_readable, import_extra, one_line
from ..errors import SignalError
from ..geometry import Grid
from ._base import AbstractGridSignal
from ._layout import AbstractLayout, check_suffix, value_range

_WRITTEN_AS = {
    ".wav": ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "PCM_U8"),
    ".flac": ("PCM_16", "PCM_24", "PCM_S8"),
    ".ogg": ("VORBIS", "OPUS"),
}
_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24}


@dataclass(frozen=True, kw_only=True)
class AudioLayout(AbstractLayout):
    """The layout of a sound. The only axis is time; channels are as in the file.

    Values are sound pressure relative to full scale. The largest magnitude is mapped to 1; silence
    stays 0.

    Args:
        sample_rate: Samples per second.
        subtype: Encoding of the samples, by libsndfile's names: PCM_16, FLOAT, ...
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
        if self.dtype != "float32":
            raise ValueError(f"AudioLayout: expected float32, got {self.dtype}.")
        if not isinstance(self.subtype, str):
            raise TypeError(f"AudioLayout: expected subtype to be text, got {self.subtype!r}.")

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
        # Encode in memory first: soundfile does not report a full disk.
        encoded = io.BytesIO()
        try:
            with soundfile.SoundFile(
                encoded, "w", self.sample_rate, self.channels, subtype, format=path.suffix[1:]
            ) as file:
                for slab in self.checked(slabs, path):
                    file.write(_rounded(slab, subtype))
        except (soundfile.SoundFileError, ValueError) as error:
            if isinstance(error, SignalError):
                raise
            raise SignalError(f"{path}: cannot be written ({one_line(error)}).") from error
        write_atomically(path, encoded.getvalue())


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
        if len(data) < claimed or _is_cut(path):
            raise SignalError(f"{path}: is cut off after {len(data)} samples. Take another copy.")
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
        """Make a sound from an array of shape `(samples,)` or `(samples, channels)`.

        Raises:
            SignalError: If the shape is not supported, the array is empty, or values are not
                finite.
        """
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not 1 <= array.shape[1] <= 64:
            raise SignalError(
                f"{name}: expected shape (samples,) or (samples, channels), got {array.shape}."
            )
        if not np.issubdtype(array.dtype, np.floating):
            raise SignalError(
                f"{name}: expected floating-point samples with full scale at 1, got {array.dtype}."
            )
        low, high = value_range(array, name)
        array = np.ascontiguousarray(array, dtype=np.float32)
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
        return cls(array, layout)


def _rounded(slab: Shaped[np.ndarray, "..."], subtype: str) -> Shaped[np.ndarray, "..."]:
    if subtype in ("FLOAT", "DOUBLE"):
        return slab
    # libsndfile would round down to integers. It clips at full scale itself.
    steps = 2.0 ** (_BITS.get(subtype, 32) - 1)
    return np.clip(np.rint(slab * steps) / steps, -1.0, 1.0)


def _is_cut(path: Path) -> bool:
    # libsndfile reads a truncated WAV or OGG up to its end, without an error.
    with open(path, "rb") as file:
        riff = file.read(12)
        if riff[:4] == b"OggS":
            return not _ends_ogg(path)
        if riff[:4] != b"RIFF" or riff[8:12] != b"WAVE":
            return False
        size, position = path.stat().st_size, 12
        while position + 8 <= size:
            file.seek(position)
            chunk = file.read(8)
            length = int.from_bytes(chunk[4:], "little")
            # Streams of unknown length have 0 or all ones here.
            if chunk[:4] == b"data" and length not in (0, 0xFFFFFFFF):
                return position + 8 + length > size
            position += 8 + length + length % 2
    return False


def _ends_ogg(path: Path) -> bool:
    """Tests whether the last page is complete and marked as the last of its stream."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 2**17))
        tail = file.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    length = 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else 2**17
    return len(page) >= length and bool(page[5] & 4)
