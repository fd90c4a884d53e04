"""Interpolation in multiresolution grids as one operation."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..._transforms import sees_operations
from .. import dispatch
from . import native, reference
from .jet import grid_jet as grid_jet
from .levels import KINDS as KINDS
from .levels import MAX_CELLS as MAX_CELLS
from .levels import MAX_INDEXED as MAX_INDEXED
from .levels import Level as Level
from .levels import Levels as Levels
from .levels import indexed_levels as indexed_levels
from .levels import make_levels as make_levels

INTERPOLATIONS = reference.INTERPOLATIONS
"""Names of the interpolations that every version has."""

FEATURES = (1, 2, 4, 8)
"""Features of a row that the compiled version is made for; others run on the reference."""

MAX_DIM, MAX_LEVELS = 4, 64
"""Coordinates and levels that the compiled version is made for."""


def grid_interpolate(
    x: Float[Tensor, "*batch dim"],
    table: Float[Tensor, "rows features"],
    levels: Levels,
    *,
    interpolation: str = "linear",
    sparse: bool = False,
    keys: Int64[Tensor, " keys"] | None = None,
    added: bool = False,
) -> Float[Tensor, "*batch out_dim"]:
    r"""Features of every level at every point, interpolated between the vertices of its cell.

    $y_l(x) = \sum_c \prod_a w_{c,a}(x)\, T[\mathrm{row}_l(c)]$ over the $2^d$ corners $c$ of the
    cell of level $l$ around $x$. Along axis $a$, at place $t \in [0, 1]$ in the cell, the corner
    ahead has the weight $t$ (linear) or $t^2 (3 - 2t)$ (smoothstep), the one behind the rest.

    Beyond [-1, 1] the border's value goes on, with gradient zero; on the border and on the faces
    of cells the derivative is that of the cell ahead, or of the last one. A point with a NaN
    coordinate has NaN features and adds nothing to any gradient.

    Differentiable to any order in both tensors; first derivatives are compiled, higher ones go
    through the reference. Linear interpolation has no second derivative along a single axis,
    smoothstep one that jumps at the faces of cells. Each row's gradient is summed in the order of
    the points, whatever the number of threads.

    Args:
        x: Coordinates in [-1, 1].
        table: All levels' rows, one level after the other. What comes behind is not read: rows of
            finer levels, where `levels` are the first of a grid.
        levels: How the rows make grids; see `make_levels`.
        interpolation: A name from `INTERPOLATIONS`.
        sparse: Whether the table's gradient is a sparse tensor of the rows that were touched. With
            the compiled version its cost does not depend on the size of the table. Gradients that
            are to be differentiated again are dense, and so are those of `torch.func` and
            `torch.compile`.
        keys: For each row of an indexed level the number of its vertex: row by row, and on from
            one indexed level to the next; they ascend. All other vertices count as zero. Entries
            for rows of other levels are not read. None if no level is indexed.
        added: Whether the levels' features are added up.

    Returns:
        `len(levels.levels) * features` channels, level by level; `features` if they are added.

    Raises:
        ValueError: If shapes do not fit the levels, the interpolation is unknown, or keys are
            missing.

    Example:
        >>> levels = make_levels([[2]], max_rows=None)
        >>> table = torch.tensor([[0.0], [10.0], [30.0]])
        >>> grid_interpolate(torch.tensor([[-1.0], [0.0], [0.5]]), table, levels).flatten()
        tensor([ 0., 10., 20.])
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"grid_interpolate: expected interpolation to be {' or '.join(INTERPOLATIONS)}, got "
            f"{interpolation!r}."
        )
    if not x.ndim or x.shape[-1] != levels.dim:
        raise ValueError(
            f"grid_interpolate: expected coordinates of shape (..., {levels.dim}), got "
            f"{tuple(x.shape)}."
        )
    if table.ndim != 2 or table.shape[0] < levels.num_rows or not table.shape[1]:
        raise ValueError(
            f"grid_interpolate: expected a table of shape ({levels.num_rows} or more, features), "
            f"got {tuple(table.shape)}."
        )
    if levels.indexed and (keys is None or keys.ndim != 1 or len(keys) < levels.num_rows):
        found = "none" if keys is None else f"shape {tuple(keys.shape)}"
        raise ValueError(
            f"grid_interpolate: expected {levels.num_rows} or more keys for levels that are "
            f"indexed, got {found}."
        )
    unserved = _beyond_compiled(table.shape[1], levels)
    if dispatch.use_native("grid_interpolate", x, table, unserved=unserved):
        return native.grid_interpolate(x, table, levels, interpolation, sparse, keys, added)
    if sparse and not sees_operations():
        table = _SparseGradient.apply(table)
    return reference.grid_interpolate(x, table, levels, interpolation, keys, added)


def _beyond_compiled(features: int, levels: Levels) -> str:
    """Why a grid is beyond the compiled version, or ""."""
    if features not in FEATURES or levels.dim > MAX_DIM or len(levels.levels) > MAX_LEVELS:
        return (
            f"the compiled version is for {MAX_DIM} coordinates and {MAX_LEVELS} levels at most, "
            f"with {', '.join(map(str, FEATURES))} features"
        )
    indexed = [level for level in levels.levels if level.kind == "indexed"]
    if any(math.prod(level.tile) > MAX_INDEXED for level in indexed):
        return f"the compiled version is for {MAX_INDEXED} vertices of an indexed level at most"
    if any(max(level.cells) > MAX_CELLS for level in indexed):
        return f"the compiled version is for {MAX_CELLS} cells along an axis at most"
    return ""


class _SparseGradient(torch.autograd.Function):
    """The same table, whose gradient is turned into a sparse tensor of the rows that have any."""

    @staticmethod
    def forward(ctx: object, table: Tensor) -> Tensor:
        return table.view_as(table)

    @staticmethod
    def backward(ctx: object, *grad_outputs: Tensor) -> Tensor:
        (grad,) = grad_outputs
        if torch.is_grad_enabled():
            return grad
        rows = grad.ne(0).any(-1).nonzero().squeeze(-1)
        return torch.sparse_coo_tensor(
            rows.unsqueeze(0), grad[rows], grad.shape, is_coalesced=True, check_invariants=False
        )
