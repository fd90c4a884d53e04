"""Regular sample grids in the coordinates [-1, 1]."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .._checks import check_count


@dataclass(frozen=True)
class Grid:
    """Regularly spaced sample positions.

    Sample `i` of an axis lies at `first + i * spacing`. Axes are ordered as in the array (row,
    column, ...). Coordinates are computed on request and never stored.

    Args:
        shape: Samples on each axis.
        first: Coordinate of sample 0 on each axis.
        spacing: Distance between neighbours on each axis.

    Example:
        >>> Grid.centres((2, 4)).coords(np.array([0, 7])).tolist()
        [[-0.5, -0.75], [0.5, 0.75]]
    """

    shape: tuple[int, ...]
    first: tuple[float, ...]
    spacing: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.first) == len(self.spacing) >= 1:
            raise ValueError(
                f"Grid: expected shape, first and spacing of one length, got {self.shape}, "
                f"{self.first} and {self.spacing}."
            )
        for axis, count in enumerate(self.shape):
            check_count("Grid", high=2**40, **{f"shape[{axis}]": count})

    @classmethod
    def centres(cls, shape: Sequence[int]) -> "Grid":
        """Grid with samples at the centres of equal cells of [-1, 1]: the library's convention."""
        return cls(tuple(shape), tuple(1 / n - 1 for n in shape), tuple(2 / n for n in shape))

    @classmethod
    def endpoints(cls, shape: Sequence[int]) -> "Grid":
        """Grid with the first sample at -1 and the last at 1, as in the SIREN paper's code.

        On an axis with a single sample, it lies at 0.
        """
        return cls(
            tuple(shape),
            tuple(-1.0 if n > 1 else 0.0 for n in shape),
            tuple(2 / (n - 1) if n > 1 else 2.0 for n in shape),
        )

    @property
    def dim(self) -> int:
        """Number of axes, and so of coordinates."""
        return len(self.shape)

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return int(np.prod(self.shape, dtype=np.int64))

    def coords(self, indices: Int64[np.ndarray, " n"]) -> Float[Tensor, "n dim"]:
        """Coordinates of samples, given their flat row-major indices."""
        axes = np.unravel_index(indices, self.shape)
        # In float64 until the end: 14 million positions on an axis need more than 24 bits
        # between first + i * spacing and its rounding.
        columns = [
            first + spacing * index
            for first, spacing, index in zip(self.first, self.spacing, axes, strict=True)
        ]
        return torch.from_numpy(np.stack(columns, axis=-1).astype(np.float32))

    def resampled(
        self,
        shape: Sequence[int],
        region: Sequence[tuple[float, float]] | None = None,
    ) -> "Grid":
        """A grid of another size over the same cells, or over a region of them.

        Args:
            shape: Samples on each axis of the new grid.
            region: Begin and end of the new grid on each axis, in samples of this one; the whole
                axis is `(0, n)`. The default is the whole grid.

        Raises:
            ValueError: If the region is empty or extends outside.
        """
        region = [(0, n) for n in self.shape] if region is None else list(region)
        if not len(shape) == len(region) == self.dim:
            raise ValueError(
                f"Grid.resampled: expected {self.dim} axes, got shape {tuple(shape)} and "
                f"{len(region)} ranges."
            )
        firsts, spacings = [], []
        for axis, (start, stop) in enumerate(region):
            count = self.shape[axis]
            if not 0 <= start < stop <= count:
                raise ValueError(
                    f"Grid.resampled: expected a region inside 0 to {count} on axis {axis}, "
                    f"got {start} to {stop}."
                )
            ratio = (stop - start) / shape[axis]
            # Cells are aligned, not centres: new cell j covers old cells start + j * ratio to start
            # + (j + 1) * ratio, and its sample is at its centre.
            firsts.append(self.first[axis] + self.spacing[axis] * (start + 0.5 * ratio - 0.5))
            spacings.append(self.spacing[axis] * ratio)
        return Grid(tuple(shape), tuple(firsts), tuple(spacings))
