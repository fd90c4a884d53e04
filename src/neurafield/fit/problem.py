"""A problem: constraints that a field shall satisfy at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .._checks import check_count, check_positive
from ..maps import AbstractMap, Identity
from ..signals import AbstractSignal
from .losses import mse


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """`weight * loss(map(field, query), target)` is small, for all that the signal draws.

    A problem is a list of constraints; its loss is their sum.

    Args:
        signal: What was observed.
        map: What the measurement makes of the field.
        loss: A mean over points, so that micro-batches add up to the whole.
        weight: Of this constraint in the sum.
        batch_size: Samples drawn a step; None for all of them, in order.
        refine: Candidates for each sample. Above 1, samples are kept by chance where the map's
            prediction is far from the target: for equations whose residual is large in few places.
            They are chosen anew at each step, even where steps share the candidates
            (`resample_every`), so that no batch is used twice.
        name: What a log or an error calls it.

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, equation 3; integrals are estimated by samples.
    """

    signal: AbstractSignal
    map: AbstractMap = field(default_factory=Identity)
    loss: Callable[[Any, Any], Tensor] = mse
    weight: float = 1.0
    batch_size: int | None = None
    refine: int = 1
    name: str = "data"

    def __post_init__(self) -> None:
        check_positive("Constraint", weight=self.weight)
        if self.batch_size is not None:
            check_count("Constraint", batch_size=self.batch_size, high=2**32)
        check_count("Constraint", refine=self.refine)
        if self.refine > 1 and self.batch_size is None:
            raise ValueError(
                f"Constraint: expected a batch_size for refine={self.refine}, got None, which "
                "leaves nothing to choose from."
            )


Problem = Constraint | list[Constraint]
"""One constraint or several."""
