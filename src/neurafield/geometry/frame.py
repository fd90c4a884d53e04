"""Conversion between the user's units and [-1, 1]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import ArgumentError

FILLED = 0.9
"""Extent of a shape in [-1, 1] along its longest axis; the margin holds the outside."""


@dataclass(frozen=True)
class Frame:
    """`user = centre + scale * x` for coordinates x in [-1, 1]; one scale for all axes, no
    rotation.

    Args:
        centre: Centre of the box, in the user's units.
        scale: User units per unit of x, positive; distances scale alike.

    Raises:
        ValueError: If a value is not finite, or the scale is not positive.

    Example:
        >>> frame = Frame.around(torch.tensor([[0.0, 0.0, 0.0], [18.0, 9.0, 0.0]]).double())
        >>> frame
        Frame(centre=(9.0, 4.5, 0.0), scale=10.0)
        >>> frame.to_unit(torch.tensor([[18.0, 9.0, 0.0]]).double())
        tensor([[0.9000, 0.4500, 0.0000]], dtype=torch.float64)
    """

    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0

    def __post_init__(self) -> None:
        if len(self.centre) != 3 or not all(map(math.isfinite, self.centre)):
            raise ValueError(
                f"Frame: expected a centre of three finite numbers, got {self.centre}."
            )
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ArgumentError(f"Frame: expected a positive scale, got {self.scale}.")

    @classmethod
    def around(cls, points: Float[Tensor, "n 3"], filled: float = FILLED) -> "Frame":
        """The frame in which the bounding box of the points is centred at 0 and extends to
        `filled`.

        Raises:
            ValueError: If there is no point, or all points coincide.
        """
        if not len(points):
            raise ValueError("Frame: expected points, got none.")
        low, high = points.amin(0), points.amax(0)
        extent = float((high - low).max())
        if extent == 0:
            raise ArgumentError("Frame: expected distinct points, got one position.")
        centre: Sequence[float] = ((low + high) / 2).tolist()
        return cls((centre[0], centre[1], centre[2]), extent / 2 / filled)

    def to_unit(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Converts from the user's units; points should be float64 until here."""
        return (points - points.new_tensor(self.centre)) / self.scale

    def to_user(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """Converts to the user's units, in float64."""
        return torch.tensor(self.centre, dtype=torch.float64) + self.scale * points.double()

    def spec(self) -> dict[str, Any]:
        """The frame as JSON values."""
        return {"centre": list(self.centre), "scale": self.scale}
