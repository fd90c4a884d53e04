"""Values of a field minus a level, in blocks of points."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from .._blocks import in_blocks
from ..derivatives import operators
from ..errors import ArgumentError

Implicit = Callable[[Tensor], Tensor]

BLOCK = 16_384
"""Points evaluated at a time, so that the activations of a network stay in the cache."""


class Samples:
    """A field minus a level, which records the range of its values.

    Args:
        implicit: Function from float32 [n, 3] to [n, 1]. A module is evaluated on its own device.
        level: Level, subtracted from each value.
    """

    def __init__(self, implicit: Implicit, level: float) -> None:
        self.implicit = implicit
        self.level = level
        self.lowest, self.highest = float("inf"), float("-inf")
        module = implicit if isinstance(implicit, torch.nn.Module) else torch.nn.Module()
        self._device = next(itertools.chain(module.parameters(), module.buffers()), torch.empty(0))

    def __call__(self, points: Float64[np.ndarray, "n 3"]) -> Float32[np.ndarray, " n"]:
        """Value minus level at each point."""
        if not len(points):
            return np.empty(0, np.float32)
        return in_blocks(self._values, points, size=BLOCK).numpy()

    def with_gradient(
        self, points: Float64[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, "n 3"]]:
        """Value minus level, and the exact gradient."""
        found, slopes = np.empty(len(points), np.float32), np.empty((len(points), 3), np.float32)
        with torch.no_grad():
            for start in range(0, len(points), BLOCK):
                x = self._coords(points[start : start + BLOCK])
                values, jacobian = operators.value_and_jacobian(self.implicit, x)
                found[start : start + BLOCK] = self._checked(x, values)
                slopes[start : start + BLOCK] = jacobian[:, 0].cpu().numpy()
        return found, np.nan_to_num(slopes, copy=False, posinf=0, neginf=0)

    def _values(self, points: Float64[np.ndarray, "n 3"]) -> Tensor:
        x = self._coords(points)
        return torch.from_numpy(self._checked(x, self.implicit(x)))

    def _coords(self, points: Float64[np.ndarray, "n 3"]) -> Tensor:
        return torch.from_numpy(points).float().to(self._device.device)

    def _checked(self, x: Tensor, values: Tensor) -> Float32[np.ndarray, " n"]:
        if values.shape != (len(x), 1):
            raise ValueError(
                f"extract: expected a field from (n, 3) to (n, 1), got {tuple(values.shape)} for "
                f"{tuple(x.shape)}."
            )
        found = values[:, 0].float().cpu().numpy()
        lowest, highest = float(found.min()), float(found.max())
        if not np.isfinite([lowest, highest]).all():
            raise ArgumentError(
                f"extract: expected finite values, got {lowest} to {highest}. The field is broken "
                "(a fit that failed), or undefined in a part of the box; give a smaller box."
            )
        self.lowest = min(self.lowest, lowest)
        self.highest = max(self.highest, highest)
        return found - np.float32(self.level)
