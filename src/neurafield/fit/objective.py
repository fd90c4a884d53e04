"""The loss of one step as a function of everything that is trained."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..signals import Query
from ..signals.sampling import choose_by_size
from .batch import Batch
from .problem import Constraint, Penalty, Term
from .trained import Trained


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
        self._batches = {
            term.name: self._draw(term, seed=seed, step=step, stream=index)
            for index, term in enumerate(terms)
            if isinstance(term, Constraint)
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
        return self._batches[constraint.name].parts(self.micro_batch, self._like)

    def predict(self, constraint: Constraint, query: Query, target: Tensor) -> Tensor:
        """Prediction of a constraint's map from the field.

        Raises:
            ValueError: If its shape differs from the target's, it depends on no trained parameter,
                or it depends on a parameter that is not trained.
        """
        return self._predict(self._batches[constraint.name], query, target)

    def _predict(self, batch: Batch, query: Query, target: Tensor) -> Tensor:
        with torch.autocast(self._like.device.type, torch.bfloat16, enabled=self.bfloat16):
            prediction = batch.predict(self.trained.field, query, target)
        if torch.is_grad_enabled():
            self._check_gradient(prediction, batch.constraint)
        return prediction

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
                f"fit: expected values that depend on the field from {term.title}, got some "
                f"without a gradient. Does its {part} use the field?"
            )
        if not self._check_leaves:
            return
        leaf = self.trained.untrained_leaf(value)
        if leaf is not None:
            raise ValueError(
                f"fit: expected {term.title} to depend on trained parameters only, got a parameter "
                f"of shape {tuple(leaf.shape)} that is not trained. Pass it by name: "
                "Residual(lambda u, x, k: ..., k=k)."
            )

    def _draw(self, constraint: Constraint, **counters: int) -> Batch:
        size = constraint.batch_size
        if size is None or constraint.refine == 1:
            return Batch.draw("fit", constraint, size, **counters)
        candidates = Batch.draw("fit", constraint, size * constraint.refine, **counters)
        with torch.no_grad():
            deviations = [
                (self._predict(candidates, query, target) - target).abs().flatten(1).sum(1)
                for query, target, _ in candidates.parts(self.micro_batch, self._like)
            ]
        kept = choose_by_size(torch.cat(deviations), size, **counters)
        return Batch("fit", constraint, candidates.query[kept], candidates.target[kept])
