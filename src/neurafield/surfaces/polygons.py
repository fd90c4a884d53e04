"""Triangles of the cells that a surface crosses, and the grid edges that hold their corners.

A corner is identified by its edge, so the cells at an edge share it exactly, and rounding cannot
tear the surface.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from .active_cells import KnownPoints, patterns
from .cube_cases import CORNERS, EDGES, cube_cases
from .grid import Grid, Key


@dataclass(frozen=True, eq=False)
class Polygons:
    """A surface with vertices on grid edges, at positions not yet determined.

    Args:
        faces: Vertex indices of each triangle, counterclockwise as seen from outside.
        begin: Position of the lower end of each vertex's edge.
        axis: Axis of each vertex's edge.
        ends: Field minus level at both ends: one is negative, the other is not.
    """

    faces: Int64[np.ndarray, "f 3"]
    begin: Float64[np.ndarray, "v 3"]
    axis: Int64[np.ndarray, " v"]
    ends: Float32[np.ndarray, "v 2"]


def polygons(grid: Grid, cells: Key, known: KnownPoints) -> Polygons:
    """Look up the triangles of each cell by its pattern, and merge shared vertices."""
    cases = cube_cases()
    pattern = patterns(grid, cells, known)
    first, count = cases.first[pattern], np.diff(cases.first)[pattern]
    # The triangles of a cell are contiguous in the table.
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
    return Polygons(faces.reshape(-1, 3), grid.points(grid.index(point)), axis, ends)
