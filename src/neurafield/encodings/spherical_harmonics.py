r"""Spherical harmonics of directions.

Notation: $l$ the degree, $m$ the order, $Q_l^m(z, r^2)$ the part of a harmonic that depends on
height only, $A_m + iB_m = (x + iy)^m$ the part around the axis.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding


class SphericalHarmonics(AbstractEncoding):
    r"""Encode directions with the real spherical harmonics up to a degree.

    $Y_l^m = \sqrt2\, Q_l^m A_m$ for $m > 0$, $Q_l^0$, and $\sqrt2\, Q_l^{|m|} B_{|m|}$ for $m < 0$,
    in the order $l = 0, 1, \dots$ and $m = -l, \dots, l$ within a degree. Here
    $A_m + iB_m = (x + iy)^m$, and $Q_l^m$ is a polynomial in $z$ and $x^2 + y^2 + z^2$, the
    associated Legendre function without its factor $\sin^m\theta$. They are orthonormal over the
    sphere; degree 1 is $\sqrt{3/4\pi}\,(y, z, x)$.

    Directions should have length 1; they are not normalised. At another length $r$, features of
    degree $l$ are multiplied by $r^l$. So the features are polynomials, smooth everywhere, and zero
    at 0 except for the constant one.

    Use when values depend on a direction, such as the view direction: no direction is special,
    unlike the poles of two angles. Fails when vectors of different length mean the same direction
    (normalise them first), or for sharp highlights: detail is about $180 / l$ degrees wide, and
    channels grow with $l^2$.

    Args:
        degree: Highest degree $l$, 1 to 32. The output has `(degree + 1)**2` channels.

    Raises:
        ValueError: If the degree is out of range.

    Example:
        >>> SphericalHarmonics(1)(torch.tensor([0.0, 0.0, 1.0])).round(decimals=4)
        tensor([0.2821, 0.0000, 0.4886, 0.0000])

    Reference:
        Sloan, Efficient Spherical Harmonic Evaluation, JCGT 2013, for the split into height and
        rotation; the recursion over the degree is that of normalised associated Legendre functions
        (NIST DLMF, section 14.10). Normalised as `scipy.special.sph_harm_y`, without its factor
        $(-1)^m$. tiny-cuda-nn counts bands: its degree 4 is our 3, and has that factor.
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        check_count(self, degree=degree, high=32)
        self.degree = degree
        self.in_dim = 3
        self.out_dim = (degree + 1) ** 2

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        axes = [x[..., axis].contiguous() for axis in range(3)]
        return torch.stack(_harmonics(axes, self.degree, _TENSORS), dim=-1)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        axes = [Jet(x.streams[..., axis, None].contiguous(), x.weights) for axis in range(3)]
        return rules.concat(_harmonics(axes, self.degree, _JETS))

    def hyperparams(self) -> dict[str, Any]:
        return {"degree": self.degree}


class _Algebra(NamedTuple):
    """Operations of the recursion, for tensors or jets."""

    product: Callable[[Any, Any], Any]
    add: Callable[[Any, Any], Any]
    scaled: Callable[[Any, float], Any]
    constant: Callable[[Any, float], Any]


def _scaled(v: Jet, factor: float) -> Jet:
    return Jet(factor * v.streams, v.weights)


def _constant(like: Jet, value: float) -> Jet:
    first = torch.full_like(like.streams[:1], value)
    return Jet(torch.cat([first, torch.zeros_like(like.streams[1:])]), like.weights)


_TENSORS = _Algebra(torch.mul, torch.add, torch.mul, torch.full_like)
_JETS = _Algebra(rules.product, rules.add, _scaled, _constant)


def _harmonics(axes: Sequence[Any], degree: int, algebra: _Algebra) -> list[Any]:
    """All harmonics up to a degree, as separate tensors: interleaved they would be slow."""
    product, add, scaled, constant = algebra
    x, y, z = axes
    r2 = add(add(product(x, x), product(y, y)), product(z, z))
    # A_m and B_m from A_0 = sqrt(2), so that every harmonic includes that factor.
    cosines, sines = [constant(x, math.sqrt(2))], [constant(x, 0.0)]
    below, heights = [], [constant(x, math.sqrt(1 / (4 * math.pi)))]
    found = [*heights]
    for l in range(1, degree + 1):  # noqa: E741
        a, b = cosines[-1], sines[-1]
        cosines.append(add(product(x, a), scaled(product(y, b), -1.0)))
        sines.append(add(product(x, b), product(y, a)))
        below, heights = heights, _next_heights(below, heights, l, z, r2, algebra)
        found += [product(heights[m], sines[m]) for m in range(l, 0, -1)]
        found += [heights[0]]
        found += [product(heights[m], cosines[m]) for m in range(1, l + 1)]
    return found


def _next_heights(
    below: list[Any],
    last: list[Any],
    l: int,  # noqa: E741
    z: Any,
    r2: Any,
    algebra: _Algebra,
) -> list[Any]:
    r"""$Q_l^m$ for all $m$, from those of $l - 1$ and $l - 2$.

    $Q_l^m = a (z Q_{l-1}^m - b\, r^2 Q_{l-2}^m)$ with $a^2 = (4l^2 - 1) / (l^2 - m^2)$ and
    $b^2 = ((l-1)^2 - m^2) / (4(l-1)^2 - 1)$ for $m < l$; $Q_l^l$ is constant.
    """
    product, add, scaled, constant = algebra
    heights = []
    for m in range(l):
        a = math.sqrt((4 * l**2 - 1) / (l**2 - m**2))
        height = scaled(product(z, last[m]), a)
        # At m = l - 1 there is no Q_{l-2}, and b is zero.
        if m < l - 1:
            b = math.sqrt(((l - 1) ** 2 - m**2) / (4 * (l - 1) ** 2 - 1))
            height = add(height, scaled(product(r2, below[m]), -a * b))
        heights.append(height)
    # The product of (2m + 1) / 2m up to l.
    top = (2 * l + 1) * math.comb(2 * l, l) / 4**l / (4 * math.pi)
    return [*heights, constant(z, math.sqrt(top))]
