"""Gradients that can be differentiated again: autograd through the reference of an operation."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def gradients_by_reference(
    compute: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    needed: Sequence[bool],
    grad_y: Tensor,
) -> list[Tensor | None]:
    """The gradients of `compute(*inputs)` for the inputs that need one, None for the others.

    Args:
        compute: Reference of an operation.
        inputs: Arguments of the reference.
        needed: Flags, one per input: True if its gradient is needed.
        grad_y: Gradient with respect to the value of `compute`.
    """
    with torch.enable_grad():
        # Aliases: one input may have been computed from another (a field of a field, a gradient
        # that is itself a function of the coordinates), and autograd outside follows that path.
        own = [tensor.view_as(tensor) for tensor in inputs]
        y = compute(*own)
    chosen = [tensor for tensor, need in zip(own, needed, strict=True) if need]
    again = torch.is_grad_enabled()
    found = iter(torch.autograd.grad(y, chosen, grad_y, create_graph=again, allow_unused=True))
    return [next(found) if need else None for need in needed]
