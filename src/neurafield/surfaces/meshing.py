"""From a field to a triangle mesh."""

from collections.abc import Callable

import torch

from .._checks import check_count
from ..shapes import Mesh
from .active_cells import crossed_cells, surface_blocks, with_neighbours
from .grid import Grid
from .polygons import polygons
from .samples import Implicit, Samples
from .vertices import place_vertices

Corner = tuple[float, float, float]

MOST = 4096
"""Cells along an axis."""


def extract(
    implicit: Implicit,
    resolution: int = 512,
    level: float = 0.0,
    *,
    lipschitz: float | None = None,
    box: tuple[Corner, Corner] = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
    progress: Callable[[float], None] | None = None,
) -> Mesh:
    """The surface where a field is `level`, as triangles, with the field's own normals.

    Cells that cannot hold the surface are left out, coarse ones first, and the rest are asked at
    their corners; from cells that it crosses it is followed into their neighbours. Vertices are
    moved onto the level set. Where the surface does not meet the border of the box it is closed.

    Use when a field is cheap next to the surface's area in cells. Fails when `lipschitz` is too
    small, or is None and the field is flat around a small part and steep inside it: such a part,
    smaller than a block of the coarsest level (1/32 of the box), may be lost.

    Args:
        implicit: From float32 [n, 3] in the box to [n, 1], negative inside.
        resolution: Cells along the longest axis of the box, 2 to 4096.
        level: Of the surface; a value of the field.
        lipschitz: How much the value changes in a unit of length, at most; with it no part is
            lost that has a grid point inside. None for what the field says of itself
            (`known_lipschitz`), or else an estimate, of twice what is seen.
        box: The lowest and the highest corner.
        progress: Called with the part that is done, 0 to 1.

    Returns:
        A mesh in the field's coordinates; its normals point to larger values.

    Raises:
        ValueError: If there is no surface, naming the values that were seen; if a value is not
            finite, or a setting is out of range.

    Example:
        >>> mesh = extract(lambda x: x.norm(dim=-1, keepdim=True) - 0.5, resolution=32)
        >>> bool((mesh.vertices.norm(dim=1) - 0.5).abs().max() < 1e-6)
        True

    Reference:
        Lorensen and Cline, Marching Cubes, SIGGRAPH 1987. Here the cases are derived from one
        rule for faces (`cube_cases`), so that meshes are closed and manifold.
    """
    check_count("extract", low=2, high=MOST, resolution=resolution)
    tell = progress or (lambda done: None)
    grid = Grid.over(*box, resolution)
    samples = Samples(implicit, level)
    bound = known_lipschitz(implicit) if lipschitz is None else lipschitz
    blocks = surface_blocks(grid, samples, bound)
    cells, known = crossed_cells(grid, samples, blocks, lambda done: tell(0.5 * done))
    cells, known = with_neighbours(grid, samples, cells, known)
    if not len(cells):
        raise ValueError(
            f"extract: expected values on both sides of level {level:g}, got "
            f"{samples.lowest:.4g} to {samples.highest:.4g}. Choose a level between."
        )
    surface = polygons(grid, cells, known)
    places, normals = place_vertices(grid, samples, surface, lambda done: tell(0.5 + 0.5 * done))
    return Mesh(
        torch.from_numpy(places), torch.from_numpy(surface.faces), torch.from_numpy(normals)
    )


def known_lipschitz(field: object) -> float | None:
    """The bound of a field's slope that it tells itself by a method `lipschitz_bound`, or None."""
    told = getattr(field, "lipschitz_bound", None)
    return None if told is None else told()
