"""The levels of a multiresolution grid: how many cells each has, and where its rows lie."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

KINDS = ("dense", "tiled", "hashed", "indexed")
"""How a vertex finds its row, in the order of the enumeration in native/kernels.hpp.

- dense: every vertex has its own row, in row-major order;
- tiled: the same, with the vertex first taken modulo `tile`, so the rows repeat over the box;
- hashed: the vertex's coordinates, each times a prime, are combined by exclusive or; the lowest
  bits are the row;
- indexed: chosen vertices have rows, in row-major order; the others count as zero. Which these are
  is not known here: it comes in `keys`, their numbers, beside the table. Vertices are numbered row
  by row, and on from one indexed level to the next.
"""

PRIMES = (1, 2654435761, 805459861, 3674653429)
"""The primes of the hash, from the last axis to the first.

The last axis gets 1: vertices next to each other along it, which are read one after the other when
a picture is drawn, then lie in the same line of the cache.
"""

MAX_INDEXED = 2**31
"""Vertices of an indexed level that the compiled version takes; its index has 2 bits for each."""

MAX_CELLS = 2**24
"""Cells along an axis: as finely as a float32 coordinate tells places apart."""


@dataclass(frozen=True)
class Level:
    """One grid of a multiresolution grid.

    Attributes:
        kind: One of `KINDS`.
        cells: Cells along each axis; there is one vertex more.
        tile: Vertices along each axis before rows repeat. All of them if dense or indexed; unused
            if hashed.
        offset: First row in the table.
        size: Number of rows; a power of two if hashed, that of the chosen vertices if indexed.
    """

    kind: str
    cells: tuple[int, ...]
    tile: tuple[int, ...]
    offset: int
    size: int


@dataclass(frozen=True)
class Levels:
    """All levels of a grid, whose rows lie one after the other in one table."""

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
        """The coarsest of them, whose rows are the table's first."""
        return self if count == len(self.levels) else Levels(self.levels[:count])

    # Properties without a cache, since torch.compile refuses its lock.
    @property
    def first_keys(self) -> tuple[int, ...]:
        """For each level the key of its first vertex, if the level is indexed."""
        vertices = [math.prod(own.tile) if own.kind == "indexed" else 0 for own in self.levels]
        return tuple(sum(vertices[:level]) for level in range(len(vertices)))

    @property
    def indexed(self) -> bool:
        """Whether any level is."""
        return any(level.kind == "indexed" for level in self.levels)

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """The levels as the compiled version wants them: kind, offset, size, cells, tile."""
        columns = np.zeros((len(self.levels), 11), dtype=np.int64)
        for column, level in zip(columns, self.levels, strict=True):
            column[:3] = KINDS.index(level.kind), level.offset, level.size
            column[3 : 3 + self.dim] = level.cells
            column[7 : 7 + self.dim] = level.tile
        return columns


def make_levels(
    resolutions: Sequence[Sequence[int]], *, max_rows: int | None, overflow: str = "hashed"
) -> Levels:
    """Lay levels into one table: dense where they fit into `max_rows`, else as `overflow` says.

    Args:
        resolutions: Cells along each axis, for each level.
        max_rows: Rows that a level may have; None lets all be dense.
        overflow: "hashed" or "tiled".
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
    """Lay levels of chosen vertices into one table.

    Args:
        resolutions: Cells along each axis, for each level.
        sizes: Chosen vertices, for each level.
    """
    levels: list[Level] = []
    offset = 0
    for resolution, size in zip(resolutions, sizes, strict=True):
        tile = tuple(n + 1 for n in resolution)
        levels.append(Level("indexed", tuple(resolution), tile, offset, size))
        offset += size
    return Levels(tuple(levels))


def largest_tile(vertices: Sequence[int], max_rows: int) -> tuple[int, ...]:
    """Sides of a tile of `max_rows` vertices at most: equal, but none longer than its axis."""
    tile = [0] * len(vertices)
    left = max_rows
    # Short axes first: what they leave over makes the others longer.
    order = sorted(range(len(vertices)), key=lambda axis: vertices[axis])
    for done, axis in enumerate(order):
        tile[axis] = min(vertices[axis], _root(left, len(vertices) - done))
        left //= tile[axis]
    return tuple(tile)


def _root(number: int, degree: int) -> int:
    """The largest whole number whose power is no more than `number`."""
    root = round(number ** (1 / degree))
    while root**degree > number:
        root -= 1
    while (root + 1) ** degree <= number:
        root += 1
    return root
