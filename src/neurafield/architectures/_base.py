"""The types of an architecture and of a plan."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..fields.field import Field
from ..geometry import Extent
from ..signals import AbstractGridSignal

Build = Callable[[Extent, Any, torch.Generator | None], Field]
"""Function from a signal's extent, a size and a source of initial parameters to a field."""

Size = Callable[[Extent, int | None, AbstractGridSignal[Any] | None], Any]
"""Function from an extent, a number of parameters and the signal to a size; see `Architecture`."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A way to build a field for a signal, and to train it.

    Args:
        about: Description in a few words.
        build: Function from the signal's extent, a size and a generator to a field. Each
            architecture has its own type of size: a width, or the sizes of a grid.
        size: Function from the extent, a number of parameters and the signal, where it is known,
            to the size whose field comes closest. Without a number it chooses the size by the
            extent.
        lr: Learning rate, for the cosine schedule.
        dims: Numbers of coordinates that the architecture supports.
        batch_size: Function from the number of samples to the samples per step.
        micro_batch: Samples per micro-batch, few enough to keep the memory of the backward pass
            small.
        steps: Function from the number of samples to the default number of steps.
        trains_levels: True if every level of detail is trained, not the last alone.
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
        field: Field with its initial parameters.
        with_seed: Function from a seed to the same field with other initial parameters.
        arch: Name of the architecture.
        lr: Learning rate.
        batch_size: Samples per step; None for all of them.
        micro_batch: Samples per micro-batch.
        steps: Default number of steps.
        trains_levels: True if every level of detail should be trained, not the last alone.
    """

    field: Field
    with_seed: Callable[[int], Field]
    arch: str
    lr: float
    batch_size: int | None
    micro_batch: int
    steps: int
    trains_levels: bool = False


def described(build: Build, extent: Extent, size: Any) -> Field:
    """The field of a size on the meta device, to count its parameters without making them."""
    with torch.device("meta"):
        return build(extent, size, None)
