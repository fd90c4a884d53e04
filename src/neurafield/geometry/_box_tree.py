"""Bounding volume hierarchy: a tree of boxes, so that most boxes need no test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

_MARGIN = 1e-5
"""Margin on all sides, so that a point on a face is inside in spite of rounding."""


@dataclass(frozen=True)
class Node:
    """An axis-aligned bounding box of everything below the node.

    Args:
        low: Lowest corner.
        high: Highest corner.
        item: Index of the box at a leaf, or None.
        children: Two child nodes, or none at a leaf.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    item: int | None
    children: tuple["Node", ...] = ()

    def distance(self, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """Distance from points to the box; 0 inside, NaN for a point with a NaN coordinate."""
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        return (low - x).maximum(x - high).clamp(min=0).square().sum(-1).sqrt()


def tree(lows: NDArray[np.float64], highs: NDArray[np.float64]) -> Node:
    """Builds a balanced tree: boxes are split in half by their centres along the longest axis.

    Args:
        lows: Lowest corner of each box, shape `(n, d)`.
        highs: Highest corner of each box.

    Reference:
        Kay and Kajiya, Ray Tracing Complex Scenes, SIGGRAPH 1986, section 4.
    """
    return _node(lows - _MARGIN, highs + _MARGIN, range(len(lows)))


def _node(lows: NDArray[np.float64], highs: NDArray[np.float64], items: Sequence[int]) -> Node:
    chosen = list(items)
    low, high = lows[chosen].min(0), highs[chosen].max(0)
    ends = tuple(low.tolist()), tuple(high.tolist())
    if len(chosen) == 1:
        return Node(*ends, chosen[0])
    centres = (lows + highs)[chosen]
    order = np.argsort(centres[:, np.ptp(centres, axis=0).argmax()], kind="stable")
    half = len(chosen) // 2
    parts = ([chosen[k] for k in order[:half]], [chosen[k] for k in order[half:]])
    return Node(*ends, None, tuple(_node(lows, highs, part) for part in parts))
