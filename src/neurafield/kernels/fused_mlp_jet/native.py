"""The compiled version for CPUs, float32. Source: `native/fused_mlp_jet.hpp`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..._transforms import why_torch_only
from ..differentiable import gradients_by_reference
from ..dispatch import call
from ..perceptron import asked_for, kept_memory, split
from . import reference

_INDEX = {name: index for index, name in enumerate(reference.DERIVATIVES)}


def fused_mlp_jet(
    streams: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    mix: Tensor,
    activation: str,
    scales: Sequence[float],
) -> Tensor:
    """See the dispatching function."""
    num_points = streams[0, ..., 0].numel()
    flat = streams.reshape(len(streams), num_points, streams.shape[-1]).contiguous()
    parameters = [p.contiguous() for p in (*weights, *biases)]
    mix = mix.contiguous()
    if torch.is_grad_enabled() and any(t.requires_grad for t in (flat, *parameters)):
        y = _FusedMlpJet.apply(flat, mix, activation, list(scales), *parameters)
    else:
        y = _forward(flat, mix, parameters, activation, list(scales), None)
    return y.reshape(*streams.shape[:-1], y.shape[-1])


def _forward(
    streams: Tensor,
    mix: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    saved: Tensor | None,
) -> Tensor:
    y = streams.new_empty(*streams.shape[:-1], len(parameters[-1]))
    given = _given(streams, mix, parameters, activation, scales)
    call("mlp_jet_forward", *given, torch.get_num_threads(), y, saved)
    return y


def _given(
    streams: Tensor, mix: Tensor, parameters: Sequence[Tensor], activation: str, scales: list[float]
) -> tuple[Any, ...]:
    """The arguments that every call begins with."""
    return streams, mix, *split(parameters), scales, _INDEX[activation]


class _FusedMlpJet(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        streams: Tensor,
        mix: Tensor,
        activation: str,
        scales: list[float],
        *parameters: Tensor,
    ) -> Tensor:
        given = _given(streams, mix, parameters, activation, scales)
        saved = kept_memory(call("mlp_jet_saved_size", *given))
        ctx.activation, ctx.scales = activation, scales
        ctx.save_for_backward(streams, mix, saved, *parameters)
        return _forward(streams, mix, parameters, activation, scales, saved)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        streams, mix, saved, *parameters = (tensor.contiguous() for tensor in ctx.saved_tensors)
        for_streams, _, *for_parameters = asked_for(ctx)
        wanted = [for_streams, *for_parameters]
        if torch.is_grad_enabled() or why_torch_only((grad_y,)):

            def value(streams: Tensor, *parameters: Tensor) -> Tensor:
                weights, biases = parameters[:middle], parameters[middle:]
                return reference.fused_mlp_jet(
                    streams, weights, biases, mix, ctx.activation, ctx.scales
                )

            middle = len(parameters) // 2
            grads = gradients_by_reference(value, [streams, *parameters], wanted, grad_y)
        else:
            grads = _backward(ctx, streams, mix, saved, parameters, grad_y, wanted)
        return (grads[0], None, None, None, *grads[1:])


def _backward(
    ctx: Any,
    streams: Tensor,
    mix: Tensor,
    saved: Tensor,
    parameters: list[Tensor],
    grad_y: Tensor,
    wanted: list[bool],
) -> list[Tensor | None]:
    grad_streams = torch.empty_like(streams) if wanted[0] else None
    grads = [torch.empty_like(p) for p in parameters] if any(wanted[1:]) else []
    call(
        "mlp_jet_backward",
        *_given(streams, mix, parameters, ctx.activation, ctx.scales),
        torch.get_num_threads(),
        saved,
        grad_y.contiguous(),
        grad_streams,
        *split(grads),
    )
    shown = grads if grads else [None] * len(parameters)
    return [
        grad_streams,
        *(g if need else None for g, need in zip(shown, wanted[1:], strict=True)),
    ]
