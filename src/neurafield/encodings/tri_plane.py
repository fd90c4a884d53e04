"""Tri-planes: features of a volume as the sum of features on its coordinate planes."""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count
from ..derivatives import Jet, rules
from ..kernels.grid import MAX_DIM
from ._factors import AbstractFactors, check_features, new_factor
from ._grid import check_interpolation, plain, resolution_per_axis


class TriPlane(AbstractFactors):
    r"""Sum of features read at the projections of a point to all coordinate planes.

    $y(x) = \sum_{a < b} P_{ab}(x_a, x_b)$ with each $P_{ab}$ interpolated as `DenseGrid` does.
    Three coordinates have three planes; two have one, which is a dense grid; four have six. Outside
    [-1, 1] the border value is repeated; a NaN coordinate gives NaN features.

    Use when the signal is a volume whose dense grid would not fit into memory, and a network
    follows.
    Fails when detail is not aligned with the axes: points that share projections are only
    distinguished by the network, not by the sum.

    Cost: $d (d - 1) / 2$ planes of $(n + 1)^2$ rows of `features`; a query reads 4 rows of each.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 2 to 4.
        resolution: Cells along each axis: one value for all axes, or one per axis.
        features: Channels: 1, 2, 4, or a multiple of 8 up to 512.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the initial values, U(-1e-4, 1e-4). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = TriPlane(3, resolution=[20, 30, 40], features=16, generator=g)
        >>> encoding(torch.zeros(5, 3)).shape, len(encoding.factors)
        (torch.Size([5, 16]), 3)

    Reference:
        Chan et al., Efficient Geometry-aware 3D Generative Adversarial Networks, CVPR 2022, section
        3.2. Their planes are the output of a generator; ours are trained. The extension to four
        coordinates, with all pairs, is ours.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        features: int = 32,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, low=2, high=MAX_DIM)
        check_features(self, features=features)
        check_interpolation(self, interpolation)
        cells = resolution_per_axis(self, in_dim, "resolution", resolution)
        self.in_dim, self.out_dim = in_dim, features
        self.resolution = plain(resolution)
        self.features = features
        self.interpolation = interpolation
        self.axes = list(combinations(range(in_dim), 2))
        self.levels, self.factors = [], nn.ParameterList()
        for a, b in self.axes:
            levels, plane = new_factor(
                self, [(cells[a], cells[b])], features, (-1e-4, 1e-4), generator
            )
            self.levels.append(levels)
            self.factors.append(plane)

    def _combine(self, features: list[Tensor]) -> Tensor:
        return reduce(torch.add, features)

    def _combine_jets(self, features: list[Jet]) -> Jet:
        return reduce(rules.add, features)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "features": self.features,
            "interpolation": self.interpolation,
        }
