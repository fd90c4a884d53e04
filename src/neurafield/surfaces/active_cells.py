"""Cells of a grid that a surface crosses, found without evaluating all grid points.

Notation: a block is a cube of `size` cells along each axis; `size` halves from level to level. The
surface can be in a block of half-diagonal `r` around `c` only where `|f(c) - level| <= L r`, for a
Lipschitz constant `L`. Without one, it is estimated from the corners of a block: `f(c)` is their
mean, and `L r` is `MARGIN` times the larger of two deviations from it: the largest in this block,
and that of the median block of its level. For a field that is linear in a block, the first is
exact; the second accounts for variation between the corners. Both are measured at each size and
position, so a field that is rough only at small scales or far from its surface, or flat there
(truncated distance, logits), costs little more than a distance.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from .cube_cases import CORNERS, FACES
from .grid import Grid, Index, Key, contains, distinct
from .samples import Samples

COARSEST = 32
"""Maximum blocks along each axis at the coarsest level."""
MARGIN = 1.5
CHUNK = 2**14
"""Blocks whose points are held in memory at a time."""

_THIRDS = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
"""Grid points of a block of two cells, relative to its lowest corner."""
_CHILD_CORNERS = (CORNERS[:, None] + CORNERS) @ np.array([9, 3, 1])
"""Indices into these points of the corners of the eight cells."""
_BITS = 1 << np.arange(8)


class KnownPoints:
    """Values at grid points, shared by all cells at a point.

    Args:
        key: Indices of the points; for duplicates the first value is kept.
        value: Field minus level.
    """

    def __init__(self, key: Key, value: Float32[np.ndarray, " n"]) -> None:
        self._key, first = np.unique(key, return_index=True)
        self._value = value[first]

    def __call__(self, key: Key) -> Float32[np.ndarray, "*n"]:
        """Values at known points."""
        return self._value[np.searchsorted(self._key, key)]

    def missing(self, key: Key) -> Key:
        """Indices of the points that are not known, sorted."""
        key = distinct(key)
        return key[~contains(self._key, key)]

    def with_more(self, key: Key, value: Float32[np.ndarray, " n"]) -> "KnownPoints":
        """A copy with more points."""
        return KnownPoints(np.append(self._key, key), np.append(self._value, value))


def surface_blocks(grid: Grid, samples: Samples, lipschitz: float | None) -> Index:
    """Indices of the blocks of two cells that can contain the surface."""
    size = 2
    while max(grid.counts) > COARSEST * size:
        size *= 2
    counts = [-(-count // size) for count in grid.counts]
    blocks = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3)
    while True:
        if lipschitz is None:
            middle, spread = _from_corners(grid, samples, blocks, size)
            reach = MARGIN * np.maximum(spread, np.median(spread) if len(spread) else 0)
        else:
            middle = samples(_middles(grid, blocks, size))
            reach = lipschitz * size * np.linalg.norm(grid.spacing) / 2
        blocks = blocks[np.abs(middle) <= reach]
        if size == 2:
            return blocks
        size //= 2
        blocks = (2 * blocks[:, None] + CORNERS).reshape(-1, 3)
        blocks = blocks[(blocks * size < grid.counts).all(-1)]


def _middles(grid: Grid, blocks: Index, size: int) -> Float64[np.ndarray, "n 3"]:
    """Centres of the parts of the blocks that are in the grid."""
    return grid.points((size * blocks + np.minimum(size * (blocks + 1), grid.counts)) / 2)


def _from_corners(
    grid: Grid, samples: Samples, blocks: Index, size: int
) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Mean of the corner values of each block, and the largest deviation from it."""
    middle, spread = np.empty(len(blocks), np.float32), np.empty(len(blocks), np.float32)
    for start in range(0, len(blocks), CHUNK):
        part = slice(start, start + CHUNK)
        corners = np.minimum(size * (blocks[part, None] + CORNERS), grid.counts)
        _, where, value = _evaluate(grid, samples, corners)
        middle[part] = value[where].mean(-1)
        spread[part] = np.abs(value[where] - middle[part, None]).max(-1)
    return middle, spread


def crossed_cells(
    grid: Grid, samples: Samples, blocks: Index, progress: Callable[[float], None]
) -> tuple[Key, KnownPoints]:
    """Cells of these blocks with corners on both sides of the surface, and the corner values."""
    cells, keys, values = [], [], []
    for start in range(0, max(len(blocks), 1), CHUNK):
        part = 2 * blocks[start : start + CHUNK]
        key, where, value = _evaluate(
            grid, samples, np.minimum(part[:, None] + _THIRDS, grid.counts)
        )
        inside = (value < 0)[where]
        mixed = inside.any(-1) & ~inside.all(-1)
        part, where = part[mixed], where[mixed]
        inside = inside[mixed][:, _CHILD_CORNERS]
        cell = part[:, None] + CORNERS
        crossed = inside.any(-1) & ~inside.all(-1) & (cell < grid.counts).all(-1)
        used = np.zeros(len(key), bool)
        used[where[:, _CHILD_CORNERS][crossed]] = True
        cells.append(grid.key(cell[crossed]))
        keys.append(key[used])
        values.append(value[used])
        progress(min(1.0, (start + CHUNK) / max(len(blocks), 1)))
    return np.sort(np.concatenate(cells)), KnownPoints(np.concatenate(keys), np.concatenate(values))


def _evaluate(
    grid: Grid, samples: Samples, points: Index
) -> tuple[Key, Int64[np.ndarray, "*n"], Float32[np.ndarray, " p"]]:
    """Unique indices of the points, the position of each given point among them, and the values."""
    key, where = np.unique(grid.key(points), return_inverse=True)
    return key, where, samples(grid.points(grid.index(key)))


def with_neighbours(
    grid: Grid, samples: Samples, cells: Key, known: KnownPoints
) -> tuple[Key, KnownPoints]:
    """The crossed cells, and all cells that the surface reaches from them through faces."""
    cells = cells[_is_crossed(patterns(grid, cells, known))]
    newest = cells
    while len(newest):
        newest = _entered(grid, newest, patterns(grid, newest, known))
        newest = newest[~contains(cells, newest)]
        points = known.missing(newest[:, None] + grid.key(CORNERS))
        known = known.with_more(points, samples(grid.points(grid.index(points))))
        cells = np.sort(np.append(cells, newest))
    return cells, known


def patterns(grid: Grid, cells: Key, known: KnownPoints) -> Int64[np.ndarray, " n"]:
    """Pattern of inside corners of each cell, as defined in `cube_cases`."""
    found = np.zeros(len(cells), np.int64)
    for offset, bit in zip(grid.key(CORNERS), _BITS, strict=True):
        found |= np.where(known(cells + offset) < 0, bit, 0)
    return found


def _is_crossed(pattern: Int64[np.ndarray, " n"]) -> np.ndarray:
    return (pattern != 0) & (pattern != 255)


def _entered(grid: Grid, cells: Key, pattern: Int64[np.ndarray, " n"]) -> Key:
    """Neighbours across the faces that the surface crosses."""
    index = grid.index(cells)
    found = []
    for number, face in enumerate(FACES):
        axis, side = divmod(number, 2)
        whole = int(_BITS[list(face)].sum())
        crossed = (pattern & whole != 0) & (pattern & whole != whole)
        neighbour = index[:, axis] + 2 * side - 1
        crossed &= (neighbour >= 0) & (neighbour < grid.counts[axis])
        found.append(cells[crossed] + (2 * side - 1) * grid.strides[axis])
    return distinct(np.concatenate(found))
