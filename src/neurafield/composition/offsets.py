"""Bodies made thicker, hollow, or into something between two."""

import math
from typing import Any

from .._checks import check_positive
from ..derivatives import Jet, rules
from ..fields._base import AbstractField, evaluate_after
from ._base import AbstractComposition
from ._rules import absolute, scaled, shifted


class Offset(AbstractComposition):
    r"""A body grown by a distance, its edges rounded: $f - d$.

    Exact outside if $f$ is: those are all points within $d$ of the body. A negative $d$ shrinks it.

    Use when edges shall be round, or walls thicker. Fails when $f$ is a bound only, as that of an
    intersection near its edges: these then stay sharp.

    Args:
        field: The body.
        distance: $d$, in units of the coordinates.

    Raises:
        TypeError: If it is not a field.
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
    r"""A body's surface, made thick: $|f| - w/2$.

    Use when a body shall be hollow; twice, and it has layers like an onion. Fails when $f$ is not
    close to a distance on both sides: walls are then thinner or thicker than said.

    Args:
        field: The body.
        thickness: $w$, in units of the coordinates: half of it is inside the old surface.

    Raises:
        TypeError: If it is not a field.
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
    r"""Something between two bodies: $(1 - s) f_1 + s f_2$.

    Its slope is bounded as theirs are; a distance it is only where both fall alike.

    Use when one body shall turn into another, of a similar place and size. Fails when they hardly
    overlap: the middle is empty.

    Args:
        first: The body for $s = 0$.
        second: The body for $s = 1$.
        share: $s$, from 0 to 1.

    Raises:
        TypeError: If one is not a field.
        ValueError: If one has more than one value, sizes differ, or the share is out of range.

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
