"""VM factors: a tensor as a sum of products of a line along an axis and a plane across it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_count
from ..derivatives import Jet, rules
from ._factors import MAX_AXES, AbstractFactors, check_features, new_factor
from ._grid import check_interpolation, plain, resolution_per_axis


class VMFactors(AbstractFactors):
    r"""Products of a trained line along an axis and a plane across it, for each axis.

    $y_{a,r}(x) = v_{r,a}(x_a)\, M_{r,a}(x_{b \ne a})$, with lines and planes interpolated between
    their vertices. The output holds the components of axis 0, then those of axis 1, and so on; the
    network that follows mixes them. In two dimensions the planes are lines, and this is `CPFactors`
    with twice the components. Outside [-1, 1] the border value is repeated; a NaN coordinate gives
    NaN features.

    Use when a volume has too much detail for lines, and its dense grid is too large.
    Fails when detail is not aligned with the axes, which takes many components. Does not support
    four coordinates, where the planes would be volumes; `KPlanes` does.

    Cost: in 3-D, three lines of $n + 1$ and three planes of $(n + 1)^2$ rows of `components`; a
    query reads 2 rows of each line and 4 of each plane.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 2 or 3.
        resolution: Cells along each axis: one value for all axes, or one per axis.
        components: Components per axis: 1, 2, 4, or a multiple of 8 up to 512. The output has
            `in_dim * components`.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the initial values, U(-0.2, 0.2). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = VMFactors(3, resolution=[20, 30, 40], components=8, generator=g)
        >>> encoding(torch.zeros(5, 3)).shape
        torch.Size([5, 24])

    Reference:
        Chen et al., TensoRF: Tensorial Radiance Fields, ECCV 2022, equations 3 and 9. Their density
        is the sum of all components and their appearance a matrix times them; here both are left to
        the network.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        components: int = 16,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, low=2, high=MAX_AXES + 1)
        check_features(self, components=components)
        check_interpolation(self, interpolation)
        cells = resolution_per_axis(self, in_dim, "resolution", resolution)
        self.in_dim, self.out_dim = in_dim, in_dim * components
        self.resolution = plain(resolution)
        self.components = components
        self.interpolation = interpolation
        self.axes = []
        for axis in range(in_dim):
            across = tuple(other for other in range(in_dim) if other != axis)
            self.axes += [(axis,), across]
        self.levels, self.factors = [], nn.ParameterList()
        for axes in self.axes:
            sizes = [[cells[axis] for axis in axes]]
            levels, factor = new_factor(self, sizes, components, (-0.2, 0.2), generator)
            self.levels.append(levels)
            self.factors.append(factor)

    def _combine(self, features: list[Tensor]) -> Tensor:
        lines, across = features[::2], features[1::2]
        return torch.cat([v * m for v, m in zip(lines, across, strict=True)], dim=-1)

    def _combine_jets(self, features: list[Jet]) -> Jet:
        lines, across = features[::2], features[1::2]
        return rules.concat([rules.product(v, m) for v, m in zip(lines, across, strict=True)])

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "components": self.components,
            "interpolation": self.interpolation,
        }
