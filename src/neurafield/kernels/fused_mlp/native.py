"""The compiled version for CPUs, float32. Source: `native/fused_mlp.hpp`."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..._transforms import why_torch_only
from ..differentiable import gradients_by_reference
from ..dispatch import call
from ..perceptron import asked_for, kept_memory, split
from . import reference

_INDEX = {name: index for index, name in enumerate(reference.FUNCTIONS)}


def fused_mlp(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    scales: Sequence[float],
    bfloat16: bool = False,
) -> Tensor:
    """See the dispatching function."""
    flat = x.reshape(-1, x.shape[-1]).contiguous()
    parameters = [p.contiguous() for p in (*weights, *biases)]
    if torch.is_grad_enabled() and any(t.requires_grad for t in (flat, *parameters)):
        y = _FusedMlp.apply(flat, activation, list(scales), bfloat16, *parameters)
    else:
        y = _forward(flat, parameters, activation, list(scales), bfloat16, None)
    return y.reshape(*x.shape[:-1], y.shape[-1])


def _forward(
    x: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    bfloat16: bool,
    saved: Tensor | None,
) -> Tensor:
    y = x.new_empty(len(x), len(parameters[-1]))
    given = _given(x, parameters, activation, scales)
    call("mlp_forward", *given, bfloat16, torch.get_num_threads(), y, saved)
    return y


def _given(
    x: Tensor, parameters: Sequence[Tensor], activation: str, scales: list[float]
) -> tuple[Any, ...]:
    """The arguments that every call begins with."""
    return x, *split(parameters), scales, _INDEX[activation]


class _FusedMlp(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        activation: str,
        scales: list[float],
        bfloat16: bool,
        *parameters: Tensor,
    ) -> Tensor:
        saved = kept_memory(call("mlp_saved_size", *_given(x, parameters, activation, scales)))
        ctx.activation, ctx.scales, ctx.bfloat16 = activation, scales, bfloat16
        ctx.save_for_backward(x, saved, *parameters)
        return _forward(x, parameters, activation, scales, bfloat16, saved)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        x, saved, *parameters = (tensor.contiguous() for tensor in ctx.saved_tensors)
        wanted = asked_for(ctx)
        grads: Sequence[Tensor | None]
        if not torch.is_grad_enabled() and not why_torch_only((grad_y,)):
            grads = _backward(ctx, x, saved, parameters, grad_y, wanted)
        elif (
            wanted[0] and not any(wanted[1:]) and not ctx.bfloat16 and not why_torch_only((grad_y,))
        ):
            grad_x = _Gradient.apply(
                x, grad_y.contiguous(), saved, ctx.activation, ctx.scales, *parameters
            )
            grads = [grad_x, *[None] * len(parameters)]
        else:
            grads = gradients_by_reference(_value(ctx), [x, *parameters], wanted, grad_y)
        return (grads[0], None, None, None, *grads[1:])


class _Gradient(torch.autograd.Function):
    """The gradient for the inputs alone, as an operation that has a gradient itself."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        grad_y: Tensor,
        saved: Tensor,
        activation: str,
        scales: list[float],
        *parameters: Tensor,
    ) -> Tensor:
        pulled = kept_memory(saved.numel())
        ctx.activation, ctx.scales = activation, scales
        ctx.save_for_backward(x, grad_y, saved, pulled, *parameters)
        grad_x = torch.empty_like(x)
        call(
            "mlp_backward",
            *_given(x, parameters, activation, scales),
            False,
            torch.get_num_threads(),
            saved,
            grad_y,
            grad_x,
            [],
            [],
            pulled,
        )
        return grad_x

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gbar,) = grad_outputs
        x, grad_y, saved, pulled, *parameters = (t.contiguous() for t in ctx.saved_tensors)
        for_x, for_grad_y, _, *for_parameters = asked_for(ctx)
        wanted = [for_x, for_grad_y, *for_parameters]
        if torch.is_grad_enabled() or why_torch_only((gbar,)):
            inputs = [x, grad_y, *parameters]
            grads = gradients_by_reference(_gradient(ctx), inputs, wanted, gbar)
        else:
            grads = _gradient_backward(ctx, x, grad_y, saved, pulled, parameters, gbar, wanted)
        return (*grads[:2], None, None, None, *grads[2:])


def _gradient_backward(
    ctx: Any,
    x: Tensor,
    grad_y: Tensor,
    saved: Tensor,
    pulled: Tensor,
    parameters: list[Tensor],
    gbar: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    grad_x = torch.empty_like(x) if wanted[0] else None
    grad_grad_y = torch.empty_like(grad_y) if wanted[1] else None
    grads = [torch.empty_like(p) for p in parameters] if any(wanted[2:]) else []
    call(
        "mlp_gradient_backward",
        *_given(x, parameters, ctx.activation, ctx.scales),
        torch.get_num_threads(),
        saved,
        pulled,
        grad_y,
        gbar.contiguous(),
        grad_x,
        grad_grad_y,
        *split(grads),
    )
    shown = grads if grads else [None] * len(parameters)
    found = [g if need else None for g, need in zip(shown, wanted[2:], strict=True)]
    # Nothing here depends on the last bias, and torch says so by None.
    return [grad_x, grad_grad_y, *found[:-1], None]


def _backward(
    ctx: Any,
    x: Tensor,
    saved: Tensor,
    parameters: list[Tensor],
    grad_y: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    grad_x = torch.empty_like(x) if wanted[0] else None
    grads = [torch.empty_like(p) for p in parameters] if any(wanted[1:]) else []
    call(
        "mlp_backward",
        *_given(x, parameters, ctx.activation, ctx.scales),
        ctx.bfloat16,
        torch.get_num_threads(),
        saved,
        grad_y.contiguous(),
        grad_x,
        *split(grads),
    )
    shown = grads if grads else [None] * len(parameters)
    return [grad_x, *(g if need else None for g, need in zip(shown, wanted[1:], strict=True))]


def _value(ctx: Any) -> Callable[..., Tensor]:
    """The reference, as a function of coordinates and parameters."""

    def value(x: Tensor, *parameters: Tensor) -> Tensor:
        middle = len(parameters) // 2
        return reference.fused_mlp(
            x,
            parameters[:middle],
            parameters[middle:],
            ctx.activation,
            ctx.scales,
            getattr(ctx, "bfloat16", False),
        )

    return value


def _gradient(ctx: Any) -> Callable[..., Tensor]:
    """Its gradient for the coordinates, as a function of those, what is above, and parameters."""

    def gradient(x: Tensor, grad_y: Tensor, *parameters: Tensor) -> Tensor:
        y = _value(ctx)(x, *parameters)
        return torch.autograd.grad(y, x, grad_y, create_graph=True)[0]

    return gradient
