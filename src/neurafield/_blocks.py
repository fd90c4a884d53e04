"""Evaluation of a function at many points, block by block and without gradients."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

BLOCK = 8192
"""Points per call: the activations of a network of width 256 then stay near the cache."""


def in_blocks(function: Callable[[Any], Tensor], x: Any, *, size: int = BLOCK) -> Tensor:
    """Values of a function at many points, computed block by block and without gradients.

    A module with parameters receives the points in the type and on the device of its first
    parameter. Any other function receives them as they are. The function must treat points one by
    one, so that the cut into blocks does not change its values.

    Args:
        function: Function from a block of points `(n, ...)` to values `(n, ...)`.
        x: Points `(n, d)`, or anything else that has a length and slices, such as a `range`.
        size: Points per block.

    Returns:
        Values of all points, along the first axis. The function is called once, with no points,
        if there are none.

    Example:
        >>> in_blocks(lambda x: x.sum(1), torch.ones(5, 3), size=2)
        tensor([3., 3., 3., 3., 3.])
    """
    like = next(function.parameters(), None) if isinstance(function, nn.Module) else None
    values = []
    with torch.no_grad():
        for start in range(0, max(len(x), 1), size):
            block = x[start : start + size]
            values.append(function(block if like is None else block.to(like)))
        return torch.cat(values)
