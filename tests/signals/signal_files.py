"""What the tests of this folder share: files made by other writers, and the checks on errors."""

import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from neurafield import SignalError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def shared_file(name: str) -> Path:
    """A real file beside the repository; the test is skipped where there is none."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is absent: only a file from outside the repository can be used here")
    return path


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """Random values over the whole range of a whole-number type, or around 0 for a float."""
    rng = np.random.default_rng(seed)
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    return rng.normal(0.3, 2.0, shape).astype(dtype)


def png_bytes(array: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG straight from its specification, so that all 16 bits are there to be read."""
    rows, columns, channels = array.shape
    bits = 8 * array.dtype.itemsize
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = columns.to_bytes(4) + rows.to_bytes(4) + bytes([bits, colour, 0, 0, 0])
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in big_endian))
    return png_of_chunks((b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b""))


def png_of_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)
        for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def black_png(rows: int, columns: int, bits: int = 8) -> bytes:
    """A valid grey PNG of zeros, tiny however large the picture: one deflate block repeated."""
    num_bytes = rows * (1 + (columns * bits + 7) // 8)
    block = 2**20
    # After a full flush nothing refers back, so the same bytes decode to the same zeros again.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = packer.compress(bytes(num_bytes % block)) + packer.flush(zlib.Z_FINISH)
    # Adler-32 of n zeros: the first sum stays 1, the second counts.
    checksum = (num_bytes % 65521) << 16 | 1
    data = b"\x78\x9c" + packed * (num_bytes // block) + rest + checksum.to_bytes(4)
    header = columns.to_bytes(4) + rows.to_bytes(4) + bytes([bits, 0, 0, 0, 0])
    return png_of_chunks((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))


def smooth_frames(num_frames: int, rows: int, columns: int) -> np.ndarray:
    """A drifting colour gradient, which a video codec keeps well; no two frames alike."""
    t, y, x = np.meshgrid(
        np.arange(num_frames), np.arange(rows) / rows, np.arange(columns) / columns, indexing="ij"
    )
    phase = 0.3 * t
    channels = [np.sin(3 * x + phase), np.cos(2 * y - phase), np.sin(2 * (x + y) + 2 * phase)]
    return np.rint(127.5 + 100 * np.stack(channels, axis=-1)).astype(np.uint8)


def write_clip(
    path: Path,
    frames: np.ndarray,
    rate: Fraction | int = 25,
    pix_fmt: str = "yuv420p",
    **options: str,
) -> None:
    """Encode with PyAV; `options` are the container's, for example `movflags="faststart"`."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.options = {"crf": "12"}
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())


def decoded_clip(path: Path) -> tuple[np.ndarray, Fraction]:
    """All frames as PyAV gives them, and the rate."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(frames), stream.average_rate


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio of 8-bit values, in dB."""
    assert a.shape == b.shape
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-12)))


def assert_refused(call: Callable[[], object], path: Path, hint: str = "") -> None:
    """`call` raises SignalError, in one line that names the file and holds `hint`.

    It leaves the folder as it was.
    """
    before = contents(path.parent)
    with pytest.raises(SignalError) as caught:
        call()
    message = str(caught.value)
    assert path.name in message, message
    assert "\n" not in message, message
    assert message[-1] in ".?", message
    assert hint in message, message
    assert contents(path.parent) == before


def contents(folder: Path) -> dict[str, bytes | None]:
    return {p.name: p.read_bytes() if p.is_file() else None for p in folder.iterdir()}
