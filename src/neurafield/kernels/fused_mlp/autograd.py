"""The fused perceptron as a differentiable operation, for any version that computes it.

The value's gradient is computed by the version, and so is the gradient of a gradient with respect
to the inputs. Everything of higher order goes through the reference.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..._transforms import why_torch_only
from ..differentiable import gradients_by_reference
from ..perceptron import needed_gradients, split
from . import reference


@runtime_checkable
class Implementation(Protocol):
    """The functions that a version has, usually as a module; nothing else of it is used.

    All take `x` of shape `(n, in_dim)`, `parameters` (all weights, then all biases), the name of
    the activation and the list of scales. Tensors are contiguous, and of the device and type that
    `dispatch.VERSIONS` has for the version; autograd records nothing. No input may be changed.

    Lists of gradients may have any entry where `needed` is False.
    """

    def unserved(self, weights: Sequence[Tensor], /) -> str:
        """Reason why the version cannot serve layers of these sizes, or ""."""
        ...

    def has_bfloat16(self) -> bool:
        """True if the version multiplies in bfloat16 on this machine."""
        ...

    def forward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        bfloat16: bool,
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Values `(n, out_dim)`, and if `keep`, one tensor of anything the backward pass reads."""
        ...

    def backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        bfloat16: bool,
        saved: Tensor,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of `(y * grad_y).sum()` with respect to `x` and each parameter."""
        ...

    def gradient(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        grad_y: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Gradient with respect to `x` alone, and one tensor for `gradient_backward`."""
        ...

    def gradient_backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        pulled: Tensor,
        grad_y: Tensor,
        grad_grad_x: Tensor,
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of `(gradient * grad_grad_x).sum()`: for `x`, `grad_y` and each parameter.

        `saved` comes from `forward`, `pulled` from `gradient`. The last bias, on which the
        gradient does not depend, may have any entry.
        """
        ...


Settings = tuple[Implementation, str, list[float], bool]
"""Arguments without gradients: version, activation, scales, bfloat16."""


def fused_mlp(
    version: Implementation,
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    scales: Sequence[float],
    bfloat16: bool = False,
) -> Tensor:
    """The operation, computed by a version. The other arguments are those of the reference."""
    flat = x.reshape(-1, x.shape[-1]).contiguous()
    parameters = [p.contiguous() for p in (*weights, *biases)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (flat, *parameters)):
        settings = version, activation, list(scales), bfloat16
        y = _FusedMlp.apply(settings, flat, *parameters)
    else:
        y, _ = version.forward(flat, parameters, activation, list(scales), bfloat16, False)
    return y.reshape(*x.shape[:-1], y.shape[-1])


class _FusedMlp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, settings: Settings, x: Tensor, *parameters: Tensor) -> Tensor:
        version, activation, scales, bfloat16 = ctx.settings = settings
        y, saved = version.forward(x, parameters, activation, scales, bfloat16, True)
        ctx.save_for_backward(x, saved, *parameters)
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        version, activation, scales, bfloat16 = ctx.settings
        x, saved, *parameters = (tensor.contiguous() for tensor in ctx.saved_tensors)
        needed = needed_gradients(ctx)
        by_torch = bool(why_torch_only((grad_y,)))
        grads: Sequence[Tensor | None]
        if not torch.is_grad_enabled() and not by_torch:
            given = x, parameters, activation, scales, bfloat16, saved
            grads = _only(version.backward(*given, grad_y.contiguous(), needed), needed)
        elif needed[0] and not any(needed[1:]) and not bfloat16 and not by_torch:
            grad_x = _Gradient.apply(ctx.settings, x, grad_y.contiguous(), saved, *parameters)
            grads = [grad_x, *[None] * len(parameters)]
        else:
            grads = gradients_by_reference(_value(ctx.settings), [x, *parameters], needed, grad_y)
        return (None, *grads)


class _Gradient(torch.autograd.Function):
    """The gradient with respect to the inputs alone, as an operation that has a gradient itself."""

    @staticmethod
    def forward(
        ctx: Any,
        settings: Settings,
        x: Tensor,
        grad_y: Tensor,
        saved: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        version, activation, scales, _ = ctx.settings = settings
        grad_x, pulled = version.gradient(x, parameters, activation, scales, saved, grad_y)
        ctx.save_for_backward(x, grad_y, saved, pulled, *parameters)
        return grad_x

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_grad_x,) = grad_outputs
        version, activation, scales, _ = ctx.settings
        x, grad_y, saved, pulled, *parameters = (t.contiguous() for t in ctx.saved_tensors)
        for_x, for_grad_y, _, *for_parameters = needed_gradients(ctx)
        needed = [for_x, for_grad_y, *for_parameters]
        if torch.is_grad_enabled() or why_torch_only((grad_grad_x,)):
            inputs = [x, grad_y, *parameters]
            grads = gradients_by_reference(_gradient(ctx.settings), inputs, needed, grad_grad_x)
        else:
            given = x, parameters, activation, scales, saved, pulled, grad_y
            found = version.gradient_backward(*given, grad_grad_x.contiguous(), needed)
            # The gradient does not depend on the last bias, for which torch returns None.
            grads = [*_only(found, needed)[:-1], None]
        return (None, *grads[:2], None, *grads[2:])


def _only(grads: list[Tensor | None], needed: Sequence[bool]) -> list[Tensor | None]:
    return [grad if need else None for grad, need in zip(grads, needed, strict=True)]


def _value(settings: Settings) -> Callable[..., Tensor]:
    """The reference as a function of the inputs and the parameters."""
    _, activation, scales, bfloat16 = settings

    def value(x: Tensor, *parameters: Tensor) -> Tensor:
        return reference.fused_mlp(x, *split(parameters), activation, scales, bfloat16)

    return value


def _gradient(settings: Settings) -> Callable[..., Tensor]:
    """The reference's gradient as a function of the inputs, `grad_y` and the parameters."""
    value = _value(settings)

    def gradient(x: Tensor, grad_y: Tensor, *parameters: Tensor) -> Tensor:
        y = value(x, *parameters)
        return torch.autograd.grad(y, x, grad_y, create_graph=True)[0]

    return gradient
