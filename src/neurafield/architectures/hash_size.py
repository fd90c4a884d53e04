"""How large a hash grid should be: from the signal's size, or to meet a number of parameters.

The rule, measured on nine pictures of 0.26 to 14 megapixels (docs/benchmarks.md):

- 16 levels of 2 features, from 32 cells along the longest axis to 1.5 cells a sample. The finest
  level then tells any two samples apart.
- But never so many cells in the coarsest level that its corners need more than a quarter of a
  table. Some levels without collisions must be there: with 12,000 parameters for 128 x 128 pixels
  of three Kodak pictures that is worth 2.8 to 7 dB, and a body of 250,000 has no parts that float
  beside it. (A sixteenth was 1 to 2.3 dB worse than a quarter.)
- A table of a sixteenth as many rows a level as there are samples, between 2^8 and 2^19. A field
  then has about as many parameters as the signal has values, or fewer.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

from ..encodings.hash_grid import growing_resolutions
from ..errors import ArgumentError
from ..kernels.grid import MAX_CELLS, make_levels
from ..signals import AbstractLayout

FEATURES = 2
_COARSEST = 32
_COARSEST_SHARE = 1 / 4
_NUM_LEVELS = 16
_WIDTHS = (64, 32, 16)
_CELLS_A_SAMPLE = 1.5
_SAMPLES_A_ROW = 16
_LOG2_ROWS = (8, 19)


@dataclass(frozen=True)
class HashSize:
    """Sizes of a hash grid.

    Args:
        width: Units in each hidden layer of the network on top.
        log2_table_size: Rows of a level, at most.
        num_levels: Levels.
        base_resolution: Cells of the coarsest along each axis.
        finest_resolution: Cells of the finest along each axis.
    """

    width: int
    log2_table_size: int
    num_levels: int
    base_resolution: tuple[int, ...]
    finest_resolution: tuple[int, ...]

    @property
    def num_parameters(self) -> int:
        """Numbers in the tables."""
        resolutions = growing_resolutions(
            self.base_resolution, self.finest_resolution, self.num_levels
        )
        return FEATURES * make_levels(resolutions, max_rows=2**self.log2_table_size).num_rows


def default_size(layout: AbstractLayout) -> HashSize:
    """What suits a signal."""
    low, high = _LOG2_ROWS
    log2_rows = round(math.log2(layout.grid.num_samples / _SAMPLES_A_ROW))
    return _sized(layout, min(high, max(low, log2_rows)))


def matching_size(
    layout: AbstractLayout, num_parameters: int, network: Callable[[HashSize], int]
) -> HashSize:
    """What comes closest to a number of parameters, to a percent; of equals the most usual.

    Half of them at least go into the tables, for which small fields get a narrower network.

    Args:
        layout: Of the signal.
        num_parameters: Of the whole field.
        network: From the sizes to the parameters of the network on top.

    Raises:
        ValueError: If it is out of reach.
    """
    candidates = [
        _sized(layout, log2_rows, num_levels, scale, width)
        for width, scale, num_levels, log2_rows in itertools.product(
            _WIDTHS,
            (1.0, 1.25, 0.8, 1.6, 0.6, 2.5, 4.0, 8.0),
            range(_NUM_LEVELS, 3, -1),
            range(1, 25),
        )
        if 2 * network(_sized(layout, 1, num_levels, scale, width)) <= num_parameters
    ]
    sizes = [c.num_parameters + network(c) for c in candidates]
    if not sizes or not min(sizes) <= num_parameters <= max(sizes):
        raise ArgumentError(
            f"params: {num_parameters:,} are too {'many' if sizes else 'few'} for a hash grid on "
            f"this signal. Choose another number, or a network alone, such as siren."
        )
    return min(
        zip(candidates, sizes, strict=True),
        key=lambda pair: round(abs(pair[1] / num_parameters - 1), 2),
    )[0]


def _sized(
    layout: AbstractLayout,
    log2_rows: int,
    num_levels: int = _NUM_LEVELS,
    scale: float = 1.0,
    width: int = _WIDTHS[0],
) -> HashSize:
    finest = tuple(min(MAX_CELLS, max(2, round(_CELLS_A_SAMPLE * scale * n))) for n in layout.shape)
    coarsest = min(_COARSEST, (2**log2_rows * _COARSEST_SHARE) ** (1 / layout.in_dim))
    # The same shape of cells at every level.
    shrink = min(1.0, coarsest / max(finest))
    base = tuple(max(1, round(shrink * n)) for n in finest)
    return HashSize(width, log2_rows, num_levels, base, finest)
