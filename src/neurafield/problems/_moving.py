"""What is measured and shown of a shape that moves: volumes and areas over time, pictures."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives.operators import Function
from ..geometry import Camera
from ..signals.near_surface import values
from ..surfaces import RenderSurface, draw
from ._solution import Panel

_CELLS = 64
"""Along each axis of the grid on which volumes are measured."""
_VIEW = Camera.orbit(30.0, 20.0, 4.2, size=(320, 320), fov=35.0, up="y")


def at_time(field: Function, tau: float) -> Function:
    """A moving shape at one time, -1 to 1, as a function of places alone."""

    def still(x: Tensor) -> Tensor:
        return field(torch.cat([x, torch.full_like(x[..., :1], tau)], dim=-1))

    return still


@dataclass(frozen=True, eq=False)
class Region:
    """Values of a function on a regular grid over [-1, 1]^d, at the middles of cells."""

    values: Float[Tensor, "..."]

    @classmethod
    def of(cls, function: Function, dim: int = 3, cells: int | None = None) -> "Region":
        """Read a function."""
        cells = cells or _CELLS
        axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * 2 / cells - 1
        x = torch.cartesian_prod(*[axis] * dim)
        return cls(values(function, x).reshape([cells] * dim))

    @property
    def _cell(self) -> float:
        return 2 / len(self.values)

    def _distance(self) -> tuple[Tensor, Tensor]:
        """Slopes, and distances to the zero level in cells, to first order."""
        dim = self.values.ndim
        slopes = torch.gradient(self.values, spacing=self._cell, dim=list(range(dim)))
        slope = torch.stack(list(slopes)).norm(dim=0)
        return slope, self.values / (slope.clamp(min=1e-6) * self._cell)

    @property
    def volume(self) -> float:
        """Of the part below zero; cells that the surface cuts count in part."""
        _, distance = self._distance()
        return float((0.5 - distance).clamp(0, 1).sum()) * self._cell**self.values.ndim

    @property
    def area(self) -> float:
        """Of the zero level, by a layer of three cells around it."""
        _, distance = self._distance()
        near = (1 + (2 * math.pi / 3 * distance).cos()) / 3 * (distance.abs() < 1.5)
        return float(near.sum()) * self._cell ** (self.values.ndim - 1)

    def overlap(self, other: "Region") -> float:
        """What is inside both, as a part of what is inside either."""
        a, b = self.values < 0, other.values < 0
        return float((a & b).sum() / (a | b).sum().clamp(min=1))


def roundness(volume: float, area: float) -> float:
    """The volume as a part of that of the ball with the same area: 1 for a ball, less for others.

    It is the isoperimetric ratio 36 pi V^2 / A^3.
    """
    return 36 * math.pi * volume**2 / area**3 if area > 0 else 0.0


def pictures(field: Function, times: Sequence[float], titles: Sequence[str]) -> list[Panel]:
    """The shape at several times, side by side."""
    panels = []
    for tau, title in zip(times, titles, strict=True):
        scenery = RenderSurface.of(at_time(field, tau), rise=None)
        with torch.no_grad():
            shown = torch.cat(list(draw(scenery, _VIEW)))
        panels.append(Panel(title, shown.double().clamp(0, 1).numpy()))
    return panels
