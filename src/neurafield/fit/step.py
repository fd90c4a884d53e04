"""One step's loss: its batches, gradients, residuals, and whether they can be trusted."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ..signals.sampling import choose_by_size
from .problem import Constraint


class Objective:
    """The loss of one step as a function of the field's parameters.

    Its batches are drawn once, so that an optimizer may ask as often as it likes: called, it is
    the closure that torch's optimizers take.

    Args:
        field: The field to train.
        constraints: The problem.
        seed: Of the run.
        step: Which step of the run.
        micro_batch: Samples that pass through the field at a time.
        bfloat16: Compute products between hidden layers in bfloat16.
    """

    def __init__(
        self,
        field: nn.Module,
        constraints: list[Constraint],
        *,
        seed: int,
        step: int,
        micro_batch: int,
        bfloat16: bool = False,
    ) -> None:
        self.field = field
        self.constraints = constraints
        self.micro_batch = micro_batch
        self.bfloat16 = bfloat16
        self._reference = next(field.parameters())
        self._batches: list[tuple[Any, Any]] = [
            self._draw(stream, seed, step) for stream in range(len(constraints))
        ]
        self._known: dict[str, float] | None = None

    def add_gradients(self) -> dict[str, float]:
        """Add the gradients of all constraints to the field's; return each one's unweighted loss.

        A batch is cut into micro-batches, each weighted by its share, so that memory is bounded
        and the sum is that of the whole batch.
        """
        terms = {}
        for index, constraint in enumerate(self.constraints):
            term = 0.0
            for query, target, share in self.parts(index):
                loss = constraint.loss(self.predict(index, query, target), target)
                (constraint.weight * share * loss).backward()
                term += share * loss.item()
            terms[constraint.name] = term
        self._known = terms
        return terms

    def total(self, terms: dict[str, float]) -> float:
        """The weighted sum of the constraints' losses."""
        return sum(c.weight * terms[c.name] for c in self.constraints)

    def __call__(self) -> float:
        """Set the field's gradients and return the loss.

        The first call after `add_gradients` finds them computed.
        """
        terms, self._known = self._known, None
        if terms is None:
            self.field.zero_grad(set_to_none=True)
            terms = self.add_gradients()
            self._known = None
        return self.total(terms)

    def parts(self, index: int) -> Iterator[tuple[Any, Tensor, float]]:
        """Queries, targets and share of the batch, for each micro-batch of a constraint."""
        return self._cut(*self._batches[index])

    def _cut(self, query: Any, target: Any) -> Iterator[tuple[Any, Tensor, float]]:
        size = len(target)
        for start in range(0, size, self.micro_batch):
            part = slice(start, min(start + self.micro_batch, size))
            share = (part.stop - part.start) / size
            yield query[part].to(self._reference), target[part].to(self._reference), share

    def predict(self, index: int, query: Any, target: Tensor) -> Tensor:
        """What a constraint's map makes of the field.

        Raises:
            ValueError: If it has another shape than the target, which broadcasting would fit to
                something, silently and wrong; or if it does not depend on the field.
        """
        constraint = self.constraints[index]
        with torch.autocast(self._reference.device.type, torch.bfloat16, enabled=self.bfloat16):
            prediction: Tensor = constraint.map(self.field, query)
        if prediction.shape != target.shape:
            raise ValueError(
                f"fit: expected predictions of shape {tuple(target.shape)} from constraint "
                f"{constraint.name!r}, got {tuple(prediction.shape)}. Does the field's out_dim "
                "match the signal?"
            )
        if torch.is_grad_enabled() and not prediction.requires_grad:
            raise ValueError(
                f"fit: expected predictions that depend on the field from constraint "
                f"{constraint.name!r}, got some without a gradient. Does its map use the field?"
            )
        return prediction

    def _draw(self, index: int, seed: int, step: int) -> tuple[Any, Any]:
        constraint, counters = self.constraints[index], {"seed": seed, "step": step}
        size = constraint.batch_size
        if size is None or constraint.refine == 1:
            return constraint.signal.batch(size, **counters, stream=index)
        query, target = constraint.signal.batch(size * constraint.refine, **counters, stream=index)
        with torch.no_grad():
            far = [
                (self.predict(index, q, t) - t).abs().flatten(1).sum(1)
                for q, t, _ in self._cut(query, target)
            ]
        kept = choose_by_size(torch.cat(far), size, **counters, stream=index)
        return query[kept], target[kept]


def first_not_finite(terms: dict[str, float], field: nn.Module) -> str | None:
    """Name the first constraint, or else parameter, whose loss or gradient is not finite."""
    for name, value in terms.items():
        if not math.isfinite(value):
            return f"the loss of constraint {name!r}"
    gradients = [_numbers(p.grad) for p in field.parameters() if p.grad is not None]
    if torch.nn.utils.get_total_norm(gradients).isfinite():
        return None
    for name, parameter in field.named_parameters():
        if parameter.grad is not None and not _numbers(parameter.grad).isfinite().all():
            return f"the gradient of {name}"
    return "the norm of the gradient"


def _numbers(gradient: Tensor) -> Tensor:
    return gradient.coalesce().values() if gradient.is_sparse else gradient
