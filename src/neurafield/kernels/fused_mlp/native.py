"""The compiled version for CPUs, float32. Source: `native/fused_mlp.hpp`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..dispatch import native, transformed
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


def _split(parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    detached = [parameter.detach() for parameter in parameters]
    return detached[: len(detached) // 2], detached[len(detached) // 2 :]


def _forward(
    x: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    bfloat16: bool,
    saved: Tensor | None,
) -> Tensor:
    weights, biases = _split(parameters)
    y = x.new_empty(len(x), len(biases[-1]))
    threads = torch.get_num_threads()
    native().mlp_forward(
        x.detach(), weights, biases, scales, _INDEX[activation], bfloat16, threads, y, saved
    )
    return y


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
        weights, biases = _split(parameters)
        size = native().mlp_saved_size(x.detach(), weights, biases, scales, _INDEX[activation])
        # Memory that comes back to the library when autograd lets go of it.
        saved = torch.from_dlpack(native().empty(size))
        ctx.activation, ctx.scales, ctx.bfloat16 = activation, scales, bfloat16
        ctx.save_for_backward(x, saved, *parameters)
        return _forward(x, parameters, activation, scales, bfloat16, saved)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        x, saved, *parameters = (tensor.contiguous() for tensor in ctx.saved_tensors)
        wanted = [ctx.needs_input_grad[0], *ctx.needs_input_grad[4:]]
        if torch.is_grad_enabled() or transformed((grad_y,)):
            grads = _differentiable_backward(ctx, x, parameters, grad_y, wanted)
        else:
            grads = _backward(ctx, x, saved, parameters, grad_y, wanted)
        return (grads[0], None, None, None, *grads[1:])


def _backward(
    ctx: Any,
    x: Tensor,
    saved: Tensor,
    parameters: list[Tensor],
    grad_y: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    weights, biases = _split(parameters)
    grad_x = torch.empty_like(x) if wanted[0] else None
    grads = [torch.empty_like(p) for p in (*weights, *biases)] if any(wanted[1:]) else []
    native().mlp_backward(
        x.detach(),
        weights,
        biases,
        ctx.scales,
        _INDEX[ctx.activation],
        ctx.bfloat16,
        torch.get_num_threads(),
        saved,
        grad_y.contiguous(),
        grad_x,
        *_split(grads),
    )
    shown = grads if grads else [None] * len(parameters)
    return [grad_x, *(g if need else None for g, need in zip(shown, wanted[1:], strict=True))]


def _differentiable_backward(
    ctx: Any,
    x: Tensor,
    parameters: list[Tensor],
    grad_y: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    """Gradients that can be differentiated again: autograd's, through the reference."""
    middle = len(parameters) // 2
    with torch.enable_grad():
        y = reference.fused_mlp(
            x, parameters[:middle], parameters[middle:], ctx.activation, ctx.scales, ctx.bfloat16
        )
    inputs = [x, *parameters]
    asked = [tensor for tensor, need in zip(inputs, wanted, strict=True) if need]
    found = iter(torch.autograd.grad(y, asked, grad_y, create_graph=torch.is_grad_enabled()))
    return [next(found) if need else None for need in wanted]
