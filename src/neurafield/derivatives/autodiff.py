"""Jets and derivatives of any function of points, by nested reverse mode: slow and exact."""

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from .._transforms import inside_func
from ..errors import DerivativeNotice
from .jet import Jet

Pointwise = Callable[[Tensor], Tensor]
"""A map `(*batch, m) -> (*batch, c)` that maps each point by itself."""

_told: set[str] = set()


@contextlib.contextmanager
def traced() -> Iterator[None]:
    """Record operations even if the caller switched recording off: derivatives need the record."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def own_point(x: Tensor) -> Tensor:
    """The same coordinates as a new node of the graph, where differentiation stops."""
    if x.is_inference():
        x = x.clone()
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def gradients(
    y: Float[Tensor, "*batch c"], x: Float[Tensor, "*batch m"], *, again: bool = True
) -> Float[Tensor, "*batch c m"]:
    """Derivatives of each channel of `y` with respect to `x`.

    One backward pass of the sum over points serves all, since each value depends on its own point
    alone.

    Args:
        y: Values, computed from `x`.
        x: Points.
        again: True for derivatives that can be differentiated again, through the references of the
            kernels. False uses the compiled backward passes, many times faster for grids.
    """
    rows = []
    for channel in range(y.shape[-1]):
        row = None
        if y.requires_grad:
            (row,) = torch.autograd.grad(
                y[..., channel].sum(), x, retain_graph=True, create_graph=again, allow_unused=True
            )
        rows.append(torch.zeros_like(x) if row is None else row)
    return torch.stack(rows, dim=-2) if rows else x.new_zeros(*x.shape[:-1], 0, x.shape[-1])


def jet_by_autodiff(function: Pointwise, x: Jet) -> Jet:
    r"""The jet of `function` after `x`, for any function that torch can differentiate twice.

    With $F$ its Jacobian at $v$, $J' = F J$ and $S' = F S + \sum_k w_{sk} J_k^\top H J_k$, where
    $H J_k$ is the derivative of $F J_k$ with $J_k$ held fixed.

    Args:
        function: Map from the channels of `x` to others; torch must differentiate it twice.
        x: A jet.

    Raises:
        ValueError: If the function does not keep the batch axes.

    Example:
        >>> jet_by_autodiff(torch.exp, Jet.root(torch.zeros(1))).streams.tolist()
        [[1.0], [1.0], [1.0]]
    """
    if inside_func():
        return _jet_inside_transforms(function, x)
    with traced():
        if x.streams.is_inference():
            x = Jet(x.streams.clone(), x.weights.clone())
        at = own_point(x.value)
        y = function(at)
        if y.shape[:-1] != at.shape[:-1]:
            raise ValueError(
                f"jet_by_autodiff: expected values of shape ({', '.join(map(str, at.shape[:-1]))}, "
                f"c), got {tuple(y.shape)}."
            )
        jacobian = gradients(y, at)
        first = torch.einsum("...cm,k...m->k...c", jacobian, x.first)
        parts = [y[None], first]
        if len(x.weights):
            curved = []
            for k in range(x.dim):
                direction = x.first[k][..., None, :]
                along = (jacobian * direction).sum(-1)
                curved.append((gradients(along, at) * direction).sum(-1))
            parts.append(
                torch.einsum("...cm,s...m->s...c", jacobian, x.second)
                + torch.tensordot(x.weights, torch.stack(curved), dims=1)
            )
        streams = torch.cat(parts)
    return Jet(streams if torch.is_grad_enabled() else streams.detach(), x.weights)


def _jet_inside_transforms(function: Pointwise, x: Jet) -> Jet:
    """The same inside transforms of torch.func, where torch's own reverse mode cannot start."""

    def one_channel(channel: int) -> Tensor:
        row = torch.func.grad(lambda v: function(v)[..., channel].sum())
        gradient = row(x.value)
        parts = [(gradient * x.first).sum(-1)]
        if len(x.weights):
            curved = torch.stack([_along(row, x.value, direction) for direction in x.first])
            mixed = torch.tensordot(x.weights, curved, dims=1)
            parts.append((gradient * x.second).sum(-1) + mixed)
        return torch.cat(parts)

    y = function(x.value)
    derivatives = torch.stack([one_channel(channel) for channel in range(y.shape[-1])], dim=-1)
    return Jet(torch.cat([y[None], derivatives]), x.weights)


def _along(row: Pointwise, at: Tensor, direction: Tensor) -> Tensor:
    """Second derivative in a direction, given the function of first derivatives."""
    return (torch.func.grad(lambda v: (row(v) * direction).sum())(at) * direction).sum(-1)


def tell_fallback(owner: str) -> None:
    """Warn, the first time, that an owner has no rule for jets."""
    if owner not in _told:
        _told.add(owner)
        warnings.warn(
            f"{owner}: has no rule for jets; using nested autodiff instead (slower, as exact). "
            "This is said once.",
            DerivativeNotice,
            stacklevel=4,
        )
