"""Bodies moved, mirrored, continued beyond the box of their field, or chosen among many."""

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
    r"""A body at another place, turned and scaled: $s f(R^\top (x - t) / s)$.

    Distances are scaled with the body, and so stay distances.

    Use when bodies are put together. Fails when the field is fitted and the place leaves room
    beside it: beyond its box the field says nothing true, see `ExtendedBeyondBox`.

    Args:
        field: The body.
        translation: $t$, where its origin goes.
        rotation: $R$: a quaternion (w, x, y, z) in three dimensions, or a matrix; None for none.
        scale: $s$, above zero, of all axes alike.

    Raises:
        TypeError: If it is not a field.
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
        turn = x.value.new_tensor(self.place["rotation"]).mT / scale
        y = rules.linear(x, turn, -turn @ x.value.new_tensor(self.place["translation"]))
        return scaled(evaluate_after(self.parts[0], y), scale)

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return dict(self.place)


class ExtendedBeyondBox(AbstractComposition):
    r"""A field that is known in [-1, 1] alone, continued: $\sqrt{\max(f(c), 0)^2 + |x - c|^2}$.

    $c$ is the nearest point of the box; inside, that is $x$, and the field is as it was. For a body
    in the box this is at most the true distance: the angle at $c$ between $x$ and any point $p$ of
    the body is at least a right one, so $|x - p|^2 \ge |x - c|^2 + |c - p|^2$. It is continuous
    where the body does not touch the box's faces; where it does, it is cut off there, by a jump
    that `lipschitz_bound` knows nothing of.

    Use when a fitted field is moved, or put together with something larger than its box.
    Fails when the body has no end, such as a half-space.

    Args:
        field: A field fitted in [-1, 1].

    Raises:
        TypeError: If it is not a field.
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
        # Outside, f's slope is along the face and that of |x - c| across it.
        return max(1.0, bounds[0])

    def hyperparams(self) -> dict[str, Any]:
        return {}


class Mirrored(AbstractComposition):
    r"""The half of a body where a coordinate is positive, and its mirror image: $f(|x_a|)$.

    Of exact distances it is exact if the body is on the positive side of the mirror alone; if the
    mirror cuts it, what is on the other side is lost, and the rest is a bound.

    Use when a body is symmetric, or two of it are wanted. Fails when the mirror cuts a body whose
    surface does not meet it at a right angle: there is an edge, then.

    Args:
        field: The body.
        axis: $a$, the coordinate, from 0.

    Raises:
        TypeError: If it is not a field.
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
    r"""One body of a field that holds many: $f(x, z)$ for coordinates $z$ that are given.

    Use when the last coordinates of a field are a code of its shape, or the time: what is left is a
    field of the others, to be meshed, drawn or put together. Fails when the code is far from those
    that the field was fitted at: nothing is known of it there.

    Args:
        field: The field of $x$ and $z$.
        last: $z$, fewer numbers than the field has coordinates.

    Raises:
        TypeError: If it is not a field.
        ValueError: If it has more than one value, or the numbers are none, too many or not finite.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> FixedInputs(Sphere(radius=0.5, in_dim=3), (0.4,))(torch.tensor([0.3, 0.0])).item()
        0.0

    Reference:
        Park et al., DeepSDF: Learning Continuous Signed Distance Functions for Shape
        Representation, CVPR 2019, section 4: one network, and a code a shape.
    """

    def __init__(self, field: AbstractField, last: Sequence[float]) -> None:
        super().__init__(field)
        self.last = tuple(float(number) for number in last)
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
