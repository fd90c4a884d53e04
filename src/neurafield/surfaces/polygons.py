"""Triangles of the cells that a surface goes through, and the grid edges that hold their corners.

A corner goes by the number of its edge, so the cells at an edge share it exactly and the surface
cannot come apart, whatever its place is rounded to.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from .active_cells import KnownPoints, patterns
from .cube_cases import CORNERS, EDGES, cube_cases
from .grid import Grid, Key


@dataclass(frozen=True, eq=False)
class Polygons:
    """A surface whose vertices are somewhere on grid edges.

    Args:
        faces: Vertices of each triangle, counterclockwise as seen from outside.
        begin: Place of the lower end of each vertex's edge.
        axis: Along which axis its edge goes.
        ends: Field less level at both ends: one is negative, the other is not.
    """

    faces: Int64[np.ndarray, "f 3"]
    begin: Float64[np.ndarray, "v 3"]
    axis: Int64[np.ndarray, " v"]
    ends: Float32[np.ndarray, "v 2"]


def polygons(grid: Grid, cells: Key, known: KnownPoints) -> Polygons:
    """Look up each cell's triangles by its pattern, and weld them."""
    cases = cube_cases()
    pattern = patterns(grid, cells, known)
    first, count = cases.first[pattern], np.diff(cases.first)[pattern]
    # The triangles of a cell are beside one another in the table.
    ahead = np.cumsum(count) - count
    row = np.arange(count.sum()) + np.repeat(first - ahead, count)
    lower = np.array([low for low, _ in EDGES])
    axes = np.array([(low ^ high) for low, high in EDGES])
    along = np.array([(4, 2, 1).index(bit) for bit in axes])
    offset = 3 * grid.key(CORNERS[lower]) + along
    edges, faces = np.unique(
        3 * np.repeat(cells, count)[:, None] + offset[cases.edges[row]], return_inverse=True
    )
    point, axis = np.divmod(edges, 3)
    ends = np.stack([known(point), known(point + grid.strides[axis])], axis=-1)
    return Polygons(faces.reshape(-1, 3), grid.places(grid.index(point)), axis, ends)
