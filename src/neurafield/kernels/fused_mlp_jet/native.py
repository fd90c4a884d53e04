"""The compiled version for CPUs, float32. Source: `native/fused_mlp_jet.hpp`.

It implements `autograd.Implementation`, whose docstrings describe the functions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import library
from ..library import call
from ..perceptron import beyond_native, split
from .reference import DERIVATIVES

MAX_STREAMS = 16
"""Largest number of streams; with more, the reference runs."""

_INDEX = {name: index for index, name in enumerate(DERIVATIVES)}


def unserved(streams: Tensor, weights: Sequence[Tensor]) -> str:
    """See `autograd.Implementation.unserved`."""
    if len(streams) > MAX_STREAMS:
        return f"the native version is for {MAX_STREAMS} streams at most"
    return beyond_native(weights)


def forward(
    streams: Tensor,
    mix: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    keep: bool,
) -> tuple[Tensor, Tensor | None]:
    """See `autograd.Implementation.forward`."""
    given = _arguments(streams, mix, parameters, activation, scales)
    saved = library.empty(call("mlp_jet_saved_size", *given)) if keep else None
    y = streams.new_empty(*streams.shape[:-1], len(parameters[-1]))
    call("mlp_jet_forward", *given, torch.get_num_threads(), y, saved)
    return y, saved


def backward(
    streams: Tensor,
    mix: Tensor,
    parameters: Sequence[Tensor],
    activation: str,
    scales: list[float],
    saved: Tensor,
    grad_y: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """See `autograd.Implementation.backward`."""
    grad_streams = torch.empty_like(streams) if needed[0] else None
    grads = [torch.empty_like(p) for p in parameters] if any(needed[1:]) else []
    call(
        "mlp_jet_backward",
        *_arguments(streams, mix, parameters, activation, scales),
        torch.get_num_threads(),
        saved,
        grad_y,
        grad_streams,
        *split(grads),
    )
    return [grad_streams, *grads] if grads else [grad_streams, *[None] * len(parameters)]


def _arguments(
    streams: Tensor, mix: Tensor, parameters: Sequence[Tensor], activation: str, scales: list[float]
) -> tuple[Any, ...]:
    """The first arguments of every call."""
    return streams, mix, *split(parameters), scales, _INDEX[activation]
