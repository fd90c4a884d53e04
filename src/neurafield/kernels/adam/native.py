"""The compiled version for CPUs, float32. Source: `native/adam.hpp`."""

import torch
from torch import Tensor

from ..library import call


def unserved() -> str:
    """See `Implementation.unserved`."""
    return ""


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
    """See `Implementation.adam_step`."""
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
