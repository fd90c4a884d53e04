"""Extraction of a triangle mesh from a field."""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from .._checks import check_count, check_positive
from ..shapes import Mesh
from .active_cells import crossed_cells, surface_blocks, with_neighbours
from .grid import Grid
from .polygons import polygons
from .samples import Implicit, Samples
from .vertices import place_vertices

Corner = tuple[float, float, float]

MOST = 4096
"""Maximum cells along an axis."""


@runtime_checkable
class HasLipschitzBound(Protocol):
    """A field that may know a Lipschitz constant of its values."""

    def lipschitz_bound(self) -> float | None: ...


class NoSurfaceError(ValueError):
    """Raised when the level set does not cross the box.

    Args:
        level: Level of the surface.
        lowest: Lowest value that was evaluated.
        highest: Highest value that was evaluated.
    """

    def __init__(self, level: float, lowest: float, highest: float) -> None:
        self.lowest, self.highest = lowest, highest
        super().__init__(
            f"extract: expected values on both sides of level {level:g}, got {lowest:.4g} to "
            f"{highest:.4g}. Choose a level between these."
        )


def extract(
    implicit: Implicit,
    resolution: int = 512,
    level: float = 0.0,
    *,
    lipschitz: float | None = None,
    box: tuple[Corner, Corner] = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
    closed: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Mesh:
    """Extract the level set of a field as a triangle mesh, with normals from the field's gradient.

    Blocks of cells that cannot contain the surface are skipped, coarse ones first; the others are
    evaluated at their corners, and the surface is followed from crossed cells to their neighbours.
    Vertices are moved onto the level set. The surface is closed except at the border of the box.

    Use when a field is cheap relative to the surface's area in cells. Fails when `lipschitz` is too
    small, or is None and the field is flat around a small part and steep inside it: a part smaller
    than a block of the coarsest level (1/32 of the box) may be lost.

    Args:
        implicit: Function from float32 [n, 3] in the box to [n, 1], negative inside.
        resolution: Cells along the longest axis of the box, 2 to 4096.
        level: Level of the surface, a value of the field.
        lipschitz: Lipschitz constant of the field; with it no part is lost that has a grid point
            inside. None uses the field's `lipschitz_bound()`, or else an estimate from the values.
        box: Lowest and highest corner.
        closed: True closes a shape that extends outside the box at the border; False leaves its
            surface open there.
        progress: Callback that gets the completed share, 0 to 1.

    Returns:
        A mesh in the field's coordinates; its normals point to larger values.

    Raises:
        NoSurfaceError: If there is no surface; it is a ValueError.
        ValueError: If a value is not finite, or a setting is out of range.

    Example:
        >>> mesh = extract(lambda x: x.norm(dim=-1, keepdim=True) - 0.5, resolution=32)
        >>> bool((mesh.vertices.norm(dim=1) - 0.5).abs().max() < 1e-6)
        True

    Reference:
        Lorensen and Cline, Marching Cubes, SIGGRAPH 1987. The cases are derived from one rule for
        faces (`cube_cases`), so that meshes are closed and manifold.
    """
    check_count("extract", low=2, high=MOST, resolution=resolution)
    report = progress or (lambda done: None)
    if lipschitz is not None:
        check_positive("extract", lipschitz=lipschitz)
    low, high = box
    if not all(math.isfinite(b - a) and a < b for a, b in zip(low, high, strict=True)):
        raise ValueError(f"extract: expected a box from a lower to a higher corner, got {box}.")
    grid = Grid.over(low, high, resolution)
    bound = _known_bound(implicit) if lipschitz is None else lipschitz
    if closed:
        implicit, grid = _cut_off(implicit, level, grid)
        bound = None if bound is None else max(bound, 1.0)
    samples = Samples(implicit, level)
    blocks = surface_blocks(grid, samples, bound)
    cells, known = crossed_cells(grid, samples, blocks, lambda done: report(0.5 * done))
    cells, known = with_neighbours(grid, samples, cells, known)
    if not len(cells):
        raise NoSurfaceError(level, samples.lowest, samples.highest)
    surface = polygons(grid, cells, known)
    points, normals = place_vertices(grid, samples, surface, lambda done: report(0.5 + 0.5 * done))
    return Mesh(
        torch.from_numpy(points), torch.from_numpy(surface.faces), torch.from_numpy(normals)
    )


def _known_bound(field: object) -> float | None:
    return field.lipschitz_bound() if isinstance(field, HasLipschitzBound) else None


def _cut_off(implicit: Implicit, level: float, grid: Grid) -> tuple[Implicit, Grid]:
    """The field intersected with the box, on a grid with one more cell on each side."""
    last = grid.low + grid.spacing * grid.counts
    low, high = (torch.from_numpy(corner).float() for corner in (grid.low, last))

    def both(x: Tensor) -> Tensor:
        first, second = low.to(x.device), high.to(x.device)
        outside = torch.maximum(first - x, x - second).amax(-1, keepdim=True)
        return torch.maximum(implicit(x.clamp(first, second)), level + outside)

    x, y, z = (count + 2 for count in grid.counts)
    return both, Grid(grid.low - grid.spacing, grid.spacing, (x, y, z))
