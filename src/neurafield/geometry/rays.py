"""Rays: half lines through space, and where they cross the box [-1, 1]^3."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Rays:
    """Half lines `origins + depth * directions` for depths from 0.

    Args:
        origins: Where they begin.
        directions: Of unit length, so that a depth is a distance.

    Raises:
        ValueError: If the shapes are not equal, or not of three coordinates.

    Example:
        >>> rays = Rays(torch.tensor([[0.0, 0.0, -3.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
        >>> rays.at(torch.tensor([2.0])), rays.through_box()
        (tensor([[ 0.,  0., -1.]]), (tensor([2.]), tensor([4.])))
    """

    origins: Float[Tensor, "*n 3"]
    directions: Float[Tensor, "*n 3"]

    def __post_init__(self) -> None:
        if self.origins.shape != self.directions.shape or self.origins.shape[-1:] != (3,):
            raise ValueError(
                f"Rays: expected origins and directions of one shape (..., 3), got "
                f"{tuple(self.origins.shape)} and {tuple(self.directions.shape)}."
            )

    def __len__(self) -> int:
        """Number of rays along the first axis."""
        return len(self.origins)

    def __getitem__(self, part: slice | Tensor) -> "Rays":
        """Some of the rays, chosen along the first axis."""
        return Rays(self.origins[part], self.directions[part])

    def to(self, like: Tensor) -> "Rays":
        """The same rays with the device and type of a tensor."""
        return Rays(self.origins.to(like), self.directions.to(like))

    def at(self, depth: Float[Tensor, "*n"]) -> Float[Tensor, "*n 3"]:
        """The points at these depths, one a ray."""
        return self.origins + depth[..., None] * self.directions

    def through_box(
        self, low: float = -1.0, high: float = 1.0
    ) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        """Depths at which rays enter and leave [low, high]^3; one that misses it enters later.

        A ray along a face is in the box. One that begins in the box enters at 0.
        """
        # A coordinate that stays as it is gives 0/0 on a face: no bound at all.
        inverse = 1 / self.directions
        ends = torch.stack([(low - self.origins) * inverse, (high - self.origins) * inverse])
        enter = ends.amin(0).nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        leave = ends.amax(0).nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
        return enter.amax(-1).clamp(min=0), leave.amin(-1)

    def from_box(self) -> tuple["Rays", Float[Tensor, "*n"]]:
        """The rays from where they enter [-1, 1]^3, and how far that is; others as they are.

        From afar a depth has no digits left for what is small in the box.

        Example:
            >>> rays = Rays(torch.tensor([[0.0, 0.0, -9.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
            >>> rays.from_box()[0].origins, rays.from_box()[1]
            (tensor([[ 0.,  0., -1.]]), tensor([8.]))
        """
        enter, leave = self.through_box()
        skipped = torch.where(enter < leave, enter, 0.0)
        return Rays(self.at(skipped), self.directions), skipped
