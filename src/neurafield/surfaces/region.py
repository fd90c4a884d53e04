"""Volume and surface area of what an implicit function encloses, measured on a regular grid."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._blocks import in_blocks
from ..derivatives.operators import Function

CELLS = 64
"""Cells along each axis."""


@dataclass(frozen=True, eq=False)
class Region:
    """Values of an implicit function at the centres of a regular grid of cells over [-1, 1]^d.

    Args:
        values: Values, negative inside; 64-bit.

    Example:
        >>> ball = Region.of(lambda x: x.norm(dim=1, keepdim=True) - 0.5)
        >>> round(ball.volume / (4 / 3 * torch.pi * 0.5**3), 2)
        1.0
        >>> round(ball.area / (4 * torch.pi * 0.5**2), 2)
        1.0
    """

    values: Float[Tensor, "..."]

    @classmethod
    def of(cls, function: Function, dim: int = 3, cells: int | None = None) -> "Region":
        """Evaluate a function, in float32.

        Args:
            function: Function from points `(n, dim)` to values `(n, 1)`, negative inside.
            dim: Number of coordinates.
            cells: Cells along each axis (default: 64).
        """
        cells = cells or CELLS
        axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * 2 / cells - 1
        x = torch.cartesian_prod(*[axis] * dim)
        values = in_blocks(lambda block: function(block.float())[:, 0].double(), x)
        return cls(values.reshape([cells] * dim))

    @property
    def volume(self) -> float:
        """Volume of the part below zero; a cell that the surface cuts counts in part."""
        return float((0.5 - self._distance()).clamp(0, 1).sum()) * self._cell**self.values.ndim

    @property
    def area(self) -> float:
        """Area of the zero level, from a layer of three cells around it."""
        distance = self._distance()
        near = (1 + (2 * math.pi / 3 * distance).cos()) / 3 * (distance.abs() < 1.5)
        return float(near.sum()) * self._cell ** (self.values.ndim - 1)

    def overlap(self, other: "Region") -> float:
        """Intersection over union of the insides of two functions on the same grid."""
        a, b = self.values < 0, other.values < 0
        return float((a & b).sum() / (a | b).sum().clamp(min=1))

    @property
    def _cell(self) -> float:
        return 2 / len(self.values)

    def _distance(self) -> Tensor:
        """Distance to the zero level in cells, to first order."""
        dim = self.values.ndim
        slopes = torch.gradient(self.values, spacing=self._cell, dim=list(range(dim)))
        slope = torch.stack(list(slopes)).norm(dim=0)
        return self.values / (slope.clamp(min=1e-6) * self._cell)


def roundness(volume: float, area: float) -> float:
    """The isoperimetric ratio 36 pi V^2 / A^3: 1 for a ball, less for any other solid.

    Example:
        >>> round(roundness(4 / 3 * torch.pi, 4 * torch.pi), 6)
        1.0
    """
    return 36 * math.pi * volume**2 / area**3 if area > 0 else 0.0
