"""The jet of the fused perceptron as a differentiable operation, for any version that computes it.

First derivatives of the streams are computed by the version, higher ones by the reference.
"""

from collections.abc import Sequence
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

    All take `streams` of shape `(p, n, in_dim)`, `mix` of shape `(s, d)`, `parameters` (all
    weights, then all biases), the name of the activation and the list of scales. Tensors are
    contiguous, and of the device and type that `dispatch.VERSIONS` has for the version; autograd
    records nothing. No input may be changed.
    """

    def unserved(self, streams: Tensor, weights: Sequence[Tensor]) -> str:
        """Reason why the version cannot serve streams and layers of these sizes, or ""."""
        ...

    def forward(
        self,
        streams: Tensor,
        mix: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Streams `(p, n, out_dim)`, and if `keep`, one tensor that `backward` reads."""
        ...

    def backward(
        self,
        streams: Tensor,
        mix: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> list[Tensor | None]:
        """Gradients of `(y * grad_y).sum()` with respect to the streams and each parameter.

        They may have any entry where `needed` is False.
        """
        ...


Settings = tuple[Implementation, str, list[float]]
"""Arguments without gradients: version, activation, scales."""


def fused_mlp_jet(
    version: Implementation,
    streams: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    mix: Tensor,
    activation: str,
    scales: Sequence[float],
) -> Tensor:
    """The operation, computed by a version. The other arguments are those of the reference."""
    num_points = streams[0, ..., 0].numel()
    flat = streams.reshape(len(streams), num_points, streams.shape[-1]).contiguous()
    parameters = [p.contiguous() for p in (*weights, *biases)]
    mix = mix.contiguous()
    if torch.is_grad_enabled() and any(t.requires_grad for t in (flat, *parameters)):
        settings = version, activation, list(scales)
        y = _FusedMlpJet.apply(settings, flat, mix, *parameters)
    else:
        y, _ = version.forward(flat, mix, parameters, activation, list(scales), False)
    return y.reshape(*streams.shape[:-1], y.shape[-1])


class _FusedMlpJet(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, settings: Settings, streams: Tensor, mix: Tensor, *parameters: Tensor
    ) -> Tensor:
        version, activation, scales = ctx.settings = settings
        y, saved = version.forward(streams, mix, parameters, activation, scales, True)
        ctx.save_for_backward(streams, mix, saved, *parameters)
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        (grad_y,) = grad_outputs
        version, activation, scales = ctx.settings
        streams, mix, saved, *parameters = (tensor.contiguous() for tensor in ctx.saved_tensors)
        for_streams, _, *for_parameters = needed_gradients(ctx)
        needed = [for_streams, *for_parameters]
        if torch.is_grad_enabled() or why_torch_only((grad_y,)):

            def value(streams: Tensor, *parameters: Tensor) -> Tensor:
                return reference.fused_mlp_jet(streams, *split(parameters), mix, activation, scales)

            grads = gradients_by_reference(value, [streams, *parameters], needed, grad_y)
        else:
            given = streams, mix, parameters, activation, scales, saved
            found = version.backward(*given, grad_y.contiguous(), needed)
            grads = [grad if need else None for grad, need in zip(found, needed, strict=True)]
        return (None, grads[0], None, *grads[1:])
