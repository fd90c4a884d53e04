"""Transformations of solids: moved, mirrored, extended beyond their box, or with fixed inputs."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from .._checks import check_count
from ..derivatives import Jet, rules
from ..fields._base import AbstractField, evaluate_after
from ..fields.placed import Placed
from ._base import AbstractComposition
from ._rules import absolute, length, positive, scaled


class Transformed(AbstractComposition):
    r"""A solid translated, rotated and scaled: $s f(R^\top (x - t) / s)$.

    Distances are scaled with the solid, so they stay distances.

    Use when solids are put together. Fails when a fitted field is evaluated outside its box, where
    it is meaningless: see `ExtendedBeyondBox`.

    Args:
        field: Solid.
        translation: Position $t$ of its origin.
        rotation: Rotation $R$: a matrix, or in three dimensions a quaternion (w, x, y, z); None for
            no rotation.
        scale: Scale $s$ of all axes, above zero.

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value, or a size does not fit.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> moved = Transformed(Sphere(radius=0.5), (1.0, 0.0, 0.0), scale=0.5)
        >>> moved(torch.tensor([0.0, 0.0, 0.0])).item()
        0.75

    Reference:
        Quilez, Distance functions, iquilezles.org: rotation and scale.
    """

    def __init__(
        self,
        field: AbstractField,
        translation: Sequence[float],
        rotation: Sequence[float] | Sequence[Sequence[float]] | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__(field)
        self.place = Placed(field, translation, rotation, scale).spec()

    def jet_after(self, x: Jet) -> Jet:
        scale = self.place["scale"]
        inverse = x.value.new_tensor(self.place["rotation"]).mT / scale
        y = rules.linear(x, inverse, -inverse @ x.value.new_tensor(self.place["translation"]))
        return scaled(evaluate_after(self.parts[0], y), scale)

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return dict(self.place)


class ExtendedBeyondBox(AbstractComposition):
    r"""A field extended beyond its box [-1, 1]: $\sqrt{\max(f(c), 0)^2 + |x - c|^2}$ outside.

    $c$ is the point of the box that is nearest to $x$; inside the box the field is unchanged. For a
    solid in the box the extension is at most the true distance: the angle at $c$ between $x$ and
    any point $p$ of the solid is at least 90 degrees, so $|x - p|^2 \ge |x - c|^2 + |c - p|^2$. It
    is continuous unless the solid touches a face of the box. There the solid is cut off by a jump,
    which `lipschitz_bound` ignores.

    Use when a fitted field is moved, or put together with something larger than its box.
    Fails when the solid is unbounded, such as a half-space.

    Args:
        field: Field fitted in [-1, 1].

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> ExtendedBeyondBox(Sphere(radius=0.5))(torch.tensor([[0.0, 0.0, 0.75], [0.0, 0.0, 2.2]]))
        tensor([[0.2500],
                [1.3000]])

    Reference:
        Boyd and Vandenberghe, Convex Optimization, 2004, section 8.1, for the angle; the rest is
        ours.
    """

    def __init__(self, field: AbstractField) -> None:
        super().__init__(field)

    def jet_after(self, x: Jet) -> Jet:
        inside = x.value.abs() <= 1
        # NaN counts as outside, and stays NaN.
        held = torch.where(x.value.abs() > 1, 0.0, x.streams[1:])
        nearest = Jet(torch.cat([x.value.clamp(-1, 1)[None], held]), x.weights)
        distance = evaluate_after(self.parts[0], nearest)
        beyond = Jet(x.streams - nearest.streams, x.weights)
        outside = length(rules.concat([positive(distance), beyond]))
        within = inside.all(-1, keepdim=True)
        return Jet(torch.where(within, distance.streams, outside.streams), x.weights)

    def lipschitz(self, bounds: list[float]) -> float:
        # Outside, the slope of f is along the face, and that of |x - c| is orthogonal to it.
        return max(1.0, bounds[0])

    def hyperparams(self) -> dict[str, Any]:
        return {}


class Mirrored(AbstractComposition):
    r"""The half of a solid at positive $x_a$, and its mirror image: $f(|x_a|)$.

    An exact distance stays exact if the solid is on the positive side of the mirror only. If the
    mirror cuts the solid, the part on the other side is lost, and the rest is a bound.

    Use when a solid is symmetric, or needed twice. Fails when the mirror cuts a solid whose surface
    does not meet it at a right angle: the result has an edge there.

    Args:
        field: Solid.
        axis: Index $a$ of the mirrored coordinate, from 0.

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value, or no such coordinate.

    Example:
        >>> import torch
        >>> from neurafield.composition import Transformed, Sphere
        >>> pair = Mirrored(Transformed(Sphere(radius=0.25), (0.5, 0.0, 0.0)), axis=0)
        >>> pair(torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]])).tolist()
        [[-0.25], [-0.25]]

    Reference:
        Quilez, Distance functions, iquilezles.org: symmetry.
    """

    def __init__(self, field: AbstractField, *, axis: int) -> None:
        super().__init__(field)
        check_count(self, low=0, high=self.in_dim - 1, axis=axis)
        self.axis = axis

    def jet_after(self, x: Jet) -> Jet:
        folded = absolute(x).streams[..., self.axis : self.axis + 1]
        before, after = x.streams[..., : self.axis], x.streams[..., self.axis + 1 :]
        all_axes = torch.cat([before, folded, after], dim=-1)
        return evaluate_after(self.parts[0], Jet(all_axes, x.weights))

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return {"axis": self.axis}


class FixedInputs(AbstractComposition):
    r"""A field of many shapes with its last inputs fixed: $f(x, z)$ for a given $z$.

    Use when the last coordinates of a field are a latent code or the time: the result is a field of
    the others, which can be meshed, drawn or put together. Fails when $z$ is far from the values
    that the field was fitted at: the shape is meaningless there.

    Args:
        field: Field of $x$ and $z$.
        last: Values $z$ of the last coordinates, fewer than the field has.

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value, or `last` is empty, too long or not finite.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> FixedInputs(Sphere(radius=0.5, in_dim=3), (0.4,))(torch.tensor([0.3, 0.0])).item()
        0.0

    Reference:
        Park et al., DeepSDF: Learning Continuous Signed Distance Functions for Shape
        Representation, CVPR 2019, section 4: one network, and a code per shape.
    """

    def __init__(self, field: AbstractField, last: Sequence[float]) -> None:
        super().__init__(field)
        self.last = tuple(float(value) for value in last)
        if not 0 < len(self.last) < self.in_dim or not all(map(math.isfinite, self.last)):
            raise ValueError(
                f"FixedInputs: expected 1 to {self.in_dim - 1} finite numbers for a field of "
                f"{self.in_dim} coordinates, got {last}."
            )
        self.in_dim -= len(self.last)

    def jet_after(self, x: Jet) -> Jet:
        last = x.value.new_tensor(self.last).expand(*x.value.shape[:-1], -1)
        still = last.new_zeros(len(x.streams) - 1, *last.shape)
        given = torch.cat([last[None], still])
        whole = Jet(torch.cat([x.streams, given], dim=-1), x.weights)
        return evaluate_after(self.parts[0], whole)

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return {"last": list(self.last)}
