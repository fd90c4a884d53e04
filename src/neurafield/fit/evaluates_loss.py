"""The interface of optimizers that evaluate the loss themselves."""

from abc import ABC, abstractmethod
from typing import Any

import torch


class EvaluatesLoss(ABC):
    """Interface of optimizers that evaluate the loss several times per step, as in a line search.

    `fit` calls `step(objective)` instead of `step()`. Such optimizers find the step length
    themselves, so the learning rate is 1 and the schedule is ignored. A class of your own derives
    from `torch.optim.Optimizer` and from this class; `torch.optim.LBFGS` is registered as one.
    """

    @abstractmethod
    def step(self, objective: Any) -> Any:
        """Moves the parameters.

        Args:
            objective: `Objective` of the step. A call of it sets all gradients and returns the
                loss; its `parts` and `predict` give predictions.
        """


EvaluatesLoss.register(torch.optim.LBFGS)


def evaluates_loss(optimizer: object) -> bool:
    """True if an optimizer's `step` takes the objective."""
    return isinstance(optimizer, EvaluatesLoss)
