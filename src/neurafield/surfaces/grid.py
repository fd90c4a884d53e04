"""A regular grid over a box, whose points, cells and edges are numbered and never listed."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

Index = Int64[np.ndarray, "... 3"]
Key = Int64[np.ndarray, "..."]


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells in a box. A cell goes by the number of its lowest corner, a point by its own.

    Args:
        low: Of the box, x, y, z.
        spacing: From a point to the next, along each axis.
        counts: Cells along each axis; there is one point more.

    Example:
        >>> grid = Grid.over((-1.0, -1.0, -1.0), (1.0, 1.0, 0.5), resolution=8)
        >>> grid.counts
        (8, 8, 6)
        >>> grid.places(grid.index(grid.key(np.array([[8, 0, 3]]))))
        array([[ 1.  , -1.  , -0.25]])
    """

    low: Float64[np.ndarray, "3"]
    spacing: Float64[np.ndarray, "3"]
    counts: tuple[int, int, int]

    @classmethod
    def over(
        cls, low: tuple[float, float, float], high: tuple[float, float, float], resolution: int
    ) -> "Grid":
        """So many cells along the longest axis; along the others as many as keep them cubes."""
        extent = np.array(high) - np.array(low)
        size = extent.max() / resolution
        x, y, z = (max(1, math.ceil(length / size - 1e-9)) for length in extent)
        return cls(np.array(low, dtype=np.float64), extent / (x, y, z), (x, y, z))

    @property
    def strides(self) -> Index:
        """How much the number of a point grows along each axis."""
        _, y, z = self.counts
        return np.array([(y + 1) * (z + 1), z + 1, 1])

    def key(self, index: Index) -> Key:
        """The numbers of points, from their places along the three axes."""
        return index @ self.strides

    def index(self, key: Key) -> Index:
        """The places along the three axes, from the numbers."""
        _, y, z = self.counts
        rest, last = np.divmod(key, z + 1)
        return np.stack([*np.divmod(rest, y + 1), last], axis=-1)

    def places(self, index: np.ndarray) -> Float64[np.ndarray, "... 3"]:
        """Coordinates of points; also of such that are between them."""
        return self.low + self.spacing * index


def distinct(key: Key) -> Key:
    """Each number once, in order. For millions of them `np.unique` takes 60 times as long."""
    key = np.sort(key, axis=None)
    return key[np.diff(key, prepend=-1) != 0]


def contains(ordered: Key, key: Key) -> Bool[np.ndarray, "..."]:
    """Whether numbers are among others, which are in order."""
    where = np.searchsorted(ordered, key).clip(max=max(len(ordered) - 1, 0))
    return ordered[where] == key if len(ordered) else np.zeros(key.shape, bool)
