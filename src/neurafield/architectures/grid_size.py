"""How fine a grid of features should be: from the signal's size, or to meet a number of parameters.

Cells are as many along each axis as the signal's shape asks for, so they are of one shape in
samples. With few features first; more where the cells would else be finer than the samples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from ..errors import ArgumentError
from ..fields.field import Field
from ..signals import AbstractLayout
from ._base import Build, described

WIDTHS = tuple(range(64, 15, -1))
"""Units in each hidden layer of the network on top, the most usual first."""

_CLOSE = 0.01
_VALUES_A_PARAMETER = 2
_DEFAULT_PARAMETERS = (2**12, 2**22)


@dataclass(frozen=True)
class GridSize:
    """Sizes of a grid and of the network on top.

    Args:
        fineness: Cells along the longest axis, times the number of axes, so that a step of one is
            a cell more on a single axis.
        features: Channels at each vertex.
        width: Units in each hidden layer; 0 for a network that has none.
    """

    fineness: int
    features: int
    width: int

    def resolution(self, layout: AbstractLayout) -> list[int]:
        """Cells along each axis, in the proportions of the signal."""
        longest = layout.in_dim * max(layout.shape)
        return [
            max(1, (self.fineness + axis) * count // longest)
            for axis, count in enumerate(layout.shape)
        ]


def default_parameters(layout: AbstractLayout) -> int:
    """Half as many parameters as the signal has values, within reason."""
    low, high = _DEFAULT_PARAMETERS
    values = layout.grid.num_samples * layout.channels
    return min(high, max(low, values // _VALUES_A_PARAMETER))


def matching_grid(
    build: Build,
    layout: AbstractLayout,
    num_parameters: int,
    *,
    features: Sequence[int],
    widths: Sequence[int],
    cells_a_sample: float,
) -> GridSize:
    """What comes closest to a number of parameters, to a percent; of equals the most usual.

    Half of them at least go into the grid, for which small fields get a narrower network.

    Args:
        build: Of the architecture.
        layout: Of the signal.
        num_parameters: Of the whole field.
        features: Channels to choose from, the fewest first: the first with which the cells are not
            too fine is taken, or else the last.
        widths: Of the network on top, the most usual first.
        cells_a_sample: What is too fine, along an axis.

    Raises:
        ValueError: If it is out of reach.
    """
    finest = cells_a_sample * layout.in_dim * max(layout.shape)
    found = None
    for channels in features:
        finer = _closest(build, layout, num_parameters, channels, widths)
        # A signal of few samples: rather fine cells than none.
        found = finer or found
        if found is not None and found.fineness <= finest:
            return found
    if found is None:
        raise ArgumentError(
            f"params: {num_parameters:,} are too few for this architecture on this signal. Choose "
            "more, or a network alone, such as siren."
        )
    return found


def _closest(
    build: Build, layout: AbstractLayout, num_parameters: int, features: int, widths: Sequence[int]
) -> GridSize | None:
    """The best size with so many features, if there is one."""

    @cache
    def in_grid(fineness: int) -> int:
        # The width of the network on top does not matter to it.
        field = described(build, layout, GridSize(fineness, features, widths[-1]))
        return field.num_parameters - _in_network(field)

    found, least = None, math.inf
    for width in widths:
        network = _in_network(described(build, layout, GridSize(1, features, width)))
        if 2 * network > num_parameters:
            continue
        for fineness in _around(in_grid, num_parameters - network):
            error = abs((in_grid(fineness) + network) / num_parameters - 1)
            if error < least:
                found, least = GridSize(fineness, features, width), error
        if least <= _CLOSE:
            break
    return found


def _in_network(field: Field) -> int:
    return sum(parameter.numel() for parameter in field.network.parameters())


def _around(count: Callable[[int], int], most: int) -> list[int]:
    """The largest number from 1 whose count is no more than `most`, and the next one."""
    low, high = 0, 1
    while count(high) <= most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= most else (low, middle)
    return [low, high] if low else [high]
