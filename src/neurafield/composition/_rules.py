"""Rules for jets of distances: minimum, length, absolute value."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Jet, rules


def negative(x: Jet) -> Jet:
    """-v."""
    return Jet(-x.streams, x.weights)


def scaled(x: Jet, factor: float) -> Jet:
    """Product with a constant."""
    return Jet(factor * x.streams, x.weights)


def shifted(x: Jet, shift: float | Float[Tensor, " c"]) -> Jet:
    """Sum with a constant, or with one per channel."""
    return Jet(torch.cat([x.streams[:1] + shift, x.streams[1:]]), x.weights)


def absolute(x: Jet) -> Jet:
    """|v|, with the slope of the positive side at 0."""
    return Jet(torch.where(x.value >= 0, x.streams, -x.streams), x.weights)


def positive(x: Jet) -> Jet:
    """max(v, 0), with the slope of the positive side at 0; NaN stays NaN."""
    return Jet(torch.where(x.value < 0, 0.0, x.streams), x.weights)


def least(x: Jet, y: Jet, smooth: float = 0.0) -> Jet:
    r"""$\min(a, b) - \max(k - |a - b|, 0)^3 / 6k^2$ for a width k; the first of equals.

    Twice differentiable across $a = b$ if k > 0. Its slope is a weighted mean of both slopes, so a
    bound of both is a bound of it. NaN in either gives NaN.

    Reference:
        Quilez, Smooth minimum, iquilezles.org, 2013 and later: the cubic polynomial.
    """
    rules.check_alike("least", x, y)
    first = (x.value <= y.value) | x.value.isnan()
    near = Jet(torch.where(first, x.streams, y.streams), x.weights)
    if not smooth:
        return near
    far = torch.where(first, y.streams, x.streams)
    # Not |a - b|, whose slope is 0 at 0 in autograd. Relative to the width, whose square may
    # underflow in float32.
    gap = Jet(far - near.streams, x.weights)
    bulge = rules.elementwise(
        gap,
        lambda v: -smooth / 6 * (1 - v / smooth).clamp(min=0) ** 3,
        lambda v: (1 - v / smooth).clamp(min=0) ** 2 / 2,
        lambda v: -(1 - v / smooth).clamp(min=0) / smooth,
    )
    return rules.add(near, bulge)


def length(x: Jet) -> Jet:
    r"""$|v|_2$; its derivatives at 0 are finite.

    $J'_k = n \cdot J_k$ and $S' = n \cdot S + \sum_k w_{sk} (|J_k|^2 - (n \cdot J_k)^2) / |v|$ for
    $n = v / |v|$. In this form no square can leave the range of float32.
    """
    zero = (x.value == 0).all(-1, keepdim=True)
    # Autograd must not see the root of 0, even if its gradient is discarded.
    divisor = torch.linalg.vector_norm(torch.where(zero, 1.0, x.value), dim=-1, keepdim=True)
    value = torch.where(zero, 0.0, divisor)
    unit = x.value / divisor
    slopes = (unit * x.first).sum(-1, keepdim=True)
    parts = [value[None], slopes]
    if len(x.weights):
        across = (x.first.square().sum(-1, keepdim=True) - slopes.square()) / divisor
        bent = torch.tensordot(x.weights, across, dims=1)
        parts.append((unit * x.second).sum(-1, keepdim=True) + bent)
    return Jet(torch.cat(parts), x.weights)


def channels(x: Jet, *indices: int) -> Jet:
    """Channels with the given indices, in their order."""
    return Jet(x.streams[..., list(indices)], x.weights)
