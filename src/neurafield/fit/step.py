"""One step's gradients, and whether they can be trusted."""

import math

import torch
from torch import Tensor, nn

from .problem import Constraint


def add_gradients(
    field: nn.Module,
    constraints: list[Constraint],
    *,
    seed: int,
    step: int,
    micro_batch: int,
    bfloat16: bool = False,
) -> dict[str, float]:
    """Add the gradients of all constraints to the field's; return each one's unweighted loss.

    A batch is cut into micro-batches, each weighted by its share, so that memory is bounded and
    the sum is that of the whole batch.
    """
    reference = next(field.parameters())
    terms = {}
    for stream, constraint in enumerate(constraints):
        query, target = constraint.signal.batch(
            constraint.batch_size, seed=seed, step=step, stream=stream
        )
        size, term = len(target), 0.0
        for start in range(0, size, micro_batch):
            part = slice(start, min(start + micro_batch, size))
            with torch.autocast(reference.device.type, torch.bfloat16, enabled=bfloat16):
                prediction = constraint.map(field, query[part].to(reference))
            share = (part.stop - part.start) / size
            expected = target[part].to(reference)
            if prediction.shape != expected.shape:
                # Broadcasting would fit something, silently and wrong.
                raise ValueError(
                    f"fit: expected predictions of shape {tuple(expected.shape)} from constraint "
                    f"{constraint.name!r}, got {tuple(prediction.shape)}. Does the field's out_dim "
                    "match the signal?"
                )
            loss = constraint.loss(prediction, expected)
            (constraint.weight * share * loss).backward()
            term += share * loss.item()
        terms[constraint.name] = term
    return terms


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
