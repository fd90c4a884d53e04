"""Random Fourier features."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet, rules
from ._base import AbstractEncoding


class RandomFourier(AbstractEncoding):
    r"""Encode coordinates with fixed random sinusoids.

    $\gamma(x) = [\cos 2\pi Bx,\ \sin 2\pi Bx]$ with $B_{ij} \sim N(0, \sigma^2)$.

    Use when the signal has one dominant scale. Fails when detail varies over space:
    one `sigma` either blurs or adds noise.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_frequencies: Rows of `B`. The output has twice as many channels.
        sigma: Bandwidth, in cycles per unit of coordinate. The paper's coordinates span
            [0, 1], ours [-1, 1]: its sigma is twice ours for the same picture.
        generator: Source of `B`, so that the same field can be built again. None takes
            torch's global one.

    Raises:
        ValueError: If a size or `sigma` is not positive.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> RandomFourier(2, 64, sigma=5.0, generator=g)(torch.zeros(3, 2)).shape
        torch.Size([3, 128])

    Reference:
        Tancik et al., Fourier Features Let Networks Learn High Frequency Functions in Low
        Dimensional Domains, NeurIPS 2020, section 6.1.
    """

    B: Tensor

    def __init__(
        self,
        in_dim: int,
        num_frequencies: int,
        *,
        sigma: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_frequencies=num_frequencies, high=2**16)
        check_positive(self, sigma=sigma)
        self.in_dim = in_dim
        self.num_frequencies = num_frequencies
        self.sigma = float(sigma)
        self.out_dim = 2 * num_frequencies
        # A buffer, not a parameter: saved with the field, never trained.
        normal = torch.randn(num_frequencies, in_dim, generator=generator)
        self.register_buffer("B", self.sigma * normal)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        phase = 2 * math.pi * (x @ self.B.mT)
        return torch.cat([phase.cos(), phase.sin()], dim=-1)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        phase = rules.linear(x, 2 * math.pi * self.B)
        return rules.concat([rules.cos(phase), rules.sin(phase)])

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_frequencies": self.num_frequencies,
            "sigma": self.sigma,
        }
