"""Primitive solids with an exact signed distance in closed form."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch

from .._checks import check_count, check_positive
from ..derivatives import Jet, rules
from ._base import AbstractComposition
from ._rules import absolute, channels, least, length, negative, positive, shifted


class _AbstractPrimitive(AbstractComposition):
    """A composition without parts."""

    def lipschitz(self, bounds: list[float]) -> float:
        return 1.0


class Sphere(_AbstractPrimitive):
    r"""A ball around the origin: $|x| - r$.

    Use when a round solid is needed, in any number of dimensions. Fails when derivatives are
    evaluated at its centre, where they are undefined: finite values are returned.

    Args:
        radius: Radius $r$.
        in_dim: Number of coordinates.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> Sphere(radius=2.0, in_dim=2)(torch.tensor([3.0, 4.0])).item()
        3.0

    Reference:
        Hart, Sphere Tracing, The Visual Computer 1996, appendix A.
    """

    def __init__(self, *, radius: float, in_dim: int = 3) -> None:
        check_count("Sphere", in_dim=in_dim, high=64)
        check_positive("Sphere", radius=radius)
        super().__init__(in_dim=in_dim)
        self.radius = float(radius)

    def jet_after(self, x: Jet) -> Jet:
        return shifted(length(x), -self.radius)

    def hyperparams(self) -> dict[str, Any]:
        return {"radius": self.radius, "in_dim": self.in_dim}


class Box(_AbstractPrimitive):
    r"""A box around the origin: $|\max(q, 0)| + \min(\max_a q_a, 0)$ with $q = |x| - h$.

    Use when faces are flat and at right angles; `Offset` rounds them. Fails when the size should
    be trained: it is fixed.

    Args:
        reach: Half side $h$ on each axis, from the centre to the face.

    Raises:
        ValueError: If one is not positive, or there is none.

    Example:
        >>> Box(reach=(1.0, 2.0))(torch.tensor([[0.5, 0.0], [4.0, 6.0]])).tolist()
        [[-0.5], [5.0]]

    Reference:
        Quilez, Distance functions, iquilezles.org: box.
    """

    def __init__(self, *, reach: Sequence[float]) -> None:
        if not len(reach):
            raise ValueError("Box: expected a size for each axis, got none.")
        for size in reach:
            check_positive("Box", reach=size)
        super().__init__(in_dim=len(reach))
        self.reach = tuple(float(size) for size in reach)

    def jet_after(self, x: Jet) -> Jet:
        beyond = shifted(absolute(x), -x.value.new_tensor(self.reach))
        # max(q) = -min(-q).
        farthest = functools.reduce(
            least, [negative(channels(beyond, axis)) for axis in range(self.in_dim)]
        )
        inside = negative(positive(farthest))
        return rules.add(length(positive(beyond)), inside)

    def hyperparams(self) -> dict[str, Any]:
        return {"reach": list(self.reach)}


class Torus(_AbstractPrimitive):
    r"""A ring around the z axis: $|(|(x, y)| - R,\ z)| - r$.

    Use when a solid with a hole is needed. Fails when derivatives are evaluated on the z axis or at
    the centre of the tube, where they are undefined: finite values are returned.

    Args:
        ring: Radius $R$ from the centre to the centre of the tube.
        tube: Radius $r$ of the tube.

    Raises:
        ValueError: If a radius is not positive.

    Example:
        >>> Torus(ring=0.5, tube=0.25)(torch.tensor([[0.5, 0.0, 0.0], [0.0, 1.0, 0.0]])).tolist()
        [[-0.25], [0.25]]

    Reference:
        Hart, Sphere Tracing, The Visual Computer 1996, appendix A.
    """

    def __init__(self, *, ring: float, tube: float) -> None:
        check_positive("Torus", ring=ring, tube=tube)
        super().__init__(in_dim=3)
        self.ring, self.tube = float(ring), float(tube)

    def jet_after(self, x: Jet) -> Jet:
        around = shifted(length(channels(x, 0, 1)), -self.ring)
        return shifted(length(rules.concat([around, channels(x, 2)])), -self.tube)

    def hyperparams(self) -> dict[str, Any]:
        return {"ring": self.ring, "tube": self.tube}


class Capsule(_AbstractPrimitive):
    r"""All points within a radius of a segment: $|x - a - s (b - a)| - r$.

    $s$ in [0, 1] is the parameter of the segment's point that is nearest to $x$.

    Use when a limb or a rod with round ends is needed. Fails when both ends are equal: take a
    `Sphere`.

    Args:
        start: End $a$ of the segment.
        end: End $b$ of the segment.
        radius: Radius $r$.

    Raises:
        ValueError: If the ends are equal or of unequal sizes, or the radius is not positive.

    Example:
        >>> rod = Capsule(start=(0.0, 0.0), end=(1.0, 0.0), radius=0.5)
        >>> rod(torch.tensor([[0.5, 2.0], [4.0, 4.0]])).tolist()
        [[1.5], [4.5]]

    Reference:
        Quilez, Distance functions, iquilezles.org: capsule.
    """

    def __init__(self, *, start: Sequence[float], end: Sequence[float], radius: float) -> None:
        check_positive("Capsule", radius=radius)
        ends = [tuple(float(value) for value in point) for point in (start, end)]
        if len(ends[0]) != len(ends[1]) or not all(map(math.isfinite, ends[0] + ends[1])):
            raise ValueError(f"Capsule: expected two finite points, got {start} and {end}.")
        if math.dist(*ends) == 0:
            raise ValueError(f"Capsule: expected two points, got {start} twice. Take a Sphere.")
        super().__init__(in_dim=len(ends[0]))
        self.start, self.end = ends
        self.radius = float(radius)

    def jet_after(self, x: Jet) -> Jet:
        start, end = x.value.new_tensor(self.start), x.value.new_tensor(self.end)
        along = end - start
        from_start = shifted(x, -start)
        share = rules.linear(from_start, (along / along.square().sum())[None])
        within = (share.value > 0) & (share.value < 1)
        held = Jet(
            torch.cat([share.value.clamp(0, 1)[None], torch.where(within, share.streams[1:], 0.0)]),
            x.weights,
        )
        axis = rules.linear(held, -along[:, None])
        return shifted(length(rules.add(from_start, axis)), -self.radius)

    def hyperparams(self) -> dict[str, Any]:
        return {"start": list(self.start), "end": list(self.end), "radius": self.radius}


class HalfSpace(_AbstractPrimitive):
    r"""A half-space: $n \cdot x - d$ for the outward unit normal $n$ of its plane.

    Use when a solid is cut by a plane. Fails when it is meshed or drawn by itself: it is unbounded.

    Args:
        normal: Outward normal, of any length above zero.
        offset: Distance $d$ from the origin to the plane, along the normal.

    Raises:
        ValueError: If the normal is zero or not finite, or the offset is not finite.

    Example:
        >>> HalfSpace(normal=(0.0, 2.0), offset=0.5)(torch.tensor([7.0, 2.0])).item()
        1.5

    Reference:
        Hart, Sphere Tracing, The Visual Computer 1996, appendix A.
    """

    def __init__(self, *, normal: Sequence[float], offset: float = 0.0) -> None:
        size = math.hypot(*normal)
        if not (math.isfinite(size) and size > 0 and math.isfinite(offset)):
            raise ValueError(
                f"HalfSpace: expected a normal with a direction and a finite offset, got {normal} "
                f"and {offset}."
            )
        super().__init__(in_dim=len(normal))
        self.normal = tuple(float(value) for value in normal)
        self.offset = float(offset)

    def jet_after(self, x: Jet) -> Jet:
        normal = x.value.new_tensor(self.normal)
        return rules.linear(x, (normal / normal.norm())[None], normal.new_tensor([-self.offset]))

    def hyperparams(self) -> dict[str, Any]:
        return {"normal": list(self.normal), "offset": self.offset}
