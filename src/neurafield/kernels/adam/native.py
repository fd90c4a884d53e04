"""The compiled version for CPUs, float32. Source: `native/adam.hpp`."""

import torch
from torch import Tensor

from ..dispatch import call


def adam_step(
    parameter: Tensor,
    grad: Tensor,
    rows: Tensor | None,
    mean: Tensor,
    square: Tensor,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    lazy: bool,
) -> None:
    """See the dispatching function; `rows` are the numbers of those that `grad` holds."""
    row_size = 1 if rows is None else grad[:1].numel()
    if grad.numel() == 0:
        return
    call(
        "adam_step",
        parameter,
        grad.contiguous(),
        rows,
        row_size,
        mean,
        square,
        lazy,
        step,
        lr,
        *betas,
        eps,
        torch.get_num_threads(),
    )
