"""PNG, written as its rows come, so that no more than a slab of them is in memory."""

import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped, UInt8

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # Grey, grey with alpha, RGB, RGBA.
_UP = 2  # The number of the filter: each byte minus the one above it.
_PIECE_BYTES = 2**20  # A chunk may have 2**31; much smaller ones keep the memory small.


def write_png(
    file: BinaryIO,
    slabs: Iterable[Shaped[np.ndarray, "rows columns channels"]],
    *,
    shape: tuple[int, int],
    channels: int,
    bits: int,
    profile: bytes = b"",
) -> None:
    """Write a picture from the top down.

    One filter for all rows and a quick setting of zlib: photographs come out within a twentieth of
    the size that Pillow's search over the filters gives, in a third of its time.

    Args:
        file: Where to.
        slabs: Whole rows, in order, uint8 or uint16, `shape` in all.
        shape: Rows and columns.
        channels: 1 to 4: grey, grey with alpha, RGB, RGBA.
        bits: Of a sample: 8 or 16.
        profile: The ICC colour profile, or nothing.

    Reference:
        PNG Specification, third edition, W3C 2025: section 5 (chunks), section 9 (filters).
    """
    rows, columns = shape
    colour = _COLOUR_TYPES[channels]
    file.write(b"\x89PNG\r\n\x1a\n")
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0))
    if profile:
        _write_chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))
    packer = zlib.compressobj(4, strategy=zlib.Z_FILTERED)
    above = np.zeros((1, columns * channels * bits // 8), np.uint8)
    for slab in slabs:
        lines = slab.astype(f">u{bits // 8}", order="C", copy=False).view(np.uint8)
        lines = lines.reshape(len(slab), above.size)
        filtered = _filtered(lines, above).reshape(-1).data
        for start in range(0, len(filtered), _PIECE_BYTES):
            packed = packer.compress(filtered[start : start + _PIECE_BYTES])
            if packed:
                _write_chunk(file, b"IDAT", packed)
        above = lines[-1:] if len(lines) else above
    _write_chunk(file, b"IDAT", packer.flush())
    _write_chunk(file, b"IEND", b"")


def _filtered(
    lines: UInt8[np.ndarray, "rows bytes"], above: UInt8[np.ndarray, "1 bytes"]
) -> UInt8[np.ndarray, "rows filtered"]:
    """Each line with the number of its filter before it; differences are modulo 256."""
    filtered = np.empty((lines.shape[0], 1 + lines.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    np.subtract(lines[:1], above, out=filtered[:1, 1:])
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    return filtered


def _write_chunk(file: BinaryIO, name: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + name)
    file.write(data)
    file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(name))))
