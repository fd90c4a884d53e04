"""The compiled version for CPUs, float32. Source: `native/grid.hpp`."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..._transforms import why_torch_only
from ..differentiable import gradients_by_reference
from ..dispatch import call, native
from . import reference
from .levels import Levels


def grid_interpolate(
    x: Tensor,
    table: Tensor,
    levels: Levels,
    interpolation: str,
    sparse: bool,
    keys: Tensor | None = None,
    added: bool = False,
) -> Tensor:
    """See the dispatching function."""
    flat = x.reshape(-1, x.shape[-1]).contiguous()
    table = table.contiguous()
    if torch.is_grad_enabled() and (flat.requires_grad or table.requires_grad):
        y = _GridInterpolate.apply(flat, table, levels, interpolation, sparse, keys, added)
    else:
        y = _forward(flat, table, levels, interpolation, keys, added)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _grid(levels: Levels, interpolation: str) -> tuple[Any, bool, int]:
    return levels.columns, interpolation == "smoothstep", torch.get_num_threads()


def _kept(rows: int, columns: int) -> Tensor:
    """Memory that comes back to the library, for the next step, when the last tensor on it is gone.

    Memory fresh from the system costs more than the kernel, in page faults.
    """
    return torch.from_dlpack(native().empty(rows * columns)).view(rows, columns)


_indices = WeakTensorKeyDictionary()
"""What was made of keys: their version then, the levels, and the index."""


def _index(levels: Levels, keys: Tensor | None) -> Any:
    """The indexed levels as the compiled library looks them up; made once for each keys."""
    if not levels.indexed:
        return None
    assert keys is not None
    if keys.is_inference():
        # No version tells whether they have changed.
        return call("GridIndex", levels.columns, levels.dim, keys.contiguous())
    version, of, index = _indices.get(keys, (-1, (), None))
    # That of all levels serves for the first of them too.
    if version != keys._version or of[: len(levels.levels)] != levels.levels:
        index = call("GridIndex", levels.columns, levels.dim, keys.contiguous())
        _indices[keys] = keys._version, levels.levels, index
    return index


def _forward(
    x: Tensor,
    table: Tensor,
    levels: Levels,
    interpolation: str,
    keys: Tensor | None,
    added: bool,
) -> Tensor:
    y = _kept(len(x), (1 if added else len(levels.levels)) * table.shape[1])
    rows = table[: levels.num_rows]
    call(
        "grid_forward",
        *_grid(levels, interpolation),
        rows,
        x,
        y,
        _index(levels, keys),
        added,
    )
    return y


class _GridInterpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        table: Tensor,
        levels: Levels,
        interpolation: str,
        sparse: bool,
        keys: Tensor | None,
        added: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, table, keys)
        ctx.levels, ctx.interpolation, ctx.sparse, ctx.added = levels, interpolation, sparse, added
        return _forward(x, table, levels, interpolation, keys, added)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        x, table, keys = ctx.saved_tensors
        x, table = x.contiguous(), table.contiguous()
        wanted = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled() or why_torch_only((grad_y,)):

            def value(x: Tensor, table: Tensor) -> Tensor:
                return reference.grid_interpolate(
                    x, table, ctx.levels, ctx.interpolation, keys, ctx.added
                )

            grads = gradients_by_reference(value, [x, table], wanted, grad_y)
        else:
            grads = _backward(ctx, x, table, keys, grad_y.contiguous(), wanted)
        return (*grads, None, None, None, None, None)


def _backward(
    ctx: Any,
    x: Tensor,
    table: Tensor,
    keys: Tensor | None,
    grad_y: Tensor,
    wanted: tuple[bool, bool],
) -> list[Tensor | None]:
    grid = _grid(ctx.levels, ctx.interpolation)
    num_rows, index = ctx.levels.num_rows, _index(ctx.levels, keys)
    grad_x = grad_table = None
    if wanted[0]:
        grad_x = _kept(*x.shape)
        call("grid_backward_coords", *grid, table[:num_rows], x, grad_y, grad_x, index, ctx.added)
    if wanted[1] and ctx.sparse:
        grad_table = _touched_rows(ctx, grid, x, table, grad_y, index)
    elif wanted[1]:
        grad_table = _kept(*table.shape)
        grad_table[num_rows:] = 0
        call("grid_backward_table", *grid, x, grad_y, grad_table[:num_rows], index, ctx.added)
    return [grad_x, grad_table]


def _touched_rows(
    ctx: Any, grid: tuple[Any, bool, int], x: Tensor, table: Tensor, grad_y: Tensor, index: Any
) -> Tensor:
    """The gradient of the table as a coalesced sparse tensor, at the cost of its rows alone."""
    corners = len(x) << x.shape[1]
    most = sum(min(corners, level.size) for level in ctx.levels.levels)
    rows, grad_rows = torch.empty(most, dtype=torch.int64), table.new_empty(most, table.shape[1])
    count = call("grid_backward_touched", *grid, x, grad_y, rows, grad_rows, index, ctx.added)
    return torch.sparse_coo_tensor(
        rows[:count].unsqueeze(0),
        grad_rows[:count],
        table.shape,
        is_coalesced=True,
        check_invariants=False,
    )
