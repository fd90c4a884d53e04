"""Sizes of a hash grid: by the signal's extent, or to meet a number of parameters.

The rule was measured on nine pictures of 0.26 to 14 megapixels (docs/benchmarks.md):

- 16 levels of 2 features, from 32 cells along the longest axis to 1.5 cells per sample. Any two
  samples then lie in different cells of the finest level.
- The corners of the coarsest level fill at most a quarter of a table, so that some levels have no
  collisions. With 12,000 parameters for 128 x 128 pixels of three Kodak pictures this is worth 2.8
  to 7 dB, and a shape of 250,000 parameters has no parts that float beside it. (A sixteenth was 1
  to 2.3 dB worse than a quarter.)
- A table has a sixteenth as many rows per level as there are samples, between 2^8 and 2^19. A field
  then has at most about as many parameters as the signal has values.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..encodings.hash_grid import growing_resolutions
from ..errors import ArgumentError
from ..geometry import Extent
from ..kernels.grid import MAX_CELLS

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
        log2_table_size: Base-2 logarithm of the largest number of rows per level.
        num_levels: Number of levels.
        base_resolution: Cells of the coarsest level along each axis.
        finest_resolution: Cells of the finest level along each axis.
    """

    width: int
    log2_table_size: int
    num_levels: int
    base_resolution: tuple[int, ...]
    finest_resolution: tuple[int, ...]

    @property
    def num_parameters(self) -> int:
        """Number of parameters in the tables."""
        resolutions = growing_resolutions(
            self.base_resolution, self.finest_resolution, self.num_levels
        )
        # Row counts of `make_levels`, without its levels: a search asks for thousands.
        most = 2**self.log2_table_size
        return FEATURES * sum(min(most, math.prod(n + 1 for n in cells)) for cells in resolutions)


def default_size(extent: Extent) -> HashSize:
    """The size that suits a signal's extent."""
    low, high = _LOG2_ROWS
    log2_rows = round(math.log2(extent.num_samples / _SAMPLES_A_ROW))
    return _sized(extent, min(high, max(low, log2_rows)))


def matching_size(
    extent: Extent, num_parameters: int, network: Callable[[HashSize], int]
) -> HashSize:
    """Find the size whose field comes closest to a number of parameters.

    At least half of the parameters go into the tables; small fields get a narrower network for
    that. Among sizes within a percent, the one nearest to the default is preferred.

    Args:
        extent: Extent of the signal.
        num_parameters: Number of parameters of the whole field.
        network: Function from a size to the number of parameters of the network.

    Raises:
        ValueError: If the number is out of reach.
    """
    sizes: list[int] = []
    closest, least = None, math.inf
    for candidate in _candidates(extent, num_parameters // 2, network):
        sizes.append(candidate.num_parameters + network(candidate))
        distance = round(abs(sizes[-1] / num_parameters - 1), 2)
        if distance < least:
            closest, least = candidate, distance
        if least == 0:
            break  # The first of equals: no later candidate can replace it.
    if closest is None or (least > 0 and not min(sizes) <= num_parameters <= max(sizes)):
        raise ArgumentError(
            f"params: {num_parameters:,} are too {'many' if sizes else 'few'} for a hash grid on "
            f"this signal. Choose another number, or a network alone, such as siren."
        )
    return closest


def _candidates(
    extent: Extent, most: int, network: Callable[[HashSize], int]
) -> Iterator[HashSize]:
    """Sizes whose network has `most` parameters or fewer, the most usual first."""
    for width, scale, num_levels in itertools.product(
        _WIDTHS, (1.0, 1.25, 0.8, 1.6, 0.6, 2.5, 4.0, 8.0), range(_NUM_LEVELS, 3, -1)
    ):
        if network(_sized(extent, 1, num_levels, scale, width)) <= most:
            for log2_rows in range(1, 25):
                yield _sized(extent, log2_rows, num_levels, scale, width)


def _sized(
    extent: Extent,
    log2_rows: int,
    num_levels: int = _NUM_LEVELS,
    scale: float = 1.0,
    width: int = _WIDTHS[0],
) -> HashSize:
    finest = tuple(min(MAX_CELLS, max(2, round(_CELLS_A_SAMPLE * scale * n))) for n in extent.shape)
    coarsest = min(_COARSEST, (2**log2_rows * _COARSEST_SHARE) ** (1 / extent.in_dim))
    # The same shape of cells at every level.
    shrink = min(1.0, coarsest / max(finest))
    base = tuple(max(1, round(shrink * n)) for n in finest)
    return HashSize(width, log2_rows, num_levels, base, finest)
