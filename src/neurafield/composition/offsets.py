"""Offsets, shells and interpolations of solids."""

import math
from typing import Any

from .._checks import check_positive
from ..derivatives import Jet, rules
from ..fields._base import AbstractField, evaluate_after
from ._base import AbstractComposition
from ._rules import absolute, scaled, shifted


class Offset(AbstractComposition):
    r"""A solid grown by a distance, which rounds its edges: $f - d$.

    The result is all points within $d$ of the solid, and exact outside if $f$ is. A negative $d$
    shrinks the solid.

    Use when edges should be round, or walls thicker. Fails when $f$ is only a bound, as that of an
    intersection near its edges: these then stay sharp.

    Args:
        field: Solid.
        distance: Distance $d$, in units of the coordinates.

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value, or the distance is not finite.

    Example:
        >>> import torch
        >>> from neurafield.composition import Box
        >>> Offset(Box(reach=(0.25, 0.5)), distance=0.5)(torch.tensor([0.25, 2.0])).item()
        1.0

    Reference:
        Quilez, Distance functions, iquilezles.org: rounding.
    """

    def __init__(self, field: AbstractField, *, distance: float) -> None:
        super().__init__(field)
        if not math.isfinite(distance):
            raise ValueError(f"Offset: expected a finite distance, got {distance}.")
        self.distance = float(distance)

    def jet_after(self, x: Jet) -> Jet:
        return shifted(evaluate_after(self.parts[0], x), -self.distance)

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return {"distance": self.distance}


class Shell(AbstractComposition):
    r"""A wall around the surface of a solid: $|f| - w/2$.

    Use when a solid should be hollow, or, applied twice, have layers. Fails when $f$ is not close
    to a distance on both sides: walls are then thinner or thicker than $w$.

    Args:
        field: Solid.
        thickness: Thickness $w$, in units of the coordinates; half of it is inside the surface.

    Raises:
        TypeError: If `field` is not a field.
        ValueError: If it has more than one value, or the thickness is not positive.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> Shell(Sphere(radius=0.5), thickness=0.25)(torch.zeros(1, 3)).item()
        0.375

    Reference:
        Quilez, Distance functions, iquilezles.org: onion.
    """

    def __init__(self, field: AbstractField, *, thickness: float) -> None:
        super().__init__(field)
        check_positive(self, thickness=thickness)
        self.thickness = float(thickness)

    def jet_after(self, x: Jet) -> Jet:
        return shifted(absolute(evaluate_after(self.parts[0], x)), -self.thickness / 2)

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return {"thickness": self.thickness}


class Interpolated(AbstractComposition):
    r"""Interpolation between two solids: $(1 - s) f_1 + s f_2$.

    Its Lipschitz bound is the interpolation of theirs. It is a distance only where both gradients
    are equal.

    Use when one solid should morph into another of similar position and size. Fails when they
    hardly overlap: the middle is empty.

    Args:
        first: Solid for $s = 0$.
        second: Solid for $s = 1$.
        share: Share $s$, from 0 to 1.

    Raises:
        TypeError: If a part is not a field.
        ValueError: If a part has more than one value, sizes differ, or the share is out of range.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> small, large = Sphere(radius=0.25), Sphere(radius=0.75)
        >>> Interpolated(small, large, share=0.5)(torch.zeros(1, 3)).item()
        -0.5

    Reference:
        Cohen-Or, Solomovic and Levin, Three-Dimensional Distance Field Metamorphosis, ACM
        Transactions on Graphics 1998, without its warp.
    """

    def __init__(self, first: AbstractField, second: AbstractField, *, share: float = 0.5) -> None:
        super().__init__(first, second)
        if not 0 <= share <= 1:
            raise ValueError(f"Interpolated: expected a share from 0 to 1, got {share}.")
        self.share = float(share)

    def jet_after(self, x: Jet) -> Jet:
        first, second = (evaluate_after(part, x) for part in self.parts)
        return rules.add(scaled(first, 1 - self.share), scaled(second, self.share))

    def lipschitz(self, bounds: list[float]) -> float:
        return (1 - self.share) * bounds[0] + self.share * bounds[1]

    def hyperparams(self) -> dict[str, Any]:
        return {"share": self.share}
