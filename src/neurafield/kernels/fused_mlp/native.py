"""The compiled version for CPUs, float32. Source: `native/fused_mlp.hpp`.

It implements `autograd.Implementation`, whose docstrings describe the functions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..library import call
from ..perceptron import beyond_native, split
from .reference import FUNCTIONS

_INDEX = {name: index for index, name in enumerate(FUNCTIONS)}

unserved = beyond_native


def has_bfloat16() -> bool:
    """True on processors with AVX512-BF16."""
    return library.native().has_bfloat16()


def forward(
    x: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    bfloat16: bool,
    keep: bool,
) -> tuple[Tensor, Tensor | None]:
    """See `autograd.Implementation.forward`."""
    given = _arguments(x, parameters, activation, scales)
    saved = library.empty(call("mlp_saved_size", *given)) if keep else None
    y = x.new_empty(len(x), len(parameters[-1]))
    call("mlp_forward", *given, bfloat16, torch.get_num_threads(), y, saved)
    return y, saved


def backward(
    x: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    bfloat16: bool,
    saved: Tensor,
    grad_y: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """See `autograd.Implementation.backward`."""
    grad_x = torch.empty_like(x) if needed[0] else None
    grads = [torch.empty_like(p) for p in parameters] if any(needed[1:]) else []
    call(
        "mlp_backward",
        *_arguments(x, parameters, activation, scales),
        bfloat16,
        torch.get_num_threads(),
        saved,
        grad_y,
        grad_x,
        *split(grads),
    )
    return [grad_x, *grads] if grads else [grad_x, *[None] * len(parameters)]


def gradient(
    x: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    saved: Tensor,
    grad_y: Tensor,
) -> tuple[Tensor, Tensor]:
    """See `autograd.Implementation.gradient`."""
    pulled = library.empty(saved.numel())
    grad_x = torch.empty_like(x)
    call(
        "mlp_backward",
        *_arguments(x, parameters, activation, scales),
        False,
        torch.get_num_threads(),
        saved,
        grad_y,
        grad_x,
        [],
        [],
        pulled,
    )
    return grad_x, pulled


def gradient_backward(
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
    """See `autograd.Implementation.gradient_backward`."""
    grad_x = torch.empty_like(x) if needed[0] else None
    grad_grad_y = torch.empty_like(grad_y) if needed[1] else None
    grads = [torch.empty_like(p) for p in parameters] if any(needed[2:]) else []
    call(
        "mlp_gradient_backward",
        *_arguments(x, parameters, activation, scales),
        torch.get_num_threads(),
        saved,
        pulled,
        grad_y,
        grad_grad_x,
        grad_x,
        grad_grad_y,
        *split(grads),
    )
    return (
        [grad_x, grad_grad_y, *grads] if grads else [grad_x, grad_grad_y, *[None] * len(parameters)]
    )


def _arguments(
    x: Tensor, parameters: Sequence[Tensor], activation: str, scales: list[float]
) -> tuple[Any, ...]:
    """The first arguments of every call."""
    return x, *split(parameters), scales, _INDEX[activation]
