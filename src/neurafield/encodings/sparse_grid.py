"""A multiresolution grid with rows of features near occupied cells only."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ..kernels.grid import INTERPOLATIONS, MAX_DIM
from ._base import AbstractEncoding
from ._grid import MAX_ROWS, plain, resolution_per_axis
from .octree import MAX_LEVELS, Octree


class SparseGrid(AbstractEncoding):
    r"""Add interpolated features of the levels of an octree, stored where it is occupied.

    $y(x) = \sum_l \sum_c \prod_a w_{l,c,a}(x)\, T_{l,c}$: each level $l$, of $2^l$ times as many
    cells as the coarsest, is read as a `DenseGrid` is, with $T_{l,c} = 0$ for each vertex $c$ that
    belongs to no occupied cell. So reads are continuous, and fade to zero over the cells next to
    the occupied ones. Beyond [-1, 1] the border's value goes on; a NaN coordinate gives NaN
    features and no gradient. Level of detail `l` adds up the levels from 0 to `l`.

    Use when detail is in a small part of the box and where it is known: near a surface, at edges
    of a picture. Fails when it is not known before the fit: nothing is learned where no cell is
    occupied.

    Cost: $f$ numbers and a key of 8 bytes for each vertex; a query reads $2^d$ rows of each level,
    after a binary search for each.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        base_resolution: Cells of the coarsest level along each axis, one number for all or one for
            each.
        num_vertices: Stored vertices of each level, the coarsest first.
        features: Channels, the same for all levels since these are added: a network reads the
            field at any level of detail.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        generator: Source of the first values, U(-1e-4, 1e-4). None takes torch's global one.

    Built from these alone it stores the first vertices of each level; which ones are really
    stored is in its state. A new one is made by `from_octree`.

    Raises:
        ValueError: If a size is out of range, or the interpolation unknown.

    Example:
        >>> points = torch.tensor([[0.5, 0.5], [0.6, 0.5]])
        >>> tree = Octree.from_points(points, base_resolution=4, num_levels=3)
        >>> grid = SparseGrid.from_octree(tree, features=4)
        >>> grid(torch.zeros(3, 2)).shape, grid.num_vertices
        (torch.Size([3, 4]), [4, 4, 6])

    Reference:
        Takikawa et al., Neural Geometric Level of Detail, CVPR 2021, equation 2. We differ in
        that each query is answered: theirs reads inside occupied cells of its finest level only.
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
        # A vertex's key is its number, row by row and level by level; keys ascend.
        self.first_keys = [sum(all_vertices[:level]) for level in range(self.num_lods)]
        if sum(all_vertices) > 2**62:
            raise ValueError(
                f"SparseGrid: expected at most 2^62 vertices in whole levels, got {self.cells[-1]} "
                "cells. Take fewer levels."
            )
        for level, (stored, whole) in enumerate(zip(num_vertices, all_vertices, strict=True)):
            if stored > whole:
                raise ValueError(
                    f"SparseGrid: expected num_vertices of level {level} up to {whole}, got "
                    f"{stored}."
                )
        numbers = [torch.arange(n) for n in num_vertices]
        self.register_buffer("keys", self._joined(numbers))
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
        """A grid that stores the vertices of an octree's cells; arguments as above."""
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

    def _joined(self, numbers: Sequence[Int64[Tensor, " _"]]) -> Int64[Tensor, " rows"]:
        return torch.cat([first + own for first, own in zip(self.first_keys, numbers, strict=True)])

    @property
    def num_lods(self) -> int:
        """The levels."""
        return len(self.num_vertices)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        # The jet's first stream, so that the formula stands here once.
        check_last_axis(self, x, self.in_dim)
        return self._read(Jet(x[None], x.new_zeros(0, 0))).value

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return self._read(x)

    def _read(self, x: Jet) -> Jet:
        nan = x.value.isnan()
        known = torch.where(nan, 0, x.value)
        # In float32 a position at 512 cells would be off by 3e-5 of a cell. (MPS has no float64.)
        wide = torch.float32 if x.value.device.type == "mps" else torch.float64
        inside = known.clamp(-1, 1).to(wide)
        # A place in a cell is affine in the coordinate; beyond the border nothing moves.
        moving = torch.where((known.abs() <= 1) & ~nan, x.streams[1:], 0)
        parts = []
        for cells, first_key in zip(
            self.cells[: self.lod + 1], self.first_keys[: self.lod + 1], strict=True
        ):
            sides = torch.tensor(cells, dtype=wide, device=inside.device)
            position = (inside + 1) * (sides / 2)
            cell = position.detach().floor().minimum(sides - 1)
            place = (position - cell).to(x.value.dtype)
            local = Jet(torch.cat([place[None], moving * (sides / 2).to(place)]), x.weights)
            weights = _corner_weights(local, self.interpolation)
            key = first_key + _corner_numbers(cell.long(), cells)
            # The zero gives it the axis of keys that vmap stacked; torch would warn of a copy.
            row = torch.searchsorted(self.keys, key + 0 * self.keys[:1])
            row = row.clamp(max=len(self.keys) - 1)
            features = torch.where((self.keys[row] == key)[..., None], self.table[row], 0)
            parts.append(torch.einsum("p...t,...tf->p...f", weights.streams, features))
        streams = torch.stack(parts).sum(0)
        return Jet(torch.where(nan.any(-1, keepdim=True), torch.nan, streams), x.weights)

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


def _corner_weights(place: Jet, interpolation: str) -> Jet:
    """Products over the axes of each side's weight, the last axis fastest."""
    ahead = place
    if interpolation == "smoothstep":
        ahead = rules.elementwise(
            place, lambda t: t * t * (3 - 2 * t), lambda t: 6 * t * (1 - t), lambda t: 6 - 12 * t
        )
    value = ahead.value
    sides = Jet(
        torch.stack([torch.cat([1 - value[None], -ahead.streams[1:]]), ahead.streams], dim=-1),
        ahead.weights,
    )
    found = Jet(sides.streams[..., 0, :], sides.weights)
    for axis in range(1, value.shape[-1]):
        side = Jet(sides.streams[..., axis, None, :], sides.weights)
        found = rules.product(Jet(found.streams[..., None], found.weights), side)
        found = Jet(found.streams.flatten(-2), found.weights)
    return found


def _corner_numbers(
    cell: Int64[Tensor, "*batch d"], cells: Sequence[int]
) -> Int64[Tensor, "*batch taps"]:
    """Row-major numbers of a cell's vertices, in the order of the weights."""
    number = torch.zeros_like(cell[..., :1])
    sides = torch.arange(2, device=cell.device)
    for axis, count in enumerate(cells):
        vertex = cell[..., axis, None] + sides
        number = (number[..., :, None] * (count + 1) + vertex[..., None, :]).flatten(-2)
    return number
