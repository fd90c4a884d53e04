"""Set operations on two domains."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ._base import AbstractDomain, AbstractSolid
from ._rfunctions import both


class AbstractPair(AbstractDomain):
    """A domain composed of two others."""

    a: AbstractDomain
    b: AbstractDomain

    def __post_init__(self) -> None:
        if self.a.dim != self.b.dim:
            raise ValueError(
                f"{type(self).__name__}: expected domains with the same number of coordinates, "
                f"got {self.a.dim} and {self.b.dim}."
            )
        low, high = self.bounds
        if not all(x < y for x, y in zip(low, high, strict=True)):
            raise ValueError(
                f"{type(self).__name__}: expected a domain with an interior, got {self}, "
                "whose parts do not overlap."
            )

    @property
    def solids(self) -> tuple[AbstractSolid, ...]:
        return self.a.solids + self.b.solids


@dataclass(frozen=True)
class Union(AbstractPair):
    """Points in one domain or in both; also written `a | b`."""

    a: AbstractDomain
    b: AbstractDomain

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        (low, high), (other_low, other_high) = self.a.bounds, self.b.bounds
        return tuple(map(min, low, other_low)), tuple(map(max, high, other_high))

    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        return self.a.contains(x) | self.b.contains(x)

    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return torch.minimum(self.a.signed_distance(x), self.b.signed_distance(x))

    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return -both(-self.a.distance_factor(x), -self.b.distance_factor(x))


@dataclass(frozen=True)
class Intersection(AbstractPair):
    """Points in both domains; also written `a & b`."""

    a: AbstractDomain
    b: AbstractDomain

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        (low, high), (other_low, other_high) = self.a.bounds, self.b.bounds
        return tuple(map(max, low, other_low)), tuple(map(min, high, other_high))

    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        return self.a.contains(x) & self.b.contains(x)

    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return torch.maximum(self.a.signed_distance(x), self.b.signed_distance(x))

    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return both(self.a.distance_factor(x), self.b.distance_factor(x))


@dataclass(frozen=True)
class Difference(AbstractPair):
    """Points in the first domain and not inside the second; also written `a - b`."""

    a: AbstractDomain
    b: AbstractDomain

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self.a.bounds

    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        return self.a.contains(x) & (self.b.signed_distance(x) >= 0)

    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return torch.maximum(self.a.signed_distance(x), -self.b.signed_distance(x))

    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        return both(self.a.distance_factor(x), -self.b.distance_factor(x))
