"""Moving pictures: MP4 and other containers, read and written frame by frame."""

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Shaped, UInt8

from .._files import atomic_path
from .._inputs import check_readable, import_extra, one_line
from ..errors import SignalError
from ..geometry import Grid
from ._base import AbstractGridSignal
from ._layout import AbstractLayout, check_suffix

_MAX_RATE = 10**6
_MAX_SIDE = 2**15
_RATE = re.compile(r"[0-9]{1,12}(/[1-9][0-9]{0,11})?")

IN_MEMORY_BYTES = 2**28
"""Decoded frames up to 256 MiB stay in memory; larger clips go to a temporary file."""


@dataclass(frozen=True, kw_only=True)
class VideoLayout(AbstractLayout):
    """The layout of a clip. Axes are (frame, row, column); 3 channels, RGB.

    Args:
        frame_rate: Frames per second, as the text of a fraction, for example "30000/1001".
    """

    kind: ClassVar[str] = "video"
    suffixes: ClassVar[tuple[str, ...]] = (".mp4", ".mkv", ".mov")
    num_axes: ClassVar[int] = 3
    resizable_axes: ClassVar[tuple[int, ...]] = (1, 2)

    frame_rate: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.channels, self.dtype) != (3, "uint8"):
            raise ValueError(
                f"VideoLayout: expected 3 channels of uint8, got {self.channels} of {self.dtype}."
            )
        # Check the pattern first: Fraction would accept 1e999999999, and compute it.
        number = isinstance(self.frame_rate, str) and _RATE.fullmatch(self.frame_rate)
        if not number or not 0 < Fraction(self.frame_rate) < _MAX_RATE:
            raise ValueError(f"VideoLayout: expected a frame rate, got {self.frame_rate!r}.")

    def check_writable(self, path: Path) -> None:
        check_suffix(self, path)

    def write(self, path: Path, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> None:
        path = Path(path)
        check_suffix(self, path)
        av = import_extra("av", "video", path)
        _, rows, columns = self.shape
        with atomic_path(path) as partial:
            try:
                with av.open(partial, "w") as container:
                    stream = container.add_stream("libx264", rate=Fraction(self.frame_rate))
                    stream.width, stream.height = columns, rows
                    # Subsampled colour, which every player supports, needs even sizes.
                    even = rows % 2 == 0 and columns % 2 == 0
                    stream.pix_fmt = "yuv420p" if even else "yuv444p"
                    stream.options = {"crf": "17"}
                    for slab in self.checked(slabs, path):
                        for pixels in slab:
                            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels))
                            container.mux(stream.encode(frame))
                    container.mux(stream.encode())
            except av.FFmpegError as error:
                raise SignalError(f"{path}: cannot be written ({one_line(error)}).") from error


class Video(AbstractGridSignal[VideoLayout]):
    """A clip.

    Example:
        >>> clip = Video.from_array(np.zeros((2, 4, 6, 3), np.uint8), frame_rate=25)
        >>> clip.batch(5, seed=0, step=0)[0].shape
        torch.Size([5, 3])
    """

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        frames: slice | None = None,
        size: tuple[int, int] | None = None,
    ) -> "Video":
        """Read a clip, one frame at a time. Rotation metadata is applied.

        Args:
            path: Path of an MP4, or of any other container that FFmpeg reads.
            frames: Range of frames; all by default.
            size: Rows and columns to scale each frame to, by area averaging; by default those of
                the clip.

        Raises:
            SignalError: If the file is missing, damaged, cut off, or has no frames.
        """
        path = Path(path)
        check_readable(path)
        av = import_extra("av", "video", path)
        try:
            with av.open(path) as container:
                if not container.streams.video:
                    raise SignalError(f"{path}: expected a clip, got a file without pictures.")
                stream = container.streams.video[0]
                if stream.codec_context is None:
                    raise SignalError(f"{path}: FFmpeg has no decoder for its pictures.")
                stream.thread_type = "AUTO"
                rate = stream.average_rate or Fraction(25)
                data = _read_frames(path, container, stream, frames or slice(None), size)
        except SignalError:
            raise
        except (av.FFmpegError, OSError, MemoryError, ValueError, IndexError) as error:
            raise SignalError(
                f"{path}: cannot be read as a clip ({one_line(error)}). Is it complete?"
            ) from error
        step = (frames.step or 1) if frames else 1
        return cls.from_array(data, frame_rate=rate / step, name=path)

    @classmethod
    def from_array(
        cls,
        array: UInt8[np.ndarray, "frame row column 3"],
        *,
        frame_rate: Fraction | int | str,
        grid: Grid | None = None,
        name: str | Path = "Video",
    ) -> "Video":
        """Make a clip from an array of frames.

        Raises:
            SignalError: If the shape or dtype is not supported.
        """
        if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8 or array.size == 0:
            raise SignalError(
                f"{name}: expected uint8 of shape (frames, rows, columns, 3), got {array.dtype} "
                f"{array.shape}."
            )
        if not 0 < Fraction(frame_rate) < _MAX_RATE:
            raise SignalError(
                f"{name}: expected a frame rate up to {_MAX_RATE:,}, got {frame_rate}."
            )
        layout = VideoLayout(
            grid=grid or Grid.centres(array.shape[:3]),
            channels=3,
            dtype="uint8",
            low=0.0,
            high=255.0,
            frame_rate=str(Fraction(frame_rate)),
        )
        return cls(array, layout)


def _read_frames(
    path: Path, container: Any, stream: Any, frames: slice, size: tuple[int, int] | None
) -> UInt8[np.ndarray, "frame row column 3"]:
    total = _count_frames(path, container, stream)
    container.seek(0)
    wanted = range(total)[frames]
    if not wanted or wanted.step < 0:
        raise SignalError(f"{path}: expected some of its {total} frames, got {frames}.")
    rows, columns = size or (stream.height, stream.width)
    if not (0 < rows <= _MAX_SIDE and 0 < columns <= _MAX_SIDE):
        raise SignalError(f"{path}: expected sides of 1 to {_MAX_SIDE}, got {rows} x {columns}.")
    array, filled = None, 0
    for index, frame in enumerate(container.decode(stream)):
        if index in wanted:
            pixels = _upright(frame, size)
            if array is None:
                array = _allocate((len(wanted), *pixels.shape))
            array[filled] = pixels
            filled += 1
        if array is not None and filled == len(wanted):
            return array
    raise SignalError(
        f"{path}: expected {total} frames, got fewer that can be decoded. It is cut off or "
        "damaged; take another copy."
    )


def _count_frames(path: Path, container: Any, stream: Any) -> int:
    found = shown = 0
    damaged = _is_cut(path)
    for packet in container.demux(stream):
        if packet.size:
            found += 1
            # An edit list hides frames from which others are predicted.
            shown += not packet.is_discard
            damaged |= packet.is_corrupt
    if damaged or found < len(stream.index_entries):
        raise SignalError(
            f"{path}: is cut off or damaged, with {found} frames left. Take another copy."
        )
    return shown


def _is_cut(path: Path) -> bool:
    """Tests whether an AVI or Matroska file is truncated, which FFmpeg ignores."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(256)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return 8 + int.from_bytes(head[4:8], "little") > size
    if head[:4] == b"\x1aE\xdf\xa3":
        length, start = _matroska_size(head, 4)
        segment = start + length
        if head[segment : segment + 4] == b"\x18S\x80g":
            length, start = _matroska_size(head, segment + 4)
            return start + length > size
    return False


def _matroska_size(head: bytes, position: int) -> tuple[int, int]:
    """Length of an element, 0 if unknown, and the position of its content."""
    width = 9 - head[position].bit_length()
    bits = 2 ** (7 * width) - 1
    length = int.from_bytes(head[position : position + width]) & bits
    return (0 if length == bits else length), position + width


def _upright(frame: Any, size: tuple[int, int] | None) -> UInt8[np.ndarray, "row column 3"]:
    """A frame with the display rotation applied: phones store frames sideways."""
    quarters = round(frame.rotation / 90) % 4
    if size is None:
        pixels = frame.to_ndarray(format="rgb24")
    else:
        rows, columns = size if quarters % 2 == 0 else (size[1], size[0])
        pixels = frame.to_ndarray(format="rgb24", width=columns, height=rows, interpolation="AREA")
    return np.rot90(pixels, quarters)


def _allocate(shape: tuple[int, ...]) -> UInt8[np.ndarray, "frame row column 3"]:
    if np.prod(shape, dtype=np.float64) <= IN_MEMORY_BYTES:
        return np.empty(shape, dtype=np.uint8)
    # The file has no name, so it vanishes with the process, however that ends.
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)
