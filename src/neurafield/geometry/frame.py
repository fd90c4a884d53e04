"""Between the user's units and [-1, 1]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import ArgumentError

FILLED = 0.9
"""How far a shape reaches in [-1, 1] along its longest axis: a surface needs both of its sides."""


@dataclass(frozen=True)
class Frame:
    """`user = centre + scale * x` for coordinates x in [-1, 1]; one scale for all axes, no turn.

    Args:
        centre: In the user's units.
        scale: The user's units in one of ours, above zero; distances are scaled alike.

    Raises:
        ValueError: If a number is not finite, or the scale is not positive.

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
        """The one in which the box of the points has its middle at 0 and reaches to `filled`.

        Raises:
            ValueError: If there is no point, or all are at one place.
        """
        if not len(points):
            raise ValueError("Frame: expected points, got none.")
        low, high = points.amin(0), points.amax(0)
        extent = float((high - low).max())
        if extent == 0:
            raise ArgumentError("Frame: expected points at several places, got one place.")
        centre: Sequence[float] = ((low + high) / 2).tolist()
        return cls((centre[0], centre[1], centre[2]), extent / 2 / filled)

    def to_unit(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """From the user's units; keep 64 bits until here."""
        return (points - points.new_tensor(self.centre)) / self.scale

    def to_user(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n 3"]:
        """To the user's units, in 64 bits."""
        return torch.tensor(self.centre, dtype=torch.float64) + self.scale * points.double()

    def spec(self) -> dict[str, Any]:
        """As JSON values."""
        return {"centre": list(self.centre), "scale": self.scale}
