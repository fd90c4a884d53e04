"""Architectures of equal size."""

from collections.abc import Sequence
from typing import Any

from ... import architectures, signals
from ...errors import ArgumentError

TOLERANCE = 0.05
"""Largest relative difference between a field's number of parameters and the budget."""


def plan_of_size(
    signal: signals.AbstractGridSignal[Any], arch: str, budget: int, *, seed: int
) -> architectures.Plan:
    """A plan whose field has the budgeted number of parameters.

    Raises:
        ArgumentError: If the architecture comes no closer than the tolerance.
    """
    plan = architectures.plan(
        signal.layout.extent, arch, num_parameters=budget, seed=seed, signal=signal
    )
    size = plan.field.num_parameters
    if abs(size / budget - 1) > TOLERANCE:
        raise ArgumentError(
            f"{budget} parameters: {arch} comes no closer than {size}. Choose more with --params."
        )
    return plan


def check_different(option: str, values: Sequence[Any]) -> None:
    """Require values without repetition.

    Raises:
        ArgumentError: If one occurs twice.
    """
    if len(set(values)) < len(values):
        raise ArgumentError(
            f"{option}: expected different values, got {' '.join(map(str, values))}."
        )
