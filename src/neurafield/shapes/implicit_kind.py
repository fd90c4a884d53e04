"""Kinds of implicit representations: the meaning of a shape field's value.

Coordinates are those in which the shape lies within [-1, 1]^3. A kind answers every question that
depends on the meaning of the value, so that no other code compares names.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from .._checks import check_positive
from ..errors import ArgumentError

Function = Callable[[Tensor], Tensor]
Loss = Callable[[Any, Any], Tensor]


@runtime_checkable
class ShapeDistance(Protocol):
    """Distance to a shape, such as `MeshDistance` or `PointDistance`."""

    def signed(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance, negative inside."""

    def unsigned(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Distance without a sign."""


@runtime_checkable
class Losses(Protocol):
    """Losses that a kind chooses from; `neurafield.fit.losses` has them."""

    @property
    def relative_l1(self) -> Loss:
        """Absolute error relative to the target."""

    @property
    def l1(self) -> Loss:
        """Absolute error."""

    @property
    def binary_cross_entropy(self) -> Loss:
        """Cross-entropy of logits with targets 0 or 1."""


class ImplicitKind(ABC):
    """A kind of implicit representation."""

    name: ClassVar[str]
    """Name in files and of the option `--quantity`."""
    has_inside: ClassVar[bool]
    """True if values differ inside and outside."""
    sign: ClassVar[int]
    """1 if values grow outward, -1 if they grow inward."""
    sampled_on_surface: ClassVar[bool]
    """True if targets are defined on the surface, so that samples may lie there."""

    @property
    @abstractmethod
    def scale(self) -> float | None:
        """Distance per unit of value near the surface; None if values are no distances."""

    @property
    @abstractmethod
    def reach(self) -> float:
        """Distance from the surface up to which values grow with it."""

    @abstractmethod
    def distance(self, shape: ShapeDistance, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Distance to a shape from which the targets follow: signed, or unsigned."""

    @abstractmethod
    def target(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Values that a field of this kind should have at these distances."""

    @abstractmethod
    def loss(self, losses: Losses) -> Loss:
        """The loss that suits these values, among those given."""

    @property
    def needs_normals(self) -> bool:
        """True if a point cloud must have normals, which distinguish inside from outside."""
        return self.has_inside

    @property
    def slope(self) -> float | None:
        """Change of the value per unit of distance; None if values are no distances."""
        return None if self.scale is None else 1 / self.scale

    def implicit(self, field: Function) -> Function:
        """The field as an implicit function: negative inside, and growing outward."""
        return field if self.sign > 0 else (lambda x: -field(x))

    def spec(self) -> dict[str, Any]:
        """JSON values for a field file, which `implicit_kind` takes."""
        truncation = self.reach if math.isfinite(self.reach) else None
        return {"quantity": self.name, "truncation": truncation}


@dataclass(frozen=True)
class SignedDistance(ImplicitKind):
    """Signed distance, negative inside.

    *Use when* the surface encloses a solid. *Fails when* it is open: the sign then closes it.

    Example:
        >>> SignedDistance().target(torch.tensor([-0.2, 0.0, 0.7]))
        tensor([-0.2000,  0.0000,  0.7000])
    """

    name = "sdf"
    has_inside = True
    sign = 1
    sampled_on_surface = True
    scale = 1.0
    reach = math.inf

    def distance(self, shape: ShapeDistance, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return shape.signed(x)

    def target(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return distance

    def loss(self, losses: Losses) -> Loss:
        return losses.relative_l1


@dataclass(frozen=True)
class TruncatedDistance(ImplicitKind):
    r"""Truncated signed distance, $\max(-1, \min(1, d / \tau))$.

    *Use when* only the surface matters: no parameters are spent on distances far away. *Fails when*
    long steps are needed, as in sphere tracing.

    Args:
        truncation: Distance $\tau$ at which values reach 1.

    Raises:
        ValueError: If the truncation is not positive.

    Example:
        >>> TruncatedDistance(0.1).target(torch.tensor([-0.2, 0.0, 0.05]))
        tensor([-1.0000,  0.0000,  0.5000])

    Reference:
        Curless and Levoy, A Volumetric Method for Building Complex Models from Range Images,
        SIGGRAPH 1996, section 3.
    """

    name = "tsdf"
    has_inside = True
    sign = 1
    sampled_on_surface = True

    truncation: float = 0.1

    def __post_init__(self) -> None:
        check_positive(self, truncation=self.truncation)

    @property
    def scale(self) -> float:
        return self.truncation

    @property
    def reach(self) -> float:
        return self.truncation

    def distance(self, shape: ShapeDistance, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return shape.signed(x)

    def target(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return (distance / self.truncation).clamp(-1, 1)

    def loss(self, losses: Losses) -> Loss:
        return losses.l1


@dataclass(frozen=True)
class UnsignedDistance(ImplicitKind):
    """Distance without a sign, for open surfaces.

    *Use when* the surface has no inside: cloth, sheets, scans with large holes. *Fails when* the
    surface itself is needed: values touch zero without a change of sign, so a mesh is a thin shell.

    Example:
        >>> UnsignedDistance().target(torch.tensor([-0.2, 0.0, 0.7]))
        tensor([0.2000, 0.0000, 0.7000])

    Reference:
        Chibane et al., Neural Unsigned Distance Fields for Implicit Function Learning, NeurIPS
        2020.
    """

    name = "udf"
    has_inside = False
    sign = 1
    sampled_on_surface = True
    scale = 1.0
    reach = math.inf

    def distance(self, shape: ShapeDistance, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return shape.unsigned(x)

    def target(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return distance.abs()

    def loss(self, losses: Losses) -> Loss:
        return losses.relative_l1


@dataclass(frozen=True)
class Occupancy(ImplicitKind):
    """Logit of the probability to be inside, so positive inside.

    Targets are probabilities: 1 inside and on the surface, else 0.

    *Use when* the volume matters more than the exact surface. *Fails when* distances are needed:
    values have no known slope.

    Example:
        >>> Occupancy().target(torch.tensor([-0.2, 0.0, 0.7]))
        tensor([1., 1., 0.])
        >>> Occupancy().implicit(lambda x: x.sum(-1, keepdim=True))(torch.ones(2, 3))
        tensor([[-3.],
                [-3.]])

    Reference:
        Mescheder et al., Occupancy Networks, CVPR 2019, section 3.
    """

    name = "occupancy"
    has_inside = True
    sign = -1
    sampled_on_surface = False
    scale = None
    reach = math.inf

    def distance(self, shape: ShapeDistance, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        return shape.signed(x)

    def target(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        return (distance <= 0).to(distance)

    def loss(self, losses: Losses) -> Loss:
        return losses.binary_cross_entropy


KINDS: dict[str, type[ImplicitKind]] = {
    kind.name: kind for kind in (SignedDistance, TruncatedDistance, UnsignedDistance, Occupancy)
}
"""Every kind by its name."""


def implicit_kind(name: str, truncation: float | None = None) -> ImplicitKind:
    """Build a kind from its name.

    Args:
        name: Name of the kind: sdf, tsdf, udf or occupancy.
        truncation: Distance at which `TruncatedDistance` ends; None for its default.

    Raises:
        ValueError: If the name is unknown, or the truncation is not positive or belongs to a kind
            without one.

    Example:
        >>> implicit_kind("tsdf", 0.2)
        TruncatedDistance(truncation=0.2)
    """
    kind = KINDS.get(name)
    if kind is None:
        raise ArgumentError(f"implicit_kind: expected {', '.join(KINDS)}, got {name!r}.")
    if truncation is None:
        return kind()
    if kind is not TruncatedDistance:
        raise ArgumentError(f"implicit_kind: expected no truncation for {name}, got {truncation}.")
    return TruncatedDistance(truncation)
