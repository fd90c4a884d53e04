"""CP factors: a tensor as a sum of products of lines along its axes."""

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
    r"""Products of trained lines, one per axis.

    $y_r(x) = \prod_a v_{r,a}(x_a)$ with each line $v_{r,a}$ interpolated between its vertices. The
    output holds all components; the network that follows sums them (with `networks.Linear`, the
    canonical polyadic decomposition of a tensor). Outside [-1, 1] the border value is repeated; a
    NaN coordinate gives NaN features.

    Use when a field must be very small: a component costs $n + 1$ values per axis.
    Fails when detail is not aligned with the axes: a picture of matrix rank $k$ needs $k$
    components, and a slanted edge has high rank.

    Cost: $d (n + 1)$ rows of `components`; a query reads $2 d$ of them.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        resolution: Cells along each axis: one value for all axes, or one per axis.
        components: Number of components $r$: 1, 2, 4, or a multiple of 8 up to 512.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the initial values, U(-0.2, 0.2). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = CPFactors(2, resolution=[30, 40], components=24, generator=g)
        >>> encoding(torch.zeros(5, 2)).shape, sum(p.numel() for p in encoding.parameters())
        (torch.Size([5, 24]), 1728)

    Reference:
        Chen et al., TensoRF: Tensorial Radiance Fields, ECCV 2022, equations 1 and 9. Their density
        is the sum of the components; here the sum is left to the network.
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
