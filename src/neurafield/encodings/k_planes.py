"""K-planes: features on all coordinate planes, multiplied, at several resolutions."""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count
from ..derivatives import Jet, rules
from ..kernels.grid import MAX_CELLS, MAX_DIM, MAX_LEVELS
from ._factors import AbstractFactors, check_features, new_factor
from ._grid import check_interpolation, plain, resolution_per_axis


class KPlanes(AbstractFactors):
    r"""Product of features read at the projections of a point to all coordinate planes.

    $y_l(x) = \prod_{a < b} P_{l,ab}(x_a, x_b)$ for each level $l$ of $2^l n$ cells; the output
    concatenates all levels, coarsest first. A product is large only where all planes agree: it
    selects single points, while a sum selects whole lines. Outside [-1, 1] the border value is
    repeated; a NaN coordinate gives NaN features.

    Use when a volume or a moving scene must fit into the memory of planes: products, even with a
    linear layer after them, distinguish points. With a time axis, static content stays in the
    spatial planes.
    Fails when there are two coordinates: the only plane is a dense grid, at several resolutions.
    Detail that is not aligned with the axes needs many features.

    Cost: per level $d (d - 1) / 2$ planes of $(2^l n + 1)^2$ rows of `features`; a query reads 4
    rows of each.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 2 to 4.
        resolution: Cells of the coarsest level, one value for all axes or one per axis.
        num_levels: Number of levels, each with twice the cells of the one before.
        features: Channels of each level: 1, 2, 4, or a multiple of 8; `num_levels * features`, the
            output, is at most 512.
        time_axis: Index of the time axis, or None. Its planes start at one, so that nothing moves
            initially, and its number of cells is the same on all levels.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the initial values, U(0.1, 0.5). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> clip = KPlanes(3, resolution=[8, 16, 16], num_levels=3, time_axis=0, generator=g)
        >>> clip(torch.zeros(5, 3)).shape
        torch.Size([5, 48])

    Reference:
        Fridovich-Keil et al., K-Planes: Explicit Radiance Fields in Space, Time, and Appearance,
        CVPR 2023, sections 3.1 and 3.2; their code initialises spatial planes from U(0.1, 0.5).
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        num_levels: int = 1,
        features: int = 16,
        time_axis: int | None = None,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, low=2, high=MAX_DIM)
        check_count(self, num_levels=num_levels, high=MAX_LEVELS)
        check_features(self, features=features, num_levels=num_levels)
        check_interpolation(self, interpolation)
        if time_axis is not None:
            check_count(self, time_axis=time_axis, low=0, high=in_dim - 1)
        cells = resolution_per_axis(self, in_dim, "resolution", resolution)
        growth = [1 if axis == time_axis else 2 for axis in range(in_dim)]
        finest = max(cells) * 2 ** (num_levels - 1)
        check_count(self, high=MAX_CELLS, **{"cells of the finest level": finest})
        self.in_dim, self.out_dim = in_dim, num_levels * features
        self.resolution = plain(resolution)
        self.num_levels = num_levels
        self.features = features
        self.time_axis = time_axis
        self.interpolation = interpolation
        self.axes = list(combinations(range(in_dim), 2))
        self.levels, self.factors = [], nn.ParameterList()
        for pair in self.axes:
            sizes = [
                [cells[axis] * growth[axis] ** level for axis in pair]
                for level in range(num_levels)
            ]
            bounds = (1.0, 1.0) if time_axis in pair else (0.1, 0.5)
            levels, plane = new_factor(self, sizes, features, bounds, generator)
            self.levels.append(levels)
            self.factors.append(plane)

    def _combine(self, features: list[Tensor]) -> Tensor:
        return reduce(torch.mul, features)

    def _combine_jets(self, features: list[Jet]) -> Jet:
        return reduce(rules.product, features)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "num_levels": self.num_levels,
            "features": self.features,
            "time_axis": self.time_axis,
            "interpolation": self.interpolation,
        }
