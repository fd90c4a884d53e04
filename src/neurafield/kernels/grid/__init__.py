"""Interpolation in multiresolution grids as one operation.

`grid_interpolate` checks its arguments, and runs the reference, or `autograd.grid_interpolate` with
the chosen version. A further version is a module with the functions of `autograd.Implementation`
and an entry of `IMPLEMENTATIONS`.
"""

from jaxtyping import Float, Int64
from torch import Tensor

from ..._transforms import sees_operations
from .. import dispatch
from . import autograd, native, reference
from .jet import grid_jet as grid_jet
from .levels import KINDS as KINDS
from .levels import MAX_CELLS as MAX_CELLS
from .levels import MAX_INDEXED as MAX_INDEXED
from .levels import Level as Level
from .levels import Levels as Levels
from .levels import indexed_levels as indexed_levels
from .levels import make_levels as make_levels
from .native import FEATURES as FEATURES
from .native import MAX_DIM as MAX_DIM
from .native import MAX_LEVELS as MAX_LEVELS

INTERPOLATIONS = reference.INTERPOLATIONS
"""Names of the interpolations that every version has."""

IMPLEMENTATIONS: dict[str, autograd.Implementation] = {"native": native}
"""Versions beside the reference, by their names in `dispatch.VERSIONS`."""


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
    cell of level $l$ around $x$. At position $t \in [0, 1]$ in the cell along axis $a$, the corner
    ahead has the weight $t$ (linear) or $t^2 (3 - 2t)$ (smoothstep), the corner behind the rest.

    Outside [-1, 1] the features are those of the border, with gradient zero. On the border and on
    the faces of cells the derivative is that of the cell ahead, or of the last cell. A point with a
    NaN coordinate has NaN features and adds nothing to any gradient.

    Differentiable to any order in both tensors. First derivatives are compiled; the reference
    computes higher ones. Linear interpolation has no second derivative along a single axis, the
    one of smoothstep jumps at the faces of cells. Each row's gradient is summed in the order of the
    points, for any number of threads.

    Args:
        x: Coordinates in [-1, 1].
        table: Rows of all levels, one level after the other. Rows behind those of `levels` are not
            read: they belong to finer levels, where `levels` are the first levels of a grid.
        levels: Arrangement of the rows in grids; see `make_levels`.
        interpolation: Name from `INTERPOLATIONS`.
        sparse: True for a sparse gradient of the table, which holds the touched rows. With the
            native version its cost does not depend on the size of the table. Gradients that
            are to be differentiated again are dense, and so are those of `torch.func` and
            `torch.compile`.
        keys: Numbers of the stored vertices, one per row of an indexed level: row by row, and on
            from one indexed level to the next; they ascend. All other vertices count as zero.
            Entries for rows of other levels are not read. None if no level is indexed.
        added: True to add up the features of all levels.

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
    choice = dispatch.choose(
        "grid_interpolate", IMPLEMENTATIONS, (x, table), table.shape[1], levels
    )
    version = IMPLEMENTATIONS.get(choice.version)
    if version is not None:
        return autograd.grid_interpolate(
            version, x, table, levels, interpolation, sparse, keys, added
        )
    if sparse and not sees_operations():
        table = autograd.with_sparse_gradient(table)
    return reference.grid_interpolate(x, table, levels, interpolation, keys, added)
