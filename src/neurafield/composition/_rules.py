"""How jets pass through what distances are made of: minima, lengths, absolute values."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Jet, rules


def negative(x: Jet) -> Jet:
    """-v."""
    return Jet(-x.streams, x.weights)


def scaled(x: Jet, factor: float) -> Jet:
    """Times a number."""
    return Jet(factor * x.streams, x.weights)


def shifted(x: Jet, shift: float | Float[Tensor, " c"]) -> Jet:
    """Plus a number, or one for each channel."""
    return Jet(torch.cat([x.streams[:1] + shift, x.streams[1:]]), x.weights)


def absolute(x: Jet) -> Jet:
    """|v|, whose slope at 0 is that of the positive side."""
    return Jet(torch.where(x.value >= 0, x.streams, -x.streams), x.weights)


def positive(x: Jet) -> Jet:
    """max(v, 0), whose slope at 0 is that of the positive side; NaN stays NaN."""
    return Jet(torch.where(x.value < 0, 0.0, x.streams), x.weights)


def least(x: Jet, y: Jet, smooth: float = 0.0) -> Jet:
    r"""$\min(a, b) - \max(k - |a - b|, 0)^3 / 6k^2$ for a width k; of equals the first.

    Twice differentiable across $a = b$ if k > 0. Its slope is a mean of both slopes, so whatever
    bounds these bounds it. NaN in either gives NaN.

    Reference:
        Quilez, Smooth minimum, iquilezles.org, 2013 and later: the cubic polynomial.
    """
    rules.check_alike("least", x, y)
    first = (x.value <= y.value) | x.value.isnan()
    near = Jet(torch.where(first, x.streams, y.streams), x.weights)
    if not smooth:
        return near
    far = torch.where(first, y.streams, x.streams)
    # Not |a - b|, which autograd takes to have no slope where it is zero. In shares of the width,
    # whose square may be too small for 32 bits.
    gap = Jet(far - near.streams, x.weights)
    bulge = rules.elementwise(
        gap,
        lambda v: -smooth / 6 * (1 - v / smooth).clamp(min=0) ** 3,
        lambda v: (1 - v / smooth).clamp(min=0) ** 2 / 2,
        lambda v: -(1 - v / smooth).clamp(min=0) / smooth,
    )
    return rules.add(near, bulge)


def length(x: Jet) -> Jet:
    r"""$|v|_2$; in 0 its derivatives are finite.

    $J'_k = n \cdot J_k$ and $S' = n \cdot S + \sum_k w_{sk} (|J_k|^2 - (n \cdot J_k)^2) / |v|$ for
    $n = v / |v|$: nothing is squared that could leave the range of float32.
    """
    zero = (x.value == 0).all(-1, keepdim=True)
    # Autograd must not see the root of 0, not even where its gradient is thrown away.
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
    """Some of the channels, in this order."""
    return Jet(x.streams[..., list(indices)], x.weights)
