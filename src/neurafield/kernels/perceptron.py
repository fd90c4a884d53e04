"""Parts shared by the perceptron kernels: checks, limits, and the gradients that autograd needs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

MAX_WIDTH, MAX_IN_DIM, MAX_OUT_DIM, MAX_LAYERS = 1024, 512, 64, 257
"""Largest sizes that the native versions are made for and tested with."""


def check_layers(
    owner: str,
    in_dim: int,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    scales: Sequence[float],
) -> None:
    """Require layers that fit each other and the inputs.

    Raises:
        ValueError: If the lengths of the lists or the shapes do not fit.
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
    """Require the name of an activation that every version has.

    Raises:
        ValueError: If the name is not among the known ones.
    """
    if activation not in known:
        raise ValueError(f"{owner}: expected one of {', '.join(known)}, got {activation!r}.")


def beyond_native(weights: Sequence[Tensor]) -> str:
    """Reason why layers are too large for the native versions, or ""."""
    fits = (
        len(weights) <= MAX_LAYERS
        and weights[0].shape[1] <= MAX_IN_DIM
        and weights[-1].shape[0] <= MAX_OUT_DIM
        and all(weight.shape[0] <= MAX_WIDTH for weight in weights)
    )
    if fits:
        return ""
    return (
        f"the native version is for {MAX_IN_DIM} inputs, width {MAX_WIDTH} and {MAX_OUT_DIM} "
        "outputs at most"
    )


def split(parameters: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Weights and biases, from a list of all weights followed by all biases."""
    middle = len(parameters) // 2
    return list(parameters[:middle]), list(parameters[middle:])


def needed_gradients(ctx: Any) -> list[bool]:
    """For each tensor input of a Function, True if the running backward pass needs its gradient.

    `ctx.needs_input_grad` is True for every input that requires a gradient. In a gradient with
    respect to coordinates alone, those of the parameters would cost as much as all the rest.
    """
    return [node is not None and _is_needed(node) for node, _ in ctx.next_functions]


def _is_needed(node: Any) -> bool:
    try:
        return torch._C._will_engine_execute_node(node)
    except (AttributeError, RuntimeError):
        # torch also raises for a leaf that `torch.autograd.grad` differentiates.
        return True
