r"""Places of vertices on a surface, and its normals there.

A vertex is between the ends of a grid edge, where the field has different signs. It is found along
the edge, between ends that close in, to `NEAR` of it, then moved onto the surface along the exact
gradient, $x - (f - \mathrm{level})\, g / |g|^2$, by at most `STEP` of a cell, so that no triangle
turns over. Between the two it keeps `APART` of the edge from its ends: vertices on several edges of
a grid point that is itself on the surface stay apart, so no triangle is a point or a line.
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
"""Vertices at a time."""


def place_vertices(
    grid: Grid, samples: Samples, surface: Polygons, progress: Callable[[float], None]
) -> tuple[Float64[np.ndarray, "v 3"], Float64[np.ndarray, "v 3"]]:
    """Vertices on the level set, and unit normals, which point to larger values."""
    count = len(surface.begin)
    places, normals = np.empty((count, 3)), np.empty((count, 3))
    for start in range(0, count, CHUNK):
        part = slice(start, start + CHUNK)
        places[part], normals[part] = _onto_surface(
            grid, samples, _along_edges(grid, samples, surface, part)
        )
        progress(min(1.0, (start + CHUNK) / count))
    return places, normals


def _onto_surface(
    grid: Grid, samples: Samples, places: Float64[np.ndarray, "n 3"]
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """A step along the gradient; the gradient anew, and another, where it was not a tiny one."""
    cell = grid.spacing.min()
    normals = np.empty_like(places)
    left = np.arange(len(places))
    for _ in range(2):
        value, slope = samples.with_gradient(places[left])
        length = np.linalg.norm(slope.astype(np.float64), axis=-1).clip(1e-30)
        step = (value / length).clip(-STEP * cell, STEP * cell)
        normals[left] = slope / length[:, None]
        places[left] -= step[:, None] * normals[left]
        left = left[np.abs(step) > NEAR * cell]
    return places, normals


def _along_edges(
    grid: Grid, samples: Samples, surface: Polygons, part: slice
) -> Float64[np.ndarray, "n 3"]:
    """Regula falsi, until the value is `NEAR` of the difference between the ends.

    An end that stays for a second round counts half (Illinois), so both ends close in.
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
