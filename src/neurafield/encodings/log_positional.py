"""Positional encoding with frequencies log-spaced between 1 and a bandwidth."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet, rules
from ._base import AbstractEncoding

MAX_SIGMA = 2.0**24
"""Largest bandwidth at which float32 coordinates resolve the phase."""


class LogPositional(AbstractEncoding):
    r"""Encode each coordinate with sines and cosines of log-spaced frequencies.

    $\gamma(x) = (\dots, \sin \pi\sigma^{j/m} x, \cos \pi\sigma^{j/m} x, \dots)$ for $j = 0, \dots,
    m - 1$ and every coordinate. The channels are ordered: all sines of frequency 0, all its
    cosines, all sines of frequency 1, and so on. Outside the box the waves continue.

    Use when detail is aligned with the axes and its finest scale is known: `sigma` sets the
    bandwidth, `num_frequencies` the density. Fails when structure is diagonal, like `Positional`,
    which is the special case $\sigma = 2^m$.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_frequencies: Number of frequencies $m$. The output has `2 * in_dim * num_frequencies`
            channels.
        sigma: Bandwidth, in cycles across [-1, 1], at most 2^24. The highest frequency is just
            below it: `sigma ** ((m - 1) / m)`.

    Raises:
        ValueError: If an argument is not positive, or `sigma` too large for float32 coordinates.

    Example:
        >>> LogPositional(2, 64, sigma=128.0)(torch.zeros(3, 2)).shape
        torch.Size([3, 256])

    Reference:
        Tancik et al., Fourier Features Let Networks Learn High Frequency Functions in Low
        Dimensional Domains, NeurIPS 2020, section 6.1, "positional encoding". Their coordinates
        span [0, 1], ours [-1, 1]: their 2 pi is our pi, and sigma is the same for the same picture;
        sines come before cosines here, as in `Positional`.
    """

    def __init__(self, in_dim: int, num_frequencies: int, *, sigma: float) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_frequencies=num_frequencies, high=2**12)
        check_positive(self, sigma=sigma)
        if sigma > MAX_SIGMA:
            raise ValueError(
                f"LogPositional: expected sigma to be at most {MAX_SIGMA:.0f}, got {sigma}."
            )
        self.in_dim = in_dim
        self.num_frequencies = num_frequencies
        self.sigma = float(sigma)
        self.out_dim = 2 * in_dim * num_frequencies
        self.factors = [
            math.pi * self.sigma ** (j / num_frequencies) for j in range(num_frequencies)
        ]

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        phase = self._factors(x) * x[..., None, :]
        return torch.stack([phase.sin(), phase.cos()], dim=-2).flatten(-3)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        phase = Jet(self._factors(x.value) * x.streams[..., None, :], x.weights)
        sine, cosine = rules.sin(phase).streams, rules.cos(phase).streams
        return Jet(torch.stack([sine, cosine], dim=-2).flatten(-3), x.weights)

    def _factors(self, x: Tensor) -> Tensor:
        return x.new_tensor(self.factors)[:, None]

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_frequencies": self.num_frequencies,
            "sigma": self.sigma,
        }
