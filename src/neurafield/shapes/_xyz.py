"""XYZ: one point per line, with or without its normal."""

import io

import numpy as np

from ._contents import Contents

_MOST_COLOURS = 255
_ROUNDED = 0.05
"""Largest deviation of a normal's length from 1 in a file."""


def read_xyz(data: bytes) -> Contents:
    """Read columns x, y, z; normals are expected in columns 4 to 6, else 7 to 9.

    Columns are separated by spaces, tabs, commas or semicolons; `#` and `//` start a comment; a
    first line of words names the columns. Three columns of whole numbers from 0 to 255, some above
    1, are colours and not normals. So are triples of numbers from 0 to 1 without unit length.

    Raises:
        ValueError: If a line has another number of columns than the first, or contains words.
    """
    text = data.decode("utf-8-sig").replace(",", " ").replace(";", " ")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first.lstrip().startswith(("#", "//")) and not _is_numbers(first):
        text = text.replace(first, "", 1)
    lines = [line.split("#", 1)[0].split("//", 1)[0] for line in text.splitlines()]
    filled = "\n".join(line for line in lines if line.strip())
    if not filled:
        raise ValueError("no points")
    table = np.loadtxt(io.StringIO(filled), dtype=np.float64, ndmin=2, comments=None)
    if table.shape[1] < 3:
        raise ValueError(f"expected at least three columns, got {table.shape[1]}")
    blocks = [table[:, at : at + 3] for at in (3, 6) if table.shape[1] >= at + 3]
    normals = next((block for block in blocks if not _are_colours(block)), None)
    return Contents(table[:, :3], np.empty((0, 3), dtype=np.int64), normals)


def _is_numbers(line: str) -> bool:
    try:
        [float(word) for word in line.split()]
    except ValueError:
        return False
    return True


def _are_colours(block: np.ndarray) -> bool:
    if not (block >= 0).all():
        return False
    if (block > 1).any():
        return bool(((block <= _MOST_COLOURS) & (block == np.rint(block))).all())
    lengths = np.linalg.norm(block, axis=1)
    return bool(np.median(abs(lengths - 1)) > _ROUNDED)
