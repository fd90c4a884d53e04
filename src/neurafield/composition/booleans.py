"""Bodies joined, intersected, cut and turned inside out; with sharp edges or with smooth ones."""

import functools
from typing import Any

from .._checks import check_positive
from ..derivatives import Jet
from ..fields._base import AbstractField, evaluate_after
from ._base import AbstractComposition
from ._rules import least, negative


class _AbstractBoolean(AbstractComposition):
    """Two bodies or more, and the width over which their edges are blended."""

    def __init__(self, *fields: AbstractField, smooth: float = 0.0) -> None:
        super().__init__(*fields)
        if len(fields) < 2:
            raise ValueError(
                f"{type(self).__name__}: expected two fields or more, got {len(fields)}."
            )
        if smooth != 0:
            check_positive(self, smooth=smooth)
        self.smooth = float(smooth)

    def lipschitz(self, bounds: list[float]) -> float:
        return max(bounds)

    def hyperparams(self) -> dict[str, Any]:
        return {"smooth": self.smooth}

    def _least(self, distances: list[Jet]) -> Jet:
        return functools.reduce(functools.partial(least, smooth=self.smooth), distances)


class Union(_AbstractBoolean):
    r"""All bodies together: $\min_i f_i$.

    With a width $k$, where two distances differ by less: $\min(a, b) - \max(k - |a-b|, 0)^3 /
    6k^2$, one field after the other. It bulges by $k/6$ where $a = b$, and by nothing where they
    differ by $k$; no point farther than $k/6$ from the sharp body is added. Outside the bodies a
    sharp union of exact distances is exact; inside, where a face of one lies within another, it is
    less than the distance to the surface, so a bound. A smooth one is a bound everywhere.

    Use when bodies are joined, or run into one another. Fails when one of the fields is not close
    to a distance away from its surface: it may hide the others there.

    Args:
        fields: Two or more.
        smooth: $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If one is not a field.
        ValueError: If there are fewer than two, their sizes differ, or `smooth` is negative.

    Example:
        >>> import torch
        >>> from neurafield.composition import Box, Transformed, Sphere
        >>> ball = Transformed(Sphere(radius=0.2), (0.6, 0.0, 0.0))
        >>> both = Union(Box(reach=(0.3, 0.3, 0.3)), ball)
        >>> both(torch.tensor([[0.7, 0.0, 0.0], [0.0, 0.0, 0.5]])).round(decimals=4).tolist()
        [[-0.10000000149011612], [0.20000000298023224]]

    Reference:
        Ricci, A Constructive Geometry for Computer Graphics, The Computer Journal 1973; Quilez,
        Smooth minimum, iquilezles.org: the cubic polynomial, in which $k$ is the same width.
    """

    def jet_after(self, x: Jet) -> Jet:
        return self._least([evaluate_after(part, x) for part in self.parts])


class Intersection(_AbstractBoolean):
    r"""What is in all bodies: $\max_i f_i$; smooth as `Union` is, with $k/6$ taken away at edges.

    Inside, a sharp intersection of exact distances is exact; outside, near an edge, it is less
    than the distance, so a bound.

    Use when a body is trimmed by others. Fails when bodies do not meet: nothing is left, and the
    field is positive everywhere.

    Args:
        fields: Two or more.
        smooth: $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If one is not a field.
        ValueError: If there are fewer than two, their sizes differ, or `smooth` is negative.

    Example:
        >>> import torch
        >>> from neurafield.composition import HalfSpace, Sphere
        >>> bowl = Intersection(Sphere(radius=0.5), HalfSpace(normal=(0.0, 0.0, 1.0)))
        >>> bowl(torch.tensor([[0.0, 0.0, 0.25]])).item()
        0.25

    Reference:
        Ricci, A Constructive Geometry for Computer Graphics, The Computer Journal 1973.
    """

    def jet_after(self, x: Jet) -> Jet:
        return negative(self._least([negative(evaluate_after(part, x)) for part in self.parts]))


class Difference(_AbstractBoolean):
    r"""The first body without the others: $\max(f_1, -f_2, \dots)$; smooth as `Intersection` is.

    Use when a hole is cut. Fails when the fields of what is cut away are far from distances, as
    beyond the box of a fitted field: see `ExtendedBeyondBox`.

    Args:
        fields: What is kept, then what is cut away from it.
        smooth: $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If one is not a field.
        ValueError: If there are fewer than two, their sizes differ, or `smooth` is negative.

    Example:
        >>> import torch
        >>> from neurafield.composition import Box, Sphere
        >>> hollow = Difference(Box(reach=(0.5, 0.5, 0.5)), Sphere(radius=0.25))
        >>> hollow(torch.zeros(1, 3)).item()
        0.25

    Reference:
        Ricci, A Constructive Geometry for Computer Graphics, The Computer Journal 1973.
    """

    def jet_after(self, x: Jet) -> Jet:
        kept, *cut = [evaluate_after(part, x) for part in self.parts]
        return negative(self._least([negative(kept), *cut]))


class Complement(AbstractComposition):
    """All that a body is not: $-f$.

    Use when inside and outside have to be exchanged. Fails when the result shall be meshed: its
    surface is the same, its inside has no end.

    Args:
        field: The body.

    Raises:
        TypeError: If it is not a field.
        ValueError: If it has more than one value.

    Example:
        >>> import torch
        >>> from neurafield.composition import Sphere
        >>> Complement(Sphere(radius=0.5))(torch.zeros(1, 3)).item()
        0.5

    Reference:
        Ricci, A Constructive Geometry for Computer Graphics, The Computer Journal 1973.
    """

    def __init__(self, field: AbstractField) -> None:
        super().__init__(field)

    def jet_after(self, x: Jet) -> Jet:
        return negative(evaluate_after(self.parts[0], x))

    def lipschitz(self, bounds: list[float]) -> float:
        return bounds[0]

    def hyperparams(self) -> dict[str, Any]:
        return {}
