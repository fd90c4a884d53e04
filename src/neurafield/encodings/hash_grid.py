"""Multiresolution hash grids."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, owner_name
from ..kernels.grid import MAX_LEVELS, make_levels
from ._grid import AbstractGrid, check_grid, new_table, plain, resolution_per_axis


class HashGrid(AbstractGrid):
    r"""Interpolate trained features in grids of growing resolution; fine levels are hashed.

    Level $l$ has $N_l = \lfloor N_{\min} b^l \rfloor$ cells along an axis, with $b = (N_{\max} /
    N_{\min})^{1/(L-1)}$, and is interpolated as in `DenseGrid`. A level with more vertices than
    $2^{\text{log2\_table\_size}}$ shares rows: vertex $i$ has row $\bigoplus_a i_a \pi_a$ modulo
    the table size, or $i$ modulo a tile. The output concatenates all levels, coarsest first.

    Use when detail is uneven and a small network follows, which resolves collisions; such a field
    trains far faster than a large network alone.
    Fails when smoothness matters: collisions show as grain, and linear interpolation has no second
    derivative along an axis.

    Cost: at most `2**log2_table_size` rows of `features` per level; a query reads $2^d$ rows of
        each.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        num_levels: Number of levels $L$, up to 64.
        features: Channels of each level: 1, 2, 4 or 8. The output has `num_levels * features`.
        log2_table_size: Maximum rows per level, as a power of two; 1 to 32.
        base_resolution: Cells of the coarsest level along each axis, one value for all or one per
            axis.
        finest_resolution: Cells of the finest level, likewise. About the number of samples along
            the axis works well.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        overflow: Rule by which levels with too many vertices share rows: "hashed", or "tiled",
            which repeats the rows over the box.
        sparse: True makes the gradient of the table a sparse tensor of the rows that were read, for
            large tables and small batches. The optimizer must support it.
        generator: Source of the initial values, U(-1e-4, 1e-4). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, the finest level is coarser than the coarsest, or a
            name is unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = HashGrid(2, num_levels=8, finest_resolution=[384, 512], generator=g)
        >>> encoding(torch.zeros(3, 2)).shape
        torch.Size([3, 16])

    Reference:
        Müller et al., Instant Neural Graphics Primitives with a Multiresolution Hash Encoding,
        SIGGRAPH 2022, equations 2 to 4. We differ in three ways: the first and last vertices are on
        the border, while their code shifts each level by half a cell; each axis has its own
        resolution; and the prime 1 of the hash belongs to the last axis, which is their x.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        num_levels: int = 16,
        features: int = 2,
        log2_table_size: int = 15,
        base_resolution: int | Sequence[int] = 16,
        finest_resolution: int | Sequence[int] = 512,
        interpolation: str = "linear",
        overflow: str = "hashed",
        sparse: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_grid(
            self, in_dim=in_dim, features=features, interpolation=interpolation, sparse=sparse
        )
        check_count(self, num_levels=num_levels, high=MAX_LEVELS)
        check_count(self, log2_table_size=log2_table_size, high=32)
        if overflow not in ("hashed", "tiled"):
            raise ValueError(
                f"HashGrid: expected overflow to be hashed or tiled, got {overflow!r}."
            )
        base = resolution_per_axis(self, in_dim, "base_resolution", base_resolution)
        finest = resolution_per_axis(self, in_dim, "finest_resolution", finest_resolution)
        resolutions = growing_resolutions(base, finest, num_levels)
        self.in_dim = in_dim
        self.num_levels = num_levels
        self.features = features
        self.log2_table_size = log2_table_size
        self.base_resolution = plain(base_resolution)
        self.finest_resolution = plain(finest_resolution)
        self.interpolation = interpolation
        self.overflow = overflow
        self.sparse = sparse
        self.out_dim = num_levels * features
        self.levels = make_levels(resolutions, max_rows=2**log2_table_size, overflow=overflow)
        self.table = new_table(self, self.levels, features, generator)

    def rows(self) -> Float[Tensor, "rows features"]:
        return self.table

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_levels": self.num_levels,
            "features": self.features,
            "log2_table_size": self.log2_table_size,
            "base_resolution": self.base_resolution,
            "finest_resolution": self.finest_resolution,
            "interpolation": self.interpolation,
            "overflow": self.overflow,
            "sparse": self.sparse,
        }


def growing_resolutions(
    base: Sequence[int], finest: Sequence[int], num_levels: int, *, owner: object = "HashGrid"
) -> list[tuple[int, ...]]:
    """Cells along each axis of each level, growing by a constant factor between levels."""
    for first, last in zip(base, finest, strict=True):
        if last < first:
            raise ValueError(
                f"{owner_name(owner)}: expected finest_resolution to be at least base_resolution, "
                f"got {last} after {first}."
            )
        if num_levels == 1 and last != first:
            raise ValueError(
                f"{owner_name(owner)}: expected equal base and finest resolutions of a single "
                f"level, got {first} and {last}."
            )
    # Exact at both ends; the factor keeps a power that is an integer from being rounded down.
    return [
        tuple(
            math.floor(first * (last / first) ** (level / max(1, num_levels - 1)) * (1 + 1e-12))
            for first, last in zip(base, finest, strict=True)
        )
        for level in range(num_levels)
    ]
