"""The interface of optimizers that evaluate the loss themselves."""

from abc import ABC, abstractmethod
from typing import Any

import torch


class EvaluatesLoss(ABC):
    """An optimizer that evaluates the loss several times per step, such as for a line search.

    `fit` calls `step(objective)` instead of `step()`. Such optimizers find the length of a step
    themselves: the learning rate is 1, and the schedule is not for them. A class of your own
    derives from this one beside `torch.optim.Optimizer`; `torch.optim.LBFGS` counts as one.
    """

    @abstractmethod
    def step(self, objective: Any) -> Any:
        """Moves the parameters.

        Args:
            objective: `Objective` of the step. Called, it sets all gradients and returns the loss;
                `parts` and `predict` give predictions.
        """


EvaluatesLoss.register(torch.optim.LBFGS)


def evaluates_loss(optimizer: object) -> bool:
    """Whether an optimizer's `step` takes the objective."""
    return isinstance(optimizer, EvaluatesLoss)
