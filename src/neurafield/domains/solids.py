"""Boxes and balls."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import check_last_axis, check_positive
from ._base import AbstractSolid
from ._rfunctions import both

_TINY = 1e-30


@dataclass(frozen=True)
class Box(AbstractSolid):
    """All points between two corners.

    Args:
        low: The lowest coordinate on each axis.
        high: The highest coordinate on each axis.

    Raises:
        ValueError: If the box has no interior.

    Example:
        >>> square = Box((0.0, 0.0), (1.0, 2.0))
        >>> square.signed_distance(torch.tensor([[0.5, 0.25], [4.0, 6.0]])).tolist()
        [-0.25, 5.0]
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        # Always tuples of floats, so that equal boxes print the same.
        object.__setattr__(self, "low", tuple(float(value) for value in self.low))
        object.__setattr__(self, "high", tuple(float(value) for value in self.high))
        if not (len(self.low) == len(self.high) >= 1):
            raise ValueError(
                f"Box: expected corners of one length, got {self.low} and {self.high}."
            )
        if not all(
            a < b and math.isfinite(b - a) for a, b in zip(self.low, self.high, strict=True)
        ):
            raise ValueError(
                f"Box: expected a domain with an interior, low below high on every axis, got low "
                f"{self.low} and high {self.high}."
            )

    @classmethod
    def cube(cls, dim: int) -> "Box":
        """[-1, 1] on every axis."""
        return cls((-1.0,) * dim, (1.0,) * dim)

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.low, self.high

    @property
    def area(self) -> float:
        sizes = [b - a for a, b in zip(self.low, self.high, strict=True)]
        return sum(2 * math.prod(sizes) / size for size in sizes)

    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        check_last_axis(self, x, self.dim)
        return ((x >= x.new_tensor(self.low)) & (x <= x.new_tensor(self.high))).all(-1)

    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        check_last_axis(self, x, self.dim)
        outside = torch.maximum(x.new_tensor(self.low) - x, x - x.new_tensor(self.high))
        return outside.clamp(min=0).norm(dim=-1) + outside.amax(-1).clamp(max=0)

    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        check_last_axis(self, x, self.dim)
        low, high = x.new_tensor(self.low), x.new_tensor(self.high)
        factors = 4 * (x - low) * (high - x) / (high - low).square()
        # Inside, the product, which is a polynomial; outside, an R-function, whose sign is correct
        # everywhere.
        return torch.where((factors >= 0).all(-1), factors.prod(-1), both(*factors.unbind(dim=-1)))

    def outward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Normal of the nearest face."""
        below, above = x.new_tensor(self.low) - x, x - x.new_tensor(self.high)
        axis = torch.maximum(below, above).argmax(-1, keepdim=True)
        sign = torch.where(above > below, 1.0, -1.0).to(x)
        return torch.zeros_like(x).scatter(-1, axis, sign.gather(-1, axis))

    def surface(self, u: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        low, high = u.new_tensor(self.low), u.new_tensor(self.high)
        sizes = high - low
        ends = (sizes.prod() / sizes).repeat_interleave(2).cumsum(0) / self.area
        face = torch.searchsorted(ends, u[:, -1].contiguous()).clamp(max=len(ends) - 1)
        # The last coordinate chooses the face; the others are the position on it.
        axis = face // 2
        position = torch.cat([u[:, :-1], torch.zeros_like(u[:, :1])], dim=1)
        order = torch.arange(self.dim).expand(len(u), -1)
        position = position.gather(1, (order - (order > axis[:, None]).long()).clamp(min=0))
        x = low + sizes * position
        at = torch.where(face % 2 == 1, high[axis], low[axis])
        return x.scatter(1, axis[:, None], at[:, None])


@dataclass(frozen=True)
class Ball(AbstractSolid):
    """All points within a radius of a centre.

    Args:
        centre: Coordinates of the centre.
        radius: Radius, positive.

    Raises:
        ValueError: If the radius is not positive.

    Example:
        >>> Ball((0.0, 0.0), 2.0).signed_distance(torch.tensor([3.0, 4.0])).item()
        3.0
    """

    centre: tuple[float, ...]
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", tuple(float(value) for value in self.centre))
        check_positive(self, radius=self.radius)
        if not self.centre or not all(math.isfinite(value) for value in self.centre):
            raise ValueError(f"Ball: expected a finite centre, got {self.centre}.")

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (
            tuple(value - self.radius for value in self.centre),
            tuple(value + self.radius for value in self.centre),
        )

    @property
    def area(self) -> float:
        half = len(self.centre) / 2
        return 2 * math.pi**half / math.gamma(half) * self.radius ** (len(self.centre) - 1)

    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        return self.signed_distance(x) <= 0

    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        check_last_axis(self, x, self.dim)
        return (x - x.new_tensor(self.centre)).norm(dim=-1) - self.radius

    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        check_last_axis(self, x, self.dim)
        return 1 - (x - x.new_tensor(self.centre)).square().sum(-1) / self.radius**2

    def outward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Direction away from the centre."""
        away = x - x.new_tensor(self.centre)
        return away / away.norm(dim=-1, keepdim=True).clamp(min=_TINY)

    def surface(self, u: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        # Normally distributed points have no preferred direction; 0 and 1 would map to infinity.
        away = torch.special.ndtri(u.clamp(1e-12, 1 - 1e-12))
        away = away / away.norm(dim=-1, keepdim=True).clamp(min=_TINY)
        return u.new_tensor(self.centre) + self.radius * away
