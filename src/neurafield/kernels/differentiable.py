"""Gradients that can be differentiated again: autograd's own, through an operation's reference."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def gradients_by_reference(
    compute: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    wanted: Sequence[bool],
    grad_y: Tensor,
) -> list[Tensor | None]:
    """The gradients of `compute(*inputs)` for the inputs that are wanted, None for the others.

    Args:
        compute: An operation's reference.
        inputs: What it takes.
        wanted: For which of them.
        grad_y: Gradient of its value.
    """
    with torch.enable_grad():
        # Aliases. One input may have been computed from another (a field of a field, a gradient
        # that is itself a function of the coordinates), and that way is the caller's to go.
        own = [tensor.view_as(tensor) for tensor in inputs]
        y = compute(*own)
    asked = [tensor for tensor, need in zip(own, wanted, strict=True) if need]
    again = torch.is_grad_enabled()
    found = iter(torch.autograd.grad(y, asked, grad_y, create_graph=again, allow_unused=True))
    return [next(found) if need else None for need in wanted]
