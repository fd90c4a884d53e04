"""Positional encoding: sinusoids of the coordinates in octaves."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding


class Positional(AbstractEncoding):
    r"""Encode each coordinate with sines and cosines of doubling frequency.

    $\gamma(x) = (\sin 2^0\pi x, \cos 2^0\pi x, \dots, \sin 2^{L-1}\pi x, \cos 2^{L-1}\pi x)$ for
    every coordinate, preceded by the coordinates themselves if `include_input`. The channels are
    ordered: inputs, then all sines of octave 0, all cosines of octave 0, all sines of octave 1, and
    so on.

    Use when detail is aligned with the axes and its scale is unknown. Fails when structure
    is diagonal: the frequencies lie on the axes only, which shows as axis-aligned ringing.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_octaves: Number of octaves $L$. The highest frequency is `2**(L-1) / 2` cycles per unit
            of coordinate, so `2**(L-1)` cycles across [-1, 1].
        include_input: True adds the coordinates themselves.

    Raises:
        ValueError: If a size is not positive, or `num_octaves` exceeds 24, beyond which
            float32 coordinates no longer resolve the phase.

    Example:
        >>> Positional(2, 4)(torch.zeros(3, 2)).shape
        torch.Size([3, 18])

    Reference:
        Mildenhall et al., NeRF: Representing Scenes as Neural Radiance Fields for View Synthesis,
        ECCV 2020, equation 4. We differ in the channel order and in including the input, as their
        code does and their equation does not.
    """

    def __init__(self, in_dim: int, num_octaves: int, *, include_input: bool = True) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_octaves=num_octaves, high=24)
        self.in_dim = in_dim
        self.num_octaves = num_octaves
        self.include_input = bool(include_input)
        self.out_dim = in_dim * (2 * num_octaves + self.include_input)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        features = [x] if self.include_input else []
        for octave in range(self.num_octaves):
            phase = (2.0**octave * math.pi) * x
            features += [phase.sin(), phase.cos()]
        return torch.cat(features, dim=-1)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        features = [x] if self.include_input else []
        for octave in range(self.num_octaves):
            phase = Jet(2.0**octave * math.pi * x.streams, x.weights)
            features += [rules.sin(phase), rules.cos(phase)]
        return rules.concat(features)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_octaves": self.num_octaves,
            "include_input": self.include_input,
        }
