"""L-BFGS with the settings that suit the loop."""

import torch
from torch import nn


def lbfgs(trained: nn.Module) -> torch.optim.LBFGS:
    """L-BFGS with a line search for the strong Wolfe conditions: `fit(..., optimizer=lbfgs)`.

    A step of the loop is up to 20 iterations on one batch. It remembers 100 pairs; they belong to
    one loss, so let the constraints draw the same points at every step: no `batch_size`, and
    `num_points` of the signal.

    Use when a problem is too large for Gauss-Newton. Fails when each step draws new points.

    Reference:
        Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 7.5, by torch.
    """
    return torch.optim.LBFGS(
        [p for p in trained.parameters() if p.requires_grad],
        lr=1.0,
        max_iter=20,
        history_size=100,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
