"""What an architecture is, and what it makes of a signal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..field import Field
from ..signals import AbstractLayout


@dataclass(frozen=True)
class Architecture:
    """A way to build a field for a signal, and to train it.

    Args:
        build: From the signal's layout, a size and a generator to a field. What a size is, is the
            architecture's own: a width, or the sizes of a grid.
        default_size: The size that suits a layout.
        matching_size: The size whose field comes closest to a number of parameters.
        lr: Learning rate that suits it, under the cosine schedule.
        batch_size: From the number of samples to those of a step.
        micro_batch: Samples at a time, so many that what is kept for the backward pass stays small.
        steps: From the number of samples to the steps that suit it.
    """

    build: Callable[[AbstractLayout, Any, torch.Generator | None], Field]
    default_size: Callable[[AbstractLayout], Any]
    matching_size: Callable[[AbstractLayout, int], Any]
    lr: float
    batch_size: Callable[[int], int]
    micro_batch: int
    steps: Callable[[int], int]


@dataclass(frozen=True)
class Plan:
    """A field and the settings to fit it with.

    Args:
        field: With its initial parameters.
        arch: Name of its architecture.
        lr: Learning rate.
        batch_size: Samples a step; None for all of them.
        micro_batch: Samples at a time.
        steps: How many, if nobody says otherwise.
    """

    field: Field
    arch: str
    lr: float
    batch_size: int | None
    micro_batch: int
    steps: int
