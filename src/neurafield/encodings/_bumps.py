"""Helpers for encodings with bumps along each axis: centres, Gaussians, and their jets.

Channels are ordered by coordinate: all bumps of the first, then all of the second.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Jet, rules


def cell_centres(num: int, x: Tensor) -> Float[Tensor, " num"]:
    """Centres of `num` equal cells of [-1, 1], with the dtype and device of `x`."""
    return (2 * torch.arange(num, dtype=x.dtype, device=x.device) + 1) / num - 1


def differences(
    x: Float[Tensor, "*batch in_dim"], marks: Float[Tensor, " num"]
) -> Float[Tensor, "*batch _"]:
    """Differences of every coordinate and every mark."""
    return (x[..., None] - marks).flatten(-2)


def differences_jet(x: Jet, marks: Float[Tensor, " num"]) -> Jet:
    """`differences` of a jet. The marks are constant, so derivatives are just repeated."""
    derivatives = x.streams[1:].repeat_interleave(len(marks), dim=-1)
    return Jet(torch.cat([differences(x.value, marks)[None], derivatives]), x.weights)


def gaussian(u: Tensor, power: float) -> Tensor:
    r"""$(e^{-u^2/2})^b$."""
    return (-0.5 * power * u.square()).exp()


def gaussian_jet(u: Jet, power: float) -> Jet:
    """`gaussian` of a jet."""
    value = gaussian(u.value, power)
    slope = -power * u.value * value
    return rules.elementwise(
        u,
        lambda _: value,
        lambda _: slope,
        lambda v: -power * (value + v * slope),
    )
