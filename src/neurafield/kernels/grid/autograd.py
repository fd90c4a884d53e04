"""Interpolation in grids as a differentiable operation, for any version that computes it.

First derivatives are computed by the version, higher ones by the reference.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..._transforms import why_torch_only
from ..differentiable import gradients_by_reference
from . import reference
from .levels import Levels


@runtime_checkable
class Implementation(Protocol):
    """The functions that a version has, usually as a module; nothing else of it is used.

    All take `x` of shape `(n, dim)`, a table, the keys of indexed levels or None, and the arguments
    of `grid_interpolate`. `x`, the table and gradients are contiguous, and of the device and type
    that `dispatch.VERSIONS` has for the version; autograd records nothing. No input may be changed.
    """

    def unserved(self, features: int, levels: Levels) -> str:
        """Reason why the version cannot serve such levels with so many features per row, or ""."""
        ...

    def forward(
        self,
        x: Tensor,
        table: Tensor,
        keys: Tensor | None,
        levels: Levels,
        interpolation: str,
        added: bool,
    ) -> Tensor:
        """Features `(n, out_dim)`."""
        ...

    def backward(
        self,
        x: Tensor,
        table: Tensor,
        keys: Tensor | None,
        levels: Levels,
        interpolation: str,
        added: bool,
        sparse: bool,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of `(y * grad_y).sum()` with respect to `x` and the table, as far as needed.

        If `sparse`, the table's gradient is a coalesced sparse tensor of the touched rows.
        """
        ...


Settings = tuple[Implementation, Levels, str, bool, bool]
"""Arguments without gradients: version, levels, interpolation, added, sparse."""


def grid_interpolate(
    version: Implementation,
    x: Tensor,
    table: Tensor,
    levels: Levels,
    interpolation: str,
    sparse: bool,
    keys: Tensor | None = None,
    added: bool = False,
) -> Tensor:
    """The operation, computed by a version; other arguments are those of the public function."""
    flat = x.reshape(-1, x.shape[-1]).contiguous()
    table = table.contiguous()
    if torch.is_grad_enabled() and (flat.requires_grad or table.requires_grad):
        settings = version, levels, interpolation, added, sparse
        y = _GridInterpolate.apply(flat, table, keys, settings)
    else:
        y = version.forward(flat, table, keys, levels, interpolation, added)
    return y.reshape(*x.shape[:-1], y.shape[-1])


class _GridInterpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, table: Tensor, keys: Tensor | None, settings: Settings
    ) -> Tensor:
        version, levels, interpolation, added, _ = ctx.settings = settings
        ctx.save_for_backward(x, table, keys)
        return version.forward(x, table, keys, levels, interpolation, added)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        version, levels, interpolation, added, sparse = ctx.settings
        x, table, keys = ctx.saved_tensors
        x, table = x.contiguous(), table.contiguous()
        needed = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled() or why_torch_only((grad_y,)):

            def value(x: Tensor, table: Tensor) -> Tensor:
                return reference.grid_interpolate(x, table, levels, interpolation, keys, added)

            grads = gradients_by_reference(value, [x, table], needed, grad_y)
        else:
            given = x, table, keys, levels, interpolation, added, sparse
            grads = version.backward(*given, grad_y.contiguous(), needed)
        return (*grads, None, None)


def with_sparse_gradient(table: Tensor) -> Tensor:
    """The same table; its gradient becomes a sparse tensor of the rows whose gradient is not 0.

    A gradient that is to be differentiated again stays dense.
    """
    return _SparseGradient.apply(table)


class _SparseGradient(torch.autograd.Function):
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
