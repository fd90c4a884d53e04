"""What calls of perceptron kernels have in common: checks, limits, what autograd asks of them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .dispatch import native

MAX_WIDTH, MAX_IN_DIM, MAX_OUT_DIM, MAX_LAYERS = 1024, 512, 64, 257
"""What the compiled versions are made for and tested with; beyond that the reference runs."""


def check_layers(
    owner: str,
    in_dim: int,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    scales: Sequence[float],
) -> None:
    """Layers that fit each other and the inputs.

    Raises:
        ValueError: If the lists' lengths or the shapes do not.
    """
    if not len(weights) == len(biases) == len(scales) + 1:
        raise ValueError(
            f"{owner}: expected as many biases as weights and one scale less, got "
            f"{len(weights)} weights, {len(biases)} biases and {len(scales)} scales."
        )
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.shape != (*bias.shape, in_dim) or bias.ndim != 1 or not len(bias):
            raise ValueError(
                f"{owner}: expected weight and bias of layer {index} to have shapes "
                f"(_, {in_dim}) and (_), got {tuple(weight.shape)} and {tuple(bias.shape)}."
            )
        in_dim = len(bias)


def check_activation(owner: str, activation: str, known: Sequence[str]) -> None:
    """A name that every version knows.

    Raises:
        ValueError: If it is none.
    """
    if activation not in known:
        raise ValueError(f"{owner}: expected one of {', '.join(known)}, got {activation!r}.")


def beyond_compiled(weights: Sequence[Tensor]) -> str:
    """Why layers are too large for the compiled versions, or ""."""
    fits = (
        len(weights) <= MAX_LAYERS
        and weights[0].shape[1] <= MAX_IN_DIM
        and weights[-1].shape[0] <= MAX_OUT_DIM
        and all(weight.shape[0] <= MAX_WIDTH for weight in weights)
    )
    if fits:
        return ""
    return (
        f"the compiled version is for {MAX_IN_DIM} inputs, width {MAX_WIDTH} and {MAX_OUT_DIM} "
        "outputs at most"
    )


def split(parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases of a list that has first the ones, then the others."""
    middle = len(parameters) // 2
    return list(parameters[:middle]), list(parameters[middle:])


def kept_memory(size: int) -> Tensor:
    """Float32 that goes back to the compiled library when autograd lets go of it."""
    return torch.from_dlpack(native().empty(size))


def asked_for(ctx: Any) -> list[bool]:
    """For each tensor that a Function took: does its running backward pass wait for a gradient?

    `ctx.needs_input_grad` says what could be asked for. In a gradient for coordinates alone, the
    parameters' would cost as much as all the rest.
    """
    return [node is not None and _is_waited_for(node) for node, _ in ctx.next_functions]


def _is_waited_for(node: Any) -> bool:
    try:
        return torch._C._will_engine_execute_node(node)
    except (AttributeError, RuntimeError):
        # Also what torch says of a leaf that `torch.autograd.grad` was asked for.
        return True
