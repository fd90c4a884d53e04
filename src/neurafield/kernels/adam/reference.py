"""The truth: plain torch, any device and precision."""

import torch
from torch import Tensor


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
    """See `Implementation.adam_step`; tensors may be strided."""
    if rows is not None:
        parts = parameter[rows], mean[rows], square[rows]
        adam_step(parts[0], grad, None, *parts[1:], step, lr, betas, eps, lazy)
        for whole, part in zip((parameter, mean, square), parts, strict=True):
            whole[rows] = part
        return
    new_mean = torch.lerp(grad, mean, betas[0])
    new_square = betas[1] * square + (1 - betas[1]) * grad.square()
    root = (new_square / (1 - betas[1] ** step)).sqrt()
    change = -lr / (1 - betas[0] ** step) * new_mean / (root + eps)
    if lazy:
        touched = grad != 0
        new_mean = torch.where(touched, new_mean, mean)
        new_square = torch.where(touched, new_square, square)
        change = torch.where(touched, change, torch.zeros_like(change))
    parameter.add_(change)
    mean.copy_(new_mean)
    square.copy_(new_square)
