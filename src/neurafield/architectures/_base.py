"""What an architecture is, and what it makes of a signal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..fields.field import Field
from ..signals import AbstractGridSignal, AbstractLayout

Build = Callable[[AbstractLayout, Any, torch.Generator | None], Field]
"""From a signal's layout, a size and a source of initial parameters to a field."""

Size = Callable[[AbstractLayout, int | None, AbstractGridSignal[Any] | None], Any]
"""From a signal's layout, a number of parameters, and the signal to a size; see `Architecture`."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A way to build a field for a signal, and to train it.

    Args:
        about: What it is, in a few words.
        build: From the signal's layout, a size and a generator to a field. What a size is, is the
            architecture's own: a width, or the sizes of a grid.
        size: From the layout, a number of parameters and the signal, where it is known, to the
            size whose field comes closest; from no number to the size that suits the layout.
        lr: Learning rate that suits it, under the cosine schedule.
        dims: Numbers of coordinates that it serves.
        batch_size: From the number of samples to those of a step.
        micro_batch: Samples at a time, so many that what is kept for the backward pass stays small.
        steps: From the number of samples to the steps that suit it.
        trains_levels: Whether every level of detail is trained, not the last alone.
    """

    about: str
    build: Build
    size: Size
    lr: float
    dims: tuple[int, ...] = (1, 2, 3)
    batch_size: Callable[[int], int]
    micro_batch: int
    steps: Callable[[int], int]
    trains_levels: bool = False


@dataclass(frozen=True)
class Plan:
    """A field and the settings to fit it with.

    Args:
        field: With its initial parameters.
        with_seed: From another seed to the same field with other initial parameters.
        arch: Name of its architecture.
        lr: Learning rate.
        batch_size: Samples a step; None for all of them.
        micro_batch: Samples at a time.
        steps: How many, if nobody says otherwise.
        trains_levels: Whether every level of detail is to be trained, not the last alone.
    """

    field: Field
    with_seed: Callable[[int], Field]
    arch: str
    lr: float
    batch_size: int | None
    micro_batch: int
    steps: int
    trains_levels: bool = False


def described(build: Build, layout: AbstractLayout, size: Any) -> Field:
    """The field of a size on the meta device, to count its parameters without making them."""
    with torch.device("meta"):
        return build(layout, size, None)
