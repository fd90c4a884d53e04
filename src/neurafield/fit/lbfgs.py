"""L-BFGS with settings for `fit`."""

import torch
from torch import nn


def lbfgs(trained: nn.Module) -> torch.optim.LBFGS:
    """L-BFGS with a line search for the strong Wolfe conditions: `fit(..., optimizer=lbfgs)`.

    One step of `fit` is up to 20 iterations on one batch. The history has 100 pairs, which are
    valid for one loss only, so constraints should draw the same points at every step: set
    `num_points` of the signal, and no `batch_size`.

    Use when a problem is too large for Gauss-Newton. Fails when each step draws new points.

    Reference:
        Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 7.5; the
        implementation is torch's.
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
