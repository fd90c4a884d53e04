"""Empty-space skipping: a coarse grid of safe step lengths."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._blocks import in_blocks
from .._checks import check_count, check_positive
from ..derivatives.operators import Function
from ..geometry import Rays

CHORDS, SAMPLES = 512, 256
"""Number of lines through the box on which slopes are measured, and of points on each."""
MARGIN = 1.25
"""Factor on the measured slope."""
CELLS = 64


def values(function: Function, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Function values at any number of points, evaluated in blocks."""
    return in_blocks(lambda block: function(block)[..., 0], x) if len(x) else x[:, 0]


def measured_slope(
    function: Function, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"
) -> float:
    r"""Estimates $L$ so that no surface is nearer than $|f| / L$, on lines through the box.

    $L$ is 1.25 times the larger of two slopes: the largest ratio of $|f(x)|$ to the distance from
    $x$ to the next sign change on its line, and the 95th percentile of the slopes between
    neighbours. For a signed distance it is 1.25. The largest gradient would also be a bound, but a
    fitted grid is many times steeper in a few cells, which is irrelevant to the distance of the
    surface.

    Fails when the field is steep only near a small part of the surface, where no line passes. A
    step may then cross that surface; it is still found by its change of sign if it is thick enough.

    Args:
        function: Implicit function, negative inside.
        dtype: Dtype of the points.
        device: Device of the points.
    """
    generator = torch.Generator().manual_seed(0)
    ends = 2 * torch.rand(2, CHORDS, 3, generator=generator, dtype=torch.float64) - 1
    rays = Rays(ends[0], torch.nn.functional.normalize(ends[1] - ends[0], dim=-1))
    share = torch.linspace(0, 1, SAMPLES, dtype=torch.float64)[:, None]
    depth = share * rays.through_box()[1]
    points = Rays(rays.origins.expand(SAMPLES, -1, -1), rays.directions.expand(SAMPLES, -1, -1))
    x = points.at(depth).reshape(-1, 3).to(device, dtype)
    with torch.no_grad():
        f = values(function, x).reshape(SAMPLES, CHORDS).double().cpu().nan_to_num()
    gap = depth.diff(dim=0)
    slopes = f.diff(dim=0).abs() / gap
    changes = (f[1:] <= 0) != (f[:-1] <= 0)
    root = torch.where(changes, depth[:-1] + f[:-1].abs() / slopes, torch.inf)
    following = root.flip(0).cummin(0).values.flip(0)
    needed = (f[:-1].abs() / (following - depth[:-1])).nan_to_num()
    found = max(float(needed.max()), float(slopes.quantile(0.95)))
    return MARGIN * found if found > 0 else 1.0


@dataclass(frozen=True, eq=False)
class DistanceGrid:
    """Cells of the box, each with a distance within which none of its points meets the surface.

    Args:
        free: Distances, indexed by cell along x, y and z; not positive where none is safe.

    Example:
        >>> ball = lambda x: x.norm(dim=-1, keepdim=True) - 0.5
        >>> round(float(DistanceGrid.of(ball, slope=1.0, cells=4).free[0, 0, 0]), 4)
        0.366
    """

    free: Float[Tensor, "n n n"]

    @classmethod
    def of(
        cls,
        function: Function,
        *,
        slope: float,
        cells: int = CELLS,
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> "DistanceGrid":
        """Evaluate the function once per cell, at its centre.

        Args:
            function: Implicit function, zero at the surface.
            slope: $L$: no surface is nearer than the function's magnitude divided by this.
            cells: Cells along each axis.
            dtype: Dtype of the points.
            device: Device of the points.
        """
        check_positive("DistanceGrid", slope=slope)
        check_count("DistanceGrid", cells=cells, high=1024)
        axis = (2 * torch.arange(cells, dtype=torch.float64) + 1) / cells - 1
        across = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
        planes = []
        with torch.no_grad():
            for x in axis:
                plane = torch.cat([x.expand(cells, cells, 1), across], dim=-1)
                planes.append(values(function, plane.reshape(-1, 3).to(device, dtype)))
        distance = torch.stack(planes).reshape(cells, cells, cells).abs() / slope
        return cls(distance - 3**0.5 / cells)

    @property
    def radius(self) -> float:
        """Radius of the smallest ball around 0 that is sure to contain the surface; 0 if there is
        none.
        """
        cells = len(self.free)
        near = (self.free <= 0).nonzero().double()
        far_corners = ((2 * near + 1) / cells - 1).abs() + 1 / cells
        return float(far_corners.norm(dim=-1).max()) if len(near) else 0.0

    def begin(
        self, rays: Rays, near: Float[Tensor, " n"], far: Float[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Depths from `near` on that are free of the surface; past `far` where there is none."""
        cells = len(self.free)
        flat = self.free.reshape(-1)
        strides = torch.tensor([cells * cells, cells, 1], device=near.device)
        depth = near.clone()
        number = torch.arange(len(near), device=near.device)
        origins, directions = rays.origins, rays.directions
        while len(number):
            at = depth[number]
            x = origins + at[:, None] * directions
            index = ((x + 1) * (cells / 2)).long().clamp(0, cells - 1)
            free = flat[(index * strides).sum(-1)]
            # For steps below half a cell, evaluating the field is cheaper than looking up the next
            # cell.
            keep = (free > 1 / cells) & (at < far[number])
            number, origins, directions = number[keep], origins[keep], directions[keep]
            depth[number] += free[keep]
        return depth
