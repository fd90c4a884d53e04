"""Levels of a multiresolution grid: the number of cells of each, and the position of its rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

KINDS = ("dense", "tiled", "hashed", "indexed")
"""Kinds of levels, in the order of the enumeration in native/kernels.hpp.

- dense: every vertex has its own row, in row-major order;
- tiled: the same, with the vertex first taken modulo `tile`, so the rows repeat over the box;
- hashed: the vertex's coordinates, each times a prime, are combined by exclusive or; the lowest
  bits are the number of the row;
- indexed: chosen vertices have rows, in row-major order; the others count as zero. The tensor
  `keys` beside the table holds the numbers of the chosen vertices. Vertices are numbered row by
  row, and on from one indexed level to the next.
"""

PRIMES = (1, 2654435761, 805459861, 3674653429)
"""The primes of the hash, from the last axis to the first.

The last axis has 1: neighbouring vertices along it, which are read one after the other when an
image is rendered, then lie in the same cache line.
"""

MAX_INDEXED = 2**31
"""Largest number of vertices of an indexed level in the native version: 2 bits of index each."""

MAX_CELLS = 2**24
"""Largest number of cells along an axis: the resolution of a float32 coordinate."""


@dataclass(frozen=True)
class Level:
    """One grid of a multiresolution grid.

    Attributes:
        kind: One of `KINDS`.
        cells: Cells along each axis; there is one vertex more.
        tile: Vertices along each axis before rows repeat. All of them if dense or indexed; unused
            if hashed.
        offset: First row in the table.
        size: Number of rows: a power of two if hashed, the number of chosen vertices if indexed.
    """

    kind: str
    cells: tuple[int, ...]
    tile: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True)
class Levels:
    """All levels of a grid, with their rows one after the other in one table."""

    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        if not self.levels:
            raise ValueError("Levels: expected at least one level, got none.")

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.levels[0].cells)

    @property
    def num_rows(self) -> int:
        """Rows of the table."""
        return self.levels[-1].offset + self.levels[-1].size

    def first(self, count: int) -> "Levels":
        """The `count` coarsest levels, which have the first rows of the table."""
        return self if count == len(self.levels) else Levels(self.levels[:count])

    # Properties without a cache, since torch.compile refuses its lock.
    @property
    def first_keys(self) -> tuple[int, ...]:
        """Key of the first vertex of each level, if the level is indexed."""
        vertices = [math.prod(own.tile) if own.kind == "indexed" else 0 for own in self.levels]
        return tuple(sum(vertices[:level]) for level in range(len(vertices)))

    @property
    def indexed(self) -> bool:
        """True if any level is indexed."""
        return any(level.kind == "indexed" for level in self.levels)

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """One row per level for the compiled library: kind, offset, size, cells, tile."""
        columns = np.zeros((len(self.levels), 11), dtype=np.int64)
        for column, level in zip(columns, self.levels, strict=True):
            column[:3] = KINDS.index(level.kind), level.offset, level.size
            column[3 : 3 + self.dim] = level.cells
            column[7 : 7 + self.dim] = level.tile
        return columns


def make_levels(
    resolutions: Sequence[Sequence[int]], *, max_rows: int | None, overflow: str = "hashed"
) -> Levels:
    """Arrange levels in one table: dense if they fit into `max_rows`, else hashed or tiled.

    Args:
        resolutions: Cells along each axis, for each level.
        max_rows: Largest number of rows of a level; None makes all levels dense.
        overflow: Kind of the levels that do not fit: "hashed" or "tiled".
    """
    levels: list[Level] = []
    offset = 0
    for resolution in resolutions:
        cells = tuple(resolution)
        tile = tuple(n + 1 for n in cells)
        kind, size = "dense", math.prod(tile)
        if max_rows is not None and size > max_rows:
            kind = overflow
            if kind == "tiled":
                tile = largest_tile(tile, max_rows)
            size = math.prod(tile) if kind == "tiled" else max_rows
        levels.append(Level(kind, cells, tile, offset, size))
        offset += size
    return Levels(tuple(levels))


def indexed_levels(resolutions: Sequence[Sequence[int]], sizes: Sequence[int]) -> Levels:
    """Arrange levels of chosen vertices in one table.

    Args:
        resolutions: Cells along each axis, for each level.
        sizes: Numbers of chosen vertices, for each level.
    """
    levels: list[Level] = []
    offset = 0
    for resolution, size in zip(resolutions, sizes, strict=True):
        tile = tuple(n + 1 for n in resolution)
        levels.append(Level("indexed", tuple(resolution), tile, offset, size))
        offset += size
    return Levels(tuple(levels))


def largest_tile(vertices: Sequence[int], max_rows: int) -> tuple[int, ...]:
    """Sides of the largest tile of at most `max_rows` vertices: equal, but within each axis."""
    tile = [0] * len(vertices)
    left = max_rows
    # Short axes first: the rows that they leave over make the others longer.
    order = sorted(range(len(vertices)), key=lambda axis: vertices[axis])
    for done, axis in enumerate(order):
        tile[axis] = min(vertices[axis], _root(left, len(vertices) - done))
        left //= tile[axis]
    return tuple(tile)


def _root(number: int, degree: int) -> int:
    """The largest integer whose power is at most `number`."""
    root = round(number ** (1 / degree))
    while root**degree > number:
        root -= 1
    while (root + 1) ** degree <= number:
        root += 1
    return root
