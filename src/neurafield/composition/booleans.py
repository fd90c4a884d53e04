"""Boolean operations on solids, with sharp or smooth edges."""

import functools
from typing import Any

from .._checks import check_positive
from ..derivatives import Jet
from ..fields._base import AbstractField, evaluate_after
from ._base import AbstractComposition
from ._rules import least, negative


class _AbstractBoolean(AbstractComposition):
    """Two or more solids, and the width over which their edges are blended."""

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
    r"""Union of solids: $\min_i f_i$.

    A smooth union of width $k$ takes $\min(a, b) - \max(k - |a-b|, 0)^3 / 6k^2$ instead, one field
    after the other. It bulges by $k/6$ where $a = b$, and not at all where they differ by $k$ or
    more. All points that it adds are within $k/6$ of the sharp union.

    Outside the solids, a sharp union of exact distances is exact. Inside, where a face of one solid
    lies within another, it is a lower bound of the distance to the surface. A smooth union is a
    bound everywhere.

    Use when solids are joined or blended. Fails when one of the fields is not close to a distance
    away from its surface: it may hide the others there.

    Args:
        fields: Two or more solids.
        smooth: Width $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If a part is not a field.
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
    r"""Intersection of solids: $\max_i f_i$; smooth as in `Union`, with $k/6$ removed at edges.

    Inside, a sharp intersection of exact distances is exact. Outside, near an edge, it is a lower
    bound of the distance.

    Use when a solid is trimmed by others. Fails when solids do not meet: nothing is left, and the
    field is positive everywhere.

    Args:
        fields: Two or more solids.
        smooth: Width $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If a part is not a field.
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
    r"""The first solid minus the others: $\max(f_1, -f_2, \dots)$; smooth as in `Intersection`.

    Use when a hole is cut. Fails when the fields of the removed solids are far from distances, as
    a fitted field is outside its box: see `ExtendedBeyondBox`.

    Args:
        fields: Solid to keep, then the solids to remove from it.
        smooth: Width $k$, in units of the coordinates; 0 for sharp edges.

    Raises:
        TypeError: If a part is not a field.
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
    """Complement of a solid: $-f$.

    Use when inside and outside must be exchanged. Fails when the result is meshed as a solid: the
    surface is the same, but the inside is unbounded.

    Args:
        field: Solid.

    Raises:
        TypeError: If `field` is not a field.
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
