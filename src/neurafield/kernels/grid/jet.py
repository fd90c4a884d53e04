r"""A grid's features with their first and second derivatives, in plain torch.

The features are sums of rows, weighted by products over the axes; a derivative along an axis
replaces that axis's weight by its derivative, so that the rows are gathered once for all of them.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .levels import Level, Levels
from .reference import corner_rows, corner_weights, level_keys, read_rows

Derivatives = tuple[Tensor, Tensor, Tensor]
"""Value, jacobian and Hessian of some channels."""


def grid_jet(
    x: Float[Tensor, "*batch dim"],
    table: Float[Tensor, "rows features"],
    levels: Levels,
    *,
    interpolation: str,
    keys: Int64[Tensor, " keys"] | None = None,
    added: bool = False,
) -> tuple[
    Float[Tensor, "*batch c"], Float[Tensor, "*batch c dim"], Float[Tensor, "*batch c dim dim"]
]:
    """The value of `grid_interpolate`, its Jacobian and its Hessian.

    On the faces of cells the derivatives are those of the cell ahead; outside [-1, 1] they are
    zero. Differentiable in both tensors.

    Args:
        x: Coordinates in [-1, 1].
        table: Rows of all levels.
        levels: Arrangement of the rows in grids.
        interpolation: Name from `INTERPOLATIONS`.
        keys: Numbers of the stored vertices of indexed levels.
        added: True to add up the features of all levels.
    """
    nan = x.isnan()
    known = torch.where(nan, 0, x)
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    coords = known.clamp(-1, 1).to(wide).unbind(-1)
    inside = ((known >= -1) & (known <= 1)).to(x.dtype).unbind(-1)
    parts = [
        _level_jet(
            coords, inside, rows, level, interpolation, x.dtype, level_keys(keys, levels, at)
        )
        for at, (rows, level) in enumerate(
            zip(
                table[: levels.num_rows].split([level.size for level in levels.levels]),
                levels.levels,
                strict=True,
            )
        )
    ]
    value, jacobian, hessian = (
        torch.stack(part).sum(0) if added else torch.cat(part, dim=x.ndim - 1)
        for part in zip(*parts, strict=True)
    )
    lost = nan.any(-1)[..., None]
    return (
        torch.where(lost, torch.nan, value),
        torch.where(lost[..., None], torch.nan, jacobian),
        torch.where(lost[..., None, None], torch.nan, hessian),
    )


def _level_jet(
    coords: Sequence[Tensor],
    inside: Sequence[Tensor],
    rows: Tensor,
    level: Level,
    interpolation: str,
    dtype: torch.dtype,
    keys: Tensor | None,
) -> Derivatives:
    low_cells, weights = [], []
    for coord, first, cells in zip(coords, inside, level.cells, strict=True):
        position = (coord + 1) * (cells / 2)
        cell = position.detach().floor().clamp(max=cells - 1)
        low_cells.append(cell.long())
        weights.append(_axis_weights((position - cell).to(dtype), first * cells / 2, interpolation))
    found = read_rows(rows, corner_rows(low_cells, level), keys)
    dim = len(coords)

    def derivative(*axes: int) -> Tensor:
        ahead = [weights[axis][axes.count(axis)] for axis in range(dim)]
        totals = [0 if axis in axes else 1 for axis in range(dim)]
        return (corner_weights(ahead, totals).unsqueeze(-1) * found).sum(0)

    value = derivative()
    jacobian = torch.stack([derivative(axis) for axis in range(dim)], dim=-1)
    pairs = {(i, j): derivative(i, j) for i in range(dim) for j in range(i, dim)}
    entries = [pairs[min(i, j), max(i, j)] for i in range(dim) for j in range(dim)]
    return value, jacobian, torch.stack(entries, dim=-1).unflatten(-1, (dim, dim))


def _axis_weights(t: Tensor, dt: Tensor, interpolation: str) -> tuple[Tensor, ...]:
    """The weight of the vertex ahead, and its two derivatives with respect to the coordinate.

    `t` in [0, 1] is the position in the cell, `dt` its derivative.
    """
    if interpolation == "linear":
        return t, dt.expand_as(t), torch.zeros_like(t)
    return t * t * (3 - 2 * t), 6 * t * (1 - t) * dt, (6 - 12 * t) * dt * dt
