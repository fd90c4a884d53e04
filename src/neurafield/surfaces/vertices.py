r"""Positions of vertices on a surface, and the normals there.

A vertex lies between the ends of a grid edge, where the field has different signs. It is found
along the edge by bracketing, to `NEAR` of it, then moved onto the surface along the exact gradient,
$x - (f - \mathrm{level})\, g / |g|^2$, by at most `STEP` of a cell, so that no triangle flips.
Before that, it is kept `APART` of the edge away from its ends: where a grid point is on the
surface, vertices on its edges stay apart, so no triangle degenerates to a point or a line.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64

from .grid import Grid
from .polygons import Polygons
from .samples import Samples

NEAR = 0.001
APART = 0.01
STEP = 0.02
ROUNDS = 8
CHUNK = 2**17
"""Vertices processed at a time."""


def place_vertices(
    grid: Grid, samples: Samples, surface: Polygons, progress: Callable[[float], None]
) -> tuple[Float64[np.ndarray, "v 3"], Float64[np.ndarray, "v 3"]]:
    """Vertices on the level set, and unit normals that point to larger values."""
    count = len(surface.begin)
    points, normals = np.empty((count, 3)), np.empty((count, 3))
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        points[part], normals[part] = _onto_surface(
            grid, samples, _along_edges(grid, samples, surface, part)
        )
        progress(min(1.0, (start + CHUNK) / count))
    return points, normals


def _onto_surface(
    grid: Grid, samples: Samples, points: Float64[np.ndarray, "n 3"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Moves points by one Newton step along the gradient, and by a second where the first was
    large.
    """
    cell = grid.spacing.min()
    normals = np.empty_like(points)
    left = np.arange(len(points))
    for _ in range(2):
        value, slope = samples.with_gradient(points[left])
        length = np.linalg.norm(slope.astype(np.float64), axis=-1).clip(1e-30)
        step = (value / length).clip(-STEP * cell, STEP * cell)
        normals[left] = slope / length[:, None]
        points[left] -= step[:, None] * normals[left]
        left = left[np.abs(step) > NEAR * cell]
    return points, normals


def _along_edges(
    grid: Grid, samples: Samples, surface: Polygons, part: slice
) -> Float64[np.ndarray, "n 3"]:
    """Positions along the edges by regula falsi, to `NEAR` of the difference between the ends.

    The value at an end that stays twice in a row is halved (Illinois), so both ends converge.
    """
    begin, direction = surface.begin[part], np.eye(3)[surface.axis[part]] * grid.spacing
    ends = surface.ends[part].astype(np.float64)
    enough = NEAR * np.abs(ends[:, 1] - ends[:, 0])
    low, high = np.zeros(len(begin)), np.ones(len(begin))
    below, above = ends.T.copy()
    at = below / (below - above)
    left = np.arange(len(begin))
    for _ in range(ROUNDS):
        value = samples(begin[left] + at[left, None] * direction[left]).astype(np.float64)
        open_ = np.abs(value) > enough[left]
        left, value = left[open_], value[open_]
        if not len(left):
            break
        is_low = (value < 0) == (below[left] < 0)
        lows, highs = left[is_low], left[~is_low]
        low[lows], below[lows] = at[lows], value[is_low]
        above[lows] /= 2
        high[highs], above[highs] = at[highs], value[~is_low]
        below[highs] /= 2
        share = below[left] / (below[left] - above[left])
        at[left] = low[left] + share * (high[left] - low[left])
    return begin + at.clip(APART, 1 - APART)[:, None] * direction
