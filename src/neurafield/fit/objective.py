"""The loss of one step as a function of everything that is trained."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ..signals import Query
from ..signals.sampling import choose_by_size
from .batch import Batch, predict
from .problem import Constraint, Penalty, Term
from .trained import Trained, check_leaves


class Objective:
    """The loss of one step: its batches, gradients and residuals.

    Batches are drawn once, so all evaluations within the step see the same loss. An instance can
    be called, as the closure that torch's optimizers take.

    Args:
        trained: Field and unknowns.
        terms: Terms of the problem.
        seed: Seed of the run.
        step: Index of the step in the run.
        micro_batch: Number of samples that pass through the field at a time.
        bfloat16: Mixed precision: products between hidden layers in bfloat16.
    """

    def __init__(
        self,
        trained: Trained,
        terms: list[Term],
        *,
        seed: int,
        step: int,
        micro_batch: int,
        bfloat16: bool = False,
    ) -> None:
        self.trained = trained
        self.terms = terms
        self.micro_batch = micro_batch
        self.bfloat16 = bfloat16
        self._like = trained.like()
        # A stream per term gives constraints that share a signal different batches.
        self._counters = {
            term.name: {"seed": seed, "step": step, "stream": index}
            for index, term in enumerate(terms)
        }
        self._batches = {
            term.name: self._draw(term)
            for term in terms
            # A trained signal changes within the step, and so does its batch.
            if isinstance(term, Constraint) and not isinstance(term.signal, nn.Module)
        }
        self._known: dict[str, float] | None = None
        self._check_leaves = step == 0

    def add_gradients(self) -> dict[str, float]:
        """Adds the gradients of all terms to the parameters' and returns the unweighted losses.

        A batch is split into micro-batches to bound the memory. Each is weighted by its share, so
        that the sum is that of the whole batch.
        """
        values = {}
        for term in self.terms:
            if isinstance(term, Penalty):
                penalty = self._penalty(term)
                (term.weight * penalty).backward()
                values[term.name] = penalty.item()
                continue
            value = 0.0
            for query, target, share in self.parts(term):
                loss = term.loss(self.predict(term, query, target), target)
                self._check_gradient(loss, term)
                (term.weight * share * loss).backward()
                value += share * loss.item()
            values[term.name] = value
        self._known = values
        return values

    def total(self, values: dict[str, float]) -> float:
        """Weighted sum of the terms' values."""
        return sum(term.weight * values[term.name] for term in self.terms)

    def __call__(self) -> float:
        """Sets the gradients of all parameters and returns the loss.

        The first call after `add_gradients` reuses its values.
        """
        values, self._known = self._known, None
        if values is None:
            self.trained.zero_grad(set_to_none=True)
            values = self.add_gradients()
            self._known = None
        return self.total(values)

    def parts(self, constraint: Constraint) -> Iterator[tuple[Query, Tensor, float]]:
        """Yields queries, targets and share of the batch, for each micro-batch of a constraint."""
        return self._batch(constraint).parts(self.micro_batch, self._like)

    def predict(self, constraint: Constraint, query: Query, target: Tensor) -> Tensor:
        """Prediction of a constraint's map from the field.

        Raises:
            ValueError: If its shape differs from the target's.
        """
        with torch.autocast(self._like.device.type, torch.bfloat16, enabled=self.bfloat16):
            return predict("fit", constraint, self.trained.field, query, target)

    def _batch(self, constraint: Constraint) -> Batch:
        known = self._batches.get(constraint.name)
        return self._draw(constraint) if known is None else known

    def _penalty(self, penalty: Penalty) -> Tensor:
        value = penalty.function(self.trained.field)
        if not isinstance(value, Tensor) or value.numel() != 1:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"fit: expected one number from penalty {penalty.name!r}, got {got}. Take the mean "
                "or the sum."
            )
        self._check_gradient(value, penalty)
        return value.reshape(())

    def _check_gradient(self, value: Tensor, term: Term) -> None:
        if not value.requires_grad:
            part = "map" if isinstance(term, Constraint) else "function"
            raise ValueError(
                f"fit: expected a loss that depends on trained parameters from {term.title}, got "
                f"one without a gradient. Does its {part} use the field?"
            )
        if self._check_leaves:
            check_leaves("fit", term, value, self.trained)

    def _draw(self, constraint: Constraint) -> Batch:
        size, counters = constraint.batch_size, self._counters[constraint.name]
        if size is None or constraint.refine == 1:
            return Batch.draw("fit", constraint, size, **counters)
        candidates = Batch.draw("fit", constraint, size * constraint.refine, **counters)
        with torch.no_grad():
            deviations = [
                (self.predict(constraint, query, target) - target).abs().reshape(len(target), -1)
                for query, target, _ in candidates.parts(self.micro_batch, self._like)
            ]
        kept = choose_by_size(torch.cat(deviations).sum(1), size, **counters)
        return Batch("fit", constraint, candidates.query[kept], candidates.target[kept])
