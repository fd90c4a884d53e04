"""Rays, and their intersection with the box [-1, 1]^3."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Rays:
    """Half-lines `origins + depth * directions` with depth >= 0.

    Args:
        origins: Origins of the rays.
        directions: Unit directions, so that depth is a distance.

    Raises:
        ValueError: If the shapes differ, or do not have three coordinates.

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
        """Points at the given depths, one per ray."""
        return self.origins + depth[..., None] * self.directions

    def through_box(
        self, low: float = -1.0, high: float = 1.0
    ) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        """Depths at which rays enter and leave [low, high]^3; for a miss, entry is after exit.

        A ray along a face is in the box. A ray that begins in the box enters at 0.
        """
        # A constant coordinate gives 0/0 on a face, which is no bound.
        inverse = 1 / self.directions
        ends = torch.stack([(low - self.origins) * inverse, (high - self.origins) * inverse])
        enter = ends.amin(0).nan_to_num(nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        leave = ends.amax(0).nan_to_num(nan=math.inf, posinf=math.inf, neginf=-math.inf)
        return enter.amax(-1).clamp(min=0), leave.amin(-1)

    def from_box(self) -> tuple["Rays", Float[Tensor, "*n"]]:
        """Rays that start at the entry into [-1, 1]^3, and its depth; misses are unchanged.

        Depths from far away lack the precision for small detail in the box.

        Example:
            >>> rays = Rays(torch.tensor([[0.0, 0.0, -9.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
            >>> rays.from_box()[0].origins, rays.from_box()[1]
            (tensor([[ 0.,  0., -1.]]), tensor([8.]))
        """
        enter, leave = self.through_box()
        skipped = torch.where(enter < leave, enter, 0.0)
        return Rays(self.at(skipped), self.directions), skipped
