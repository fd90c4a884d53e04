"""Sparse multiresolution grids: rows of features near occupied cells only."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ..kernels.grid import INTERPOLATIONS, MAX_DIM, grid_interpolate, grid_jet, indexed_levels
from ._base import AbstractEncoding
from ._grid import MAX_ROWS, plain, resolution_per_axis
from .octree import MAX_LEVELS, Octree


class SparseGrid(AbstractEncoding):
    r"""Sum interpolated features over the levels of an octree, stored at occupied cells only.

    $y(x) = \sum_l \sum_c \prod_a w_{l,c,a}(x)\, T_{l,c}$: each level $l$, with $2^l$ times as many
    cells per axis as the coarsest, is interpolated as in `DenseGrid`, with $T_{l,c} = 0$ for
    vertices $c$ of no occupied cell. So $y$ is continuous, and fades to zero over the cells next to
    occupied ones. Outside [-1, 1] the border value is repeated; a NaN coordinate gives NaN features
    and no gradient. Level of detail `l` sums levels 0 to `l`.

    Use when detail fills a small, known part of the box: near a surface, at edges of a picture.
    Fails when that part is not known before the fit: nothing is learned where no cell is occupied.

    Cost: $f$ values and a key of 8 bytes per stored vertex; the compiled version adds an index of 2
        bits per vertex of each full level. A query reads $2^d$ rows of each level, each found by
        one access to that index (without it, by binary search).

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        base_resolution: Cells of the coarsest level along each axis, one value for all or one per
            axis.
        num_vertices: Number of stored vertices of each level, coarsest first.
        features: Channels, the same for all levels since they are summed, so that one network reads
            any level of detail.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the initial values, U(-1e-4, 1e-4). None uses torch's global one.

    Use `SparseGrid.from_octree(octree, features=4)` to build one; build an `Octree` with
    `from_points`, `from_cells`, `from_mask` or `from_detail`. The constructor alone, as used when a
    file is read, stores the first vertices of each level; the actual ones are in the state.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> points = torch.tensor([[0.5, 0.5], [0.7, 0.5]])
        >>> tree = Octree.from_points(points, base_resolution=4, num_levels=3)
        >>> grid = SparseGrid.from_octree(tree, features=4)
        >>> grid(torch.zeros(3, 2)).shape, grid.num_vertices
        (torch.Size([3, 4]), [4, 4, 6])

    Reference:
        Takikawa et al., Neural Geometric Level of Detail, CVPR 2021, equation 2. We differ in that
        any point can be queried; theirs reads inside occupied cells of the finest level only.
    """

    keys: Tensor

    def __init__(
        self,
        in_dim: int,
        *,
        base_resolution: int | Sequence[int],
        num_vertices: Sequence[int],
        features: int = 4,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=MAX_DIM)
        check_count(self, features=features, high=2**10)
        check_count(self, num_levels=len(num_vertices), high=MAX_LEVELS)
        for count in num_vertices:
            check_count(self, num_vertices=count, high=MAX_ROWS)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"SparseGrid: expected interpolation to be {' or '.join(INTERPOLATIONS)}, got "
                f"{interpolation!r}."
            )
        self.in_dim, self.out_dim = in_dim, features
        self.base_resolution = plain(base_resolution)
        self.num_vertices = list(num_vertices)
        self.interpolation = interpolation
        base = resolution_per_axis(self, in_dim, "base_resolution", base_resolution)
        self.cells = [tuple(side << level for side in base) for level in range(self.num_lods)]
        all_vertices = [prod(side + 1 for side in cells) for cells in self.cells]
        if sum(all_vertices) > 2**62:
            raise ValueError(
                f"SparseGrid: expected at most 2^62 vertices in whole levels, got {self.cells[-1]} "
                "cells. Use fewer levels."
            )
        for level, (stored, whole) in enumerate(zip(num_vertices, all_vertices, strict=True)):
            if stored > whole:
                raise ValueError(
                    f"SparseGrid: expected num_vertices of level {level} up to {whole}, got "
                    f"{stored}."
                )
        self.levels = indexed_levels(self.cells, num_vertices)
        indices = [torch.arange(n) for n in num_vertices]
        self.register_buffer("keys", self._joined(indices))
        first = torch.empty(sum(num_vertices), features)
        self.table = nn.Parameter(first.uniform_(-1e-4, 1e-4, generator=generator))

    @classmethod
    def from_octree(
        cls,
        octree: Octree,
        *,
        features: int = 4,
        interpolation: str = "linear",
        generator: torch.Generator | None = None,
    ) -> "SparseGrid":
        """A grid that stores the vertices of an octree's cells.

        Args:
            octree: Occupied cells, from points, cells, a mask or a signal.
            features: Channels, the same for all levels.
            interpolation: "linear" or "smoothstep".
            generator: Source of the initial values. None uses torch's global one.

        Raises:
            TypeError: If it is not an `Octree`.
            ValueError: If `features` is out of range, or the interpolation unknown.

        Example:
            >>> points = torch.nn.functional.normalize(torch.randn(1000, 3), dim=-1)
            >>> tree = Octree.from_points(points, base_resolution=4, num_levels=5)
            >>> SparseGrid.from_octree(tree, features=8)(torch.zeros(7, 3)).shape
            torch.Size([7, 8])
        """
        if not isinstance(octree, Octree):
            raise TypeError(
                f"SparseGrid.from_octree: expected an Octree, got {type(octree).__name__}. Make "
                "one of points with Octree.from_points."
            )
        keys = octree.vertex_keys()
        grid = cls(
            len(octree.base_resolution),
            base_resolution=list(octree.base_resolution),
            num_vertices=[len(level) for level in keys],
            features=features,
            interpolation=interpolation,
            generator=generator,
        )
        grid.keys = grid._joined(keys)
        return grid

    def _joined(self, indices: Sequence[Int64[Tensor, " _"]]) -> Int64[Tensor, " rows"]:
        pairs = zip(self.levels.first_keys, indices, strict=True)
        return torch.cat([first + own for first, own in pairs])

    def check_state(self) -> None:
        """Require ascending keys on each level that name vertices of that level."""
        firsts = self.levels.first_keys
        for level, (first, own) in enumerate(
            zip(firsts, self.keys.split(self.num_vertices), strict=True)
        ):
            whole = prod(side + 1 for side in self.cells[level])
            within = own[0] >= first and own[-1] < first + whole
            if not (within and bool((own.diff() > 0).all())):
                raise ValueError(
                    f"SparseGrid: expected ascending keys of level {level}, from {first} "
                    f"to {first + whole - 1}, got others."
                )

    @property
    def num_lods(self) -> int:
        """Number of levels."""
        return len(self.num_vertices)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return grid_interpolate(
            x,
            self.table,
            self.levels.first(self.lod + 1),
            interpolation=self.interpolation,
            keys=self.keys,
            added=True,
        )

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        levels = self.levels.first(self.lod + 1)
        value, jacobian, hessian = grid_jet(
            x.value,
            self.table,
            levels,
            interpolation=self.interpolation,
            keys=self.keys,
            added=True,
        )
        return rules.chain(x, value, jacobian, hessian)

    def tables(self) -> list[Tensor]:
        return [self.table]

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "base_resolution": self.base_resolution,
            "num_vertices": self.num_vertices,
            "features": self.out_dim,
            "interpolation": self.interpolation,
        }
