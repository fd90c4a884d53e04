r"""Spherical harmonics of directions.

Notation: $l$ the degree, $m$ the order, $Q_l^m(z, r^2)$ the part of a harmonic that depends on the
height alone, $A_m + iB_m = (x + iy)^m$ the part around the axis.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding


class SphericalHarmonics(AbstractEncoding):
    r"""Lift directions to the real spherical harmonics up to a degree.

    $Y_l^m = \sqrt2\, Q_l^m A_m$ for $m > 0$, $Q_l^0$, and $\sqrt2\, Q_l^{|m|} B_{|m|}$ for $m < 0$,
    in the order $l = 0, 1, \dots$ and $m = -l, \dots, l$ within a degree. Here
    $A_m + iB_m = (x + iy)^m$, and $Q_l^m$ is a polynomial in $z$ and $x^2 + y^2 + z^2$, the
    associated Legendre function without its factor $\sin^m\theta$. They are orthonormal over the
    sphere; degree 1 is $\sqrt{3/4\pi}\,(y, z, x)$.

    A direction is expected to have length 1, and is taken as it is: of another length $r$, the
    features of degree $l$ are $r^l$ times those of the direction. So they are polynomials,
    smooth everywhere, and zero at 0 except for the constant one.

    Use when values depend on a direction, such as that of view: no direction is special, as the
    poles of two angles would be. Fails when vectors of different length come in that mean the same
    direction (divide by their length first), or for sharp highlights: detail is some
    $180 / l$ degrees wide, and channels grow with $l^2$.

    Args:
        degree: The highest $l$, 1 to 32. The output has `(degree + 1)**2` channels.

    Raises:
        ValueError: If the degree is out of range.

    Example:
        >>> SphericalHarmonics(1)(torch.tensor([0.0, 0.0, 1.0])).round(decimals=4)
        tensor([0.2821, 0.0000, 0.4886, 0.0000])

    Reference:
        Sloan, Efficient Spherical Harmonic Evaluation, JCGT 2013, for the split into height and
        turn; the recursion over the degree is that of normalised associated Legendre functions
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
        # The jet's first stream, so that the recursion stands here once.
        check_last_axis(self, x, self.in_dim)
        return self._harmonics(Jet(x[None], x.new_zeros(0, 0))).value

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return self._harmonics(x)

    def _harmonics(self, v: Jet) -> Jet:
        x, y, z = (_channels(v, axis, axis + 1) for axis in range(3))
        r2 = rules.linear(rules.product(v, v), v.value.new_ones(1, 3))
        # Orders 0 to l of one degree side by side, as channels.
        height, turn = (
            _constant(v, math.sqrt(1 / (4 * math.pi))),
            (_constant(v, 1), _constant(v, 0)),
        )
        below, found = _channels(height, 0, 0), [height]
        for degree in range(1, self.degree + 1):
            below, height = height, _next_height(below, height, degree, z, r2)
            turn = _next_turn(turn, x, y)
            cosines, sines = (
                rules.product(_channels(height, 1), _channels(part, 1)) for part in turn
            )
            found += [
                Jet(math.sqrt(2) * sines.streams.flip(-1), v.weights),
                _channels(height, 0, 1),
                Jet(math.sqrt(2) * cosines.streams, v.weights),
            ]
        return rules.concat(found)

    def hyperparams(self) -> dict[str, Any]:
        return {"degree": self.degree}


def _next_height(below: Jet, last: Jet, degree: int, z: Jet, r2: Jet) -> Jet:
    r"""$Q_l$ from $Q_{l-1}$ and $Q_{l-2}$.

    $Q_l^m = a (z Q_{l-1}^m - b\, r^2 Q_{l-2}^m)$ with $a^2 = (4l^2 - 1) / (l^2 - m^2)$ and
    $b^2 = ((l-1)^2 - m^2) / (4(l-1)^2 - 1)$ for $m < l$; $Q_l^l$ is constant.
    """
    orders = torch.arange(degree, dtype=torch.float64)
    a = ((4 * degree**2 - 1) / (degree**2 - orders.square())).sqrt()
    # At m = l - 1 there is no Q_{l-2}, and b is zero.
    b = (((degree - 1) ** 2 - orders[:-1].square()) / (4 * (degree - 1) ** 2 - 1)).sqrt()
    up = rules.product(z, last).streams * a.to(last.value)
    down = rules.product(r2, below).streams * (a[:-1] * b).to(last.value)
    # The product of (2m + 1) / 2m up to l.
    top = (2 * degree + 1) * math.comb(2 * degree, degree) / 4**degree / (4 * math.pi)
    height = Jet(up - torch.nn.functional.pad(down, (0, 1)), last.weights)
    return rules.concat([height, _constant(last, math.sqrt(top))])


def _next_turn(turn: tuple[Jet, Jet], x: Jet, y: Jet) -> tuple[Jet, Jet]:
    r"""One order more: $A_m + iB_m = (x + iy)(A_{m-1} + iB_{m-1})$."""
    a, b = (_channels(part, -1) for part in turn)
    minus_b = Jet(-b.streams, b.weights)
    more_a = rules.add(rules.product(x, a), rules.product(y, minus_b))
    more_b = rules.add(rules.product(x, b), rules.product(y, a))
    return rules.concat([turn[0], more_a]), rules.concat([turn[1], more_b])


def _channels(v: Jet, start: int, stop: int | None = None) -> Jet:
    return Jet(v.streams[..., start:stop], v.weights)


def _constant(like: Jet, value: float) -> Jet:
    """One channel that is the same everywhere."""
    first = torch.full_like(like.streams[:1, ..., :1], value)
    return Jet(torch.cat([first, torch.zeros_like(like.streams[1:, ..., :1])]), like.weights)
