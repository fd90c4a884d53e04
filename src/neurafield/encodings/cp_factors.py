"""CP factors: a tensor as products of lines along its axes."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count
from ..derivatives import Jet, rules
from ..kernels.grid import MAX_DIM
from ._factors import AbstractFactors, check_features, new_factor
from ._grid import check_interpolation, plain, resolution_per_axis


class CPFactors(AbstractFactors):
    r"""Components, each a product of one trained line along every axis.

    $y_r(x) = \prod_a v_{r,a}(x_a)$ with each line $v_{r,a}$ interpolated between its vertices. The
    components are the output: their sum, or a sum for each channel, is what the network behind
    makes of them (`networks.Linear` is the canonical polyadic decomposition of a tensor). Beyond
    [-1, 1] the border's value goes on; a NaN coordinate gives NaN features.

    Use when a field has to be very small: a component costs $n + 1$ numbers for each axis.
    Fails when detail follows no axis: a picture of rank $k$, as a matrix, needs $k$ components,
    and a slanted edge has a high one.

    Cost: $d (n + 1)$ rows of `components`; a query reads $2 d$ of them.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        resolution: Cells along each axis, one number for all or one for each.
        components: The number of $r$: 1, 2, 4, or a multiple of 8 up to 512.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the first values, U(-0.2, 0.2). None takes torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = CPFactors(2, resolution=[30, 40], components=24, generator=g)
        >>> encoding(torch.zeros(5, 2)).shape, sum(p.numel() for p in encoding.parameters())
        (torch.Size([5, 24]), 1728)

    Reference:
        Chen et al., TensoRF: Tensorial Radiance Fields, ECCV 2022, equations 1 and 9. Their density
        is the sum of the components; we leave sums to what follows.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        components: int = 64,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=MAX_DIM)
        check_features(self, components=components)
        check_interpolation(self, interpolation)
        cells = resolution_per_axis(self, in_dim, "resolution", resolution)
        self.in_dim, self.out_dim = in_dim, components
        self.resolution = plain(resolution)
        self.components = components
        self.interpolation = interpolation
        self.axes = [(axis,) for axis in range(in_dim)]
        self.levels, self.factors = [], nn.ParameterList()
        for (axis,) in self.axes:
            levels, line = new_factor(self, [[cells[axis]]], components, (-0.2, 0.2), generator)
            self.levels.append(levels)
            self.factors.append(line)

    def _combine(self, features: list[Tensor]) -> Tensor:
        return reduce(torch.mul, features)

    def _combine_jets(self, features: list[Jet]) -> Jet:
        return reduce(rules.product, features)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "components": self.components,
            "interpolation": self.interpolation,
        }
