"""Octrees and quadtrees: the occupied cells of grids, level by level."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from .._checks import check_count
from ._grid import resolution_per_axis

MAX_LEVELS = 24


@dataclass(frozen=True, eq=False)
class Octree:
    """Occupied cells per level: a quadtree in two dimensions, an octree in three.

    Args:
        base_resolution: Cells of the coarsest level along each axis; level `l` has `2^l` times as
            many.
        cells: Indices of the occupied cells of each level, shape `(n, d)`.

    Example:
        >>> tree = Octree.from_points(torch.tensor([[0.1, 0.1]]), base_resolution=2, num_levels=2)
        >>> [cells.tolist() for cells in tree.cells], tree.num_vertices
        ([[[1, 1]], [[2, 2]]], [4, 4])

    Reference:
        Takikawa et al., Neural Geometric Level of Detail, CVPR 2021, section 3.1.
    """

    base_resolution: tuple[int, ...]
    cells: tuple[Int64[Tensor, "_ d"], ...]

    @classmethod
    def from_cells(
        cls,
        finest: Int64[Tensor, "n d"],
        *,
        base_resolution: int | Sequence[int],
        num_levels: int,
    ) -> "Octree":
        """Build the tree from the occupied cells of the finest level; coarser levels hold their
        ancestors.

        Raises:
            ValueError: If there is no cell, or one is outside the grid.
        """
        if finest.ndim != 2 or not len(finest):
            raise ValueError(f"Octree: expected cells of shape (n, d), got {tuple(finest.shape)}.")
        check_count("Octree", high=MAX_LEVELS, num_levels=num_levels)
        base = resolution_per_axis("Octree", finest.shape[1], "base_resolution", base_resolution)
        sides = torch.tensor(base) * 2 ** (num_levels - 1)
        if not bool(((finest >= 0) & (finest < sides)).all()):
            raise ValueError(
                f"Octree: expected cells from 0 to below {sides.tolist()}, got {finest.min()} to "
                f"{finest.max()}."
            )
        shifts = range(num_levels - 1, -1, -1)
        return cls(base, tuple(torch.unique(finest >> shift, dim=0) for shift in shifts))

    @classmethod
    def from_points(
        cls,
        points: Float[Tensor, "n d"] | Float[np.ndarray, "n d"],
        *,
        base_resolution: int | Sequence[int],
        num_levels: int,
    ) -> "Octree":
        """Build the tree of the cells that contain points, such as samples of a surface.

        Points outside [-1, 1] are ignored.

        Args:
            points: Points as rows of a tensor or array.
            base_resolution: Cells of the coarsest level along each axis, one value for all or one
                per axis.
            num_levels: Number of levels, 1 to 24.

        Raises:
            ValueError: If no point is inside, or a size is out of range.
        """
        points = torch.as_tensor(points)
        if points.ndim != 2:
            raise ValueError(f"Octree: expected points of shape (n, d), got {tuple(points.shape)}.")
        check_count("Octree", high=MAX_LEVELS, num_levels=num_levels)
        base = resolution_per_axis("Octree", points.shape[1], "base_resolution", base_resolution)
        sides = torch.tensor(base) * 2 ** (num_levels - 1)
        inside = points[(points.abs() <= 1).all(-1)].double().cpu()
        if not len(inside):
            raise ValueError(
                f"Octree: expected points in [-1, 1] on every axis, got {len(points)} and none "
                "there. Shift and scale them to the box."
            )
        cells = ((inside + 1) * (sides / 2)).long().clamp(max=sides - 1)
        return cls.from_cells(cells, base_resolution=list(base), num_levels=num_levels)

    @classmethod
    def from_mask(cls, mask: Bool[Tensor, "..."], *, num_levels: int) -> "Octree":
        """Build the tree from a mask with one entry per cell of the finest level.

        Raises:
            ValueError: If the mask cannot be halved often enough, or is false everywhere.
        """
        check_count("Octree", high=MAX_LEVELS, num_levels=num_levels)
        factor = 2 ** (num_levels - 1)
        if any(side % factor for side in mask.shape):
            raise ValueError(
                f"Octree: expected a mask with sides that {factor} divides, got "
                f"{tuple(mask.shape)}."
            )
        base = [side // factor for side in mask.shape]
        return cls.from_cells(mask.nonzero(), base_resolution=base, num_levels=num_levels)

    @classmethod
    def from_detail(
        cls,
        values: NDArray[np.floating],
        *,
        base_resolution: int | Sequence[int],
        num_levels: int,
        max_vertices: int,
    ) -> "Octree":
        r"""Build a tree that is fine where a signal has detail, within a budget.

        The coarsest level is fully occupied. Cells are split in the order of their error: the sum
        of squared residuals of the best affine fit to their samples. The error of a child is never
        larger than that of its parent, so the cells above any threshold form a tree.

        Args:
            values: Signal on a regular grid: one axis per coordinate, then the channels.
            base_resolution: Cells of the coarsest level along each axis.
            num_levels: Maximum number of levels.
            max_vertices: Maximum number of vertices of all levels together; at least those of the
                coarsest.
        """
        check_count("Octree", high=MAX_LEVELS, num_levels=num_levels)
        base = resolution_per_axis("Octree", values.ndim - 1, "base_resolution", base_resolution)
        low = prod(side + 1 for side in base)
        check_count("Octree", low=low, high=2**36, max_vertices=max_vertices)
        left: list[NDArray[np.float64]] = []
        for level in range(num_levels - 1):
            own = _left_by_affine(values, [side << level for side in base])
            if left:
                # A child's error is at most its parent's, up to rounding.
                above = left[-1]
                for axis in range(above.ndim):
                    above = above.repeat(2, axis)
                own = np.minimum(own, above)
            left.append(own)
        everything = np.concatenate([np.zeros(0), *(own.ravel() for own in left)])
        # Stable, so that a parent comes before its children where errors are equal.
        order = np.argsort(-everything, kind="stable")[:max_vertices]
        order = order[everything[order] > 0]
        ends = np.cumsum([own.size for own in left])

        def tree(count: int) -> Octree:
            chosen = np.sort(order[:count])
            cells = [_all_cells(base)]
            for own, part in zip(
                left, np.split(chosen, np.searchsorted(chosen, ends)), strict=False
            ):
                first = 0 if own is left[0] else int(ends[len(cells) - 2])
                if not len(part):
                    break
                split = np.stack(np.unravel_index(part - first, own.shape), axis=-1)
                cells.append(_corners(2 * torch.from_numpy(split)))
            return cls(base, tuple(cells))

        low, high = 0, len(order) + 1
        while high - low > 1:
            middle = (low + high) // 2
            fits = sum(tree(middle).num_vertices) <= max_vertices
            low, high = (middle, high) if fits else (low, middle)
        return tree(low)

    def vertex_keys(self) -> list[Int64[Tensor, " _"]]:
        """Vertices of the occupied cells of each level, as row-major indices into its grid."""
        keys = []
        for level, cells in enumerate(self.cells):
            vertices = _corners(cells)
            key = vertices[:, 0]
            for axis in range(1, len(self.base_resolution)):
                key = key * ((self.base_resolution[axis] << level) + 1) + vertices[:, axis]
            keys.append(key.unique())
        return keys

    @property
    def num_vertices(self) -> list[int]:
        """Number of vertices of the occupied cells of each level."""
        return [len(keys) for keys in self.vertex_keys()]


def _all_cells(sides: Sequence[int]) -> Int64[Tensor, "n d"]:
    return torch.from_numpy(np.indices(sides).reshape(len(sides), -1).T.copy())


def _corners(cells: Int64[Tensor, "n d"]) -> Int64[Tensor, "m d"]:
    """Vertices of cells; for doubled cell indices, their children."""
    offsets = torch.tensor(list(product((0, 1), repeat=cells.shape[1])))
    return (cells[:, None] + offsets).flatten(0, 1)


def _left_by_affine(values: NDArray[np.floating], sides: Sequence[int]) -> NDArray[np.float64]:
    """Sum of squared residuals of the best affine fit to a signal in each cell."""
    shape = values.shape[:-1]
    # Samples lie at the centres of equal parts of [-1, 1]. Those of a cell form a grid, so the
    # slopes along its axes are independent.
    where = [(2 * np.arange(n) + 1) * side // (2 * n) for n, side in zip(shape, sides, strict=True)]
    cell = np.ravel_multi_index(np.ix_(*where), tuple(sides)).ravel()
    total = prod(sides)
    count = np.maximum(np.bincount(cell, minlength=total), 1)
    left = np.zeros(total)
    axes = []
    for axis, n in enumerate(shape):
        offset = np.broadcast_to(
            np.arange(n, dtype=float).reshape([-1 if a == axis else 1 for a in range(len(shape))]),
            shape,
        ).ravel()
        offset = offset - (np.bincount(cell, offset, total) / count)[cell]
        axes.append((offset, np.bincount(cell, offset**2, total)))
    for channel in np.moveaxis(values, -1, 0):
        own = channel.ravel().astype(float)
        own = own - (np.bincount(cell, own, total) / count)[cell]
        left += np.bincount(cell, own**2, total)
        for offset, spread in axes:
            slope = np.bincount(cell, own * offset, total)
            left -= np.divide(slope**2, spread, out=np.zeros(total), where=spread > 0)
    # The residual of a constant is rounding, about 1e-16 of its square.
    left[left < 1e-12 * np.square(values, dtype=float).sum()] = 0
    return left.reshape(sides)
