"""Resolution of a feature grid: by the signal's extent, or to meet a number of parameters.

The numbers of cells along the axes have the proportions of the signal's shape. Few features per
vertex are tried first, and more only where cells would otherwise be finer than the samples.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from ..errors import ArgumentError
from ..fields.field import Field
from ..geometry import Extent
from ._base import Build, described

WIDTHS = tuple(range(64, 15, -1))
"""Widths of the network on top, in order of preference."""

_CLOSE = 0.01
_VALUES_A_PARAMETER = 2
_DEFAULT_PARAMETERS = (2**12, 2**22)


@dataclass(frozen=True)
class GridSize:
    """Sizes of a grid and of the network on top.

    Args:
        fineness: Cells along the longest axis, times the number of axes; one more adds a cell on a
            single axis.
        features: Channels at each vertex.
        width: Units in each hidden layer; 0 for a network that has none.
    """

    fineness: int
    features: int
    width: int

    def resolution(self, extent: Extent) -> list[int]:
        """Number of cells along each axis, in the proportions of the signal."""
        longest = extent.in_dim * max(extent.shape)
        return [
            max(1, (self.fineness + axis) * count // longest)
            for axis, count in enumerate(extent.shape)
        ]


def default_parameters(extent: Extent) -> int:
    """Half as many parameters as the signal has values, within reason."""
    low, high = _DEFAULT_PARAMETERS
    values = extent.num_values
    return min(high, max(low, values // _VALUES_A_PARAMETER))


def matching_grid(
    build: Build,
    extent: Extent,
    num_parameters: int,
    *,
    features: Sequence[int],
    widths: Sequence[int],
    cells_a_sample: float,
) -> GridSize:
    """Find the size whose field comes closest to a number of parameters.

    At least half of the parameters go into the grid; small fields get a narrower network for that.
    Among sizes within a percent, the first width is preferred.

    Args:
        build: Function that builds the architecture.
        extent: Extent of the signal.
        num_parameters: Number of parameters of the whole field.
        features: Channels to choose from, fewest first. The first one whose cells are not too fine
            is taken, or else the last one.
        widths: Widths of the network to choose from, in order of preference.
        cells_a_sample: Largest number of cells per sample, along an axis.

    Raises:
        ValueError: If the number is out of reach.
    """
    finest = cells_a_sample * extent.in_dim * max(extent.shape)
    found = None
    for channels in features:
        finer = _closest(build, extent, num_parameters, channels, widths)
        # For signals with few samples, cells that are too fine are better than none.
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
    build: Build, extent: Extent, num_parameters: int, features: int, widths: Sequence[int]
) -> GridSize | None:
    """The best size with this number of features, if there is one."""

    @cache
    def in_grid(fineness: int) -> int:
        # The width of the network does not change the grid.
        field = described(build, extent, GridSize(fineness, features, widths[-1]))
        return field.num_parameters - _in_network(field)

    found, least = None, math.inf
    for width in widths:
        network = _in_network(described(build, extent, GridSize(1, features, width)))
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
    """The largest number from 1 on whose count is at most `most`, and the next one."""
    low, high = 0, 1
    while count(high) <= most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= most else (low, middle)
    return [low, high] if low else [high]
