"""The cells of a grid that a surface goes through, without asking at all of its points.

Notation: a block is a cube of `size` cells along each axis; `size` halves from level to level. The
surface can be in a block of half-diagonal `r` around `c` only where `|f(c) - level| <= L r`, for a
Lipschitz constant `L`. Without one, `L r` is replaced by `MARGIN` times the largest difference seen
between the middle and a corner of a block of that size: of all blocks at the coarsest level, of
`SAMPLED` of those that are left at each finer one. For a field that is linear in a block that
difference is the largest there is. It is measured anew at each size, so a field that is rough at
small scales alone, or flat far from its surface, does not cost the coarse levels their use.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64, Int64

from .cube_cases import CORNERS, FACES
from .grid import Grid, Index, Key
from .samples import Samples

COARSEST = 32
"""At most so many blocks along each axis at the coarsest level."""
MARGIN = 2.0
SAMPLED = 4096
CHUNK = 2**14
"""Blocks whose points are held at a time."""

_THIRDS = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
"""Points of a block of two cells, from its lowest."""
_CHILD_CORNERS = (CORNERS[:, None] + CORNERS) @ np.array([9, 3, 1])
"""The corners of each of its eight cells, among these points."""
_BITS = 1 << np.arange(8)


class KnownPoints:
    """Values at grid points; each point has one value, whichever cell asks.

    Args:
        key: Numbers of the points; of a number that comes twice the first value is kept.
        value: Field less level.
    """

    def __init__(self, key: Key, value: Float32[np.ndarray, " n"]) -> None:
        self._key, first = np.unique(key, return_index=True)
        self._value = value[first]

    def __call__(self, key: Key) -> Float32[np.ndarray, "*n"]:
        """Values at points that are known."""
        return self._value[np.searchsorted(self._key, key)]

    def missing(self, key: Key) -> Key:
        """Those of the points that are not known, in order."""
        return np.setdiff1d(key, self._key)

    def with_more(self, key: Key, value: Float32[np.ndarray, " n"]) -> "KnownPoints":
        """These and others."""
        return KnownPoints(np.append(self._key, key), np.append(self._value, value))


def surface_blocks(grid: Grid, samples: Samples, lipschitz: float | None) -> Index:
    """Blocks of two cells that can hold the surface: their places, counted in blocks."""
    size = 2
    while max(grid.counts) > COARSEST * size:
        size *= 2
    counts = [-(-count // size) for count in grid.counts]
    blocks = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1).reshape(-1, 3)
    coarsest = True
    while True:
        middle = samples(_middles(grid, blocks, size))
        if lipschitz is None:
            chosen = slice(None) if coarsest else _some(len(blocks))
            reach = MARGIN * _largest_difference(
                grid, samples, blocks[chosen], size, middle[chosen]
            )
        else:
            reach = lipschitz * size * float(np.linalg.norm(grid.spacing)) / 2
        blocks = blocks[np.abs(middle) <= reach]
        if size == 2:
            return blocks
        size //= 2
        blocks = (2 * blocks[:, None] + CORNERS).reshape(-1, 3)
        blocks = blocks[(blocks * size < grid.counts).all(-1)]
        coarsest = False


def _some(count: int) -> Int64[np.ndarray, " n"]:
    return np.unique(np.random.default_rng(0).integers(0, max(count, 1), min(count, SAMPLED)))


def _middles(grid: Grid, blocks: Index, size: int) -> Float64[np.ndarray, "n 3"]:
    """Of the part that is in the grid."""
    return grid.places((size * blocks + np.minimum(size * (blocks + 1), grid.counts)) / 2)


def _largest_difference(
    grid: Grid, samples: Samples, blocks: Index, size: int, middle: Float32[np.ndarray, " n"]
) -> float:
    corners = np.minimum(size * (blocks[:, None] + CORNERS), grid.counts)
    key, where = np.unique(grid.key(corners), return_inverse=True)
    found = samples(grid.places(grid.index(key)))[where.reshape(-1, 8)]
    return float(np.abs(found - middle[:, None]).max(initial=0))


def crossed_cells(
    grid: Grid, samples: Samples, blocks: Index, progress: Callable[[float], None]
) -> tuple[Key, KnownPoints]:
    """Cells in these blocks with corners on both sides, and the values at their corners."""
    cells, keys, values = [], [], []
    for start in range(0, len(blocks), CHUNK):
        part = 2 * blocks[start : start + CHUNK]
        points = grid.key(np.minimum(part[:, None] + _THIRDS, grid.counts))
        key, where = np.unique(points, return_inverse=True)
        value = samples(grid.places(grid.index(key)))
        corners = where.reshape(-1, 27)[:, _CHILD_CORNERS]
        inside = (value < 0)[corners]
        crossed = inside.any(-1) & ~inside.all(-1)
        cell = part[:, None] + CORNERS
        crossed &= (cell < grid.counts).all(-1)
        cells.append(grid.key(cell[crossed]))
        used = np.unique(corners[crossed])
        keys.append(key[used])
        values.append(value[used])
        progress(min(1.0, (start + CHUNK) / len(blocks)))
    if not cells:
        return np.empty(0, np.int64), KnownPoints(np.empty(0, np.int64), np.empty(0, np.float32))
    return np.sort(np.concatenate(cells)), KnownPoints(np.concatenate(keys), np.concatenate(values))


def with_neighbours(
    grid: Grid, samples: Samples, cells: Key, known: KnownPoints
) -> tuple[Key, KnownPoints]:
    """The cells, and all that the surface enters from them through a face, and so on."""
    cells = cells[_is_crossed(patterns(grid, cells, known))]
    newest = cells
    while len(newest):
        newest = np.setdiff1d(_entered(grid, newest, patterns(grid, newest, known)), cells)
        points = known.missing(newest[:, None] + grid.key(CORNERS))
        known = known.with_more(points, samples(grid.places(grid.index(points))))
        cells = np.union1d(cells, newest)
    return cells, known


def patterns(grid: Grid, cells: Key, known: KnownPoints) -> Int64[np.ndarray, " n"]:
    """Which corners of each cell are inside, as `cube_cases` counts them."""
    found = np.zeros(len(cells), np.int64)
    for offset, bit in zip(grid.key(CORNERS), _BITS, strict=True):
        found |= np.where(known(cells + offset) < 0, bit, 0)
    return found


def _is_crossed(pattern: Int64[np.ndarray, " n"]) -> np.ndarray:
    return (pattern != 0) & (pattern != 255)


def _entered(grid: Grid, cells: Key, pattern: Int64[np.ndarray, " n"]) -> Key:
    """Cells on the other side of faces whose corners are on both sides of the surface."""
    index = grid.index(cells)
    found = []
    for number, face in enumerate(FACES):
        axis, side = divmod(number, 2)
        whole = int(_BITS[list(face)].sum())
        crossed = (pattern & whole != 0) & (pattern & whole != whole)
        beyond = index[:, axis] + 2 * side - 1
        crossed &= (beyond >= 0) & (beyond < grid.counts[axis])
        found.append(cells[crossed] + (2 * side - 1) * grid.strides[axis])
    return np.unique(np.concatenate(found))
