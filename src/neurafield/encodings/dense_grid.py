"""Dense grids: a row of features at every vertex."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..kernels.grid import make_levels
from ._grid import AbstractGrid, check_grid, new_table, plain, resolution_per_axis


class DenseGrid(AbstractGrid):
    r"""Interpolate trained features between the vertices of a grid.

    $y(x) = \sum_c \prod_a w_{c,a}(x)\, T_c$ over the $2^d$ vertices $c$ of the cell around $x$; the
    weight of the upper vertex on an axis is $t$ (linear) or $t^2(3 - 2t)$ (smoothstep), with $t \in
    [0, 1]$ the position in the cell. The first and last vertices are at -1 and 1. Outside, the
    border value is repeated; a NaN coordinate gives NaN features and no gradient.

    Use when detail is spread evenly and the grid fits into memory. Fails when much of the box is
    empty, or at high resolution in three or more dimensions: the number of rows grows exponentially
    with the dimension.

    Cost: $\prod_a (n_a + 1)$ rows of `features` for $n_a$ cells along axis $a$; a query reads $2^d$
    of them.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        resolution: Cells along each axis: one value for all axes, or one per axis. Each axis has
            one more vertex than cells.
        features: Channels: 1, 2, 4 or 8.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        sparse: True makes the gradient of the table a sparse tensor of the rows that were read, for
            large tables and small batches. The optimizer must support it.
        generator: Source of the initial values, U(-1e-4, 1e-4). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> DenseGrid(2, resolution=[30, 40], features=4, generator=g)(torch.zeros(3, 2)).shape
        torch.Size([3, 4])

    Reference:
        Bilinear sampling as in Jaderberg et al., Spatial Transformer Networks, NeurIPS 2015,
        section 3.3; `torch.nn.functional.grid_sample(align_corners=True)` in 2-D and 3-D, except
        that our axes are ordered as in the array. Smoothstep: Müller et al., Instant Neural
        Graphics Primitives, SIGGRAPH 2022, appendix A.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        features: int = 2,
        interpolation: str = "linear",
        sparse: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_grid(
            self, in_dim=in_dim, features=features, interpolation=interpolation, sparse=sparse
        )
        self.in_dim = in_dim
        self.resolution = plain(resolution)
        self.features = features
        self.interpolation = interpolation
        self.sparse = sparse
        self.out_dim = features
        self.levels = make_levels(
            [resolution_per_axis(self, in_dim, "resolution", resolution)], max_rows=None
        )
        self.table = new_table(self, self.levels, features, generator)

    def rows(self) -> Float[Tensor, "rows features"]:
        return self.table

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "features": self.features,
            "interpolation": self.interpolation,
            "sparse": self.sparse,
        }
