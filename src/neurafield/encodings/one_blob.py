"""One-blob encoding: a Gaussian around each coordinate, integrated over bins."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding
from ._bumps import differences, differences_jet


class OneBlob(AbstractEncoding):
    r"""Encode each coordinate as the mass of a Gaussian around it in each of k bins.

    $\gamma_i(x) = \Phi\left(\frac{e_{i+1} - x}{\sigma}\right) - \Phi\left(\frac{e_i -
    x}{\sigma}\right)$ for every coordinate, with bin edges $e_i = 2i/k - 1$, bin width $\sigma =
    2/k$, and the cumulative normal distribution $\Phi$. Channels: all bins of the first coordinate,
    then of the second. Mass outside the box is dropped: the bins add up to 1 in the middle and to
    1/2 on the border, and fade to zero outside.

    Use when few layers follow and the signal is smooth at the scale of a bin: this is a soft
    one-hot code that lets different parts of the network serve different regions. Fails when detail
    is finer than a bin, or there are so many bins that each sees few samples.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_bins: Number of bins $k$ per coordinate. The output has `in_dim * num_bins` channels.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> OneBlob(1, 8)(torch.tensor([0.0])).round(decimals=3)
        tensor([0.0010, 0.0210, 0.1360, 0.3410, 0.3410, 0.1360, 0.0210, 0.0010])

    Reference:
        Müller et al., Neural Importance Sampling, SIGGRAPH 2019, section 4.3. We integrate over a
        bin instead of evaluating at its centre, so that the sum of the features does not depend on
        the position within a bin. tiny-cuda-nn integrates a quartic kernel, periodic over the box.
    """

    def __init__(self, in_dim: int, num_bins: int) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_bins=num_bins, high=2**12)
        self.in_dim = in_dim
        self.num_bins = num_bins
        self.out_dim = in_dim * num_bins

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return self._between_edges(_normal(differences(x, self._edges(x)) * (self.num_bins / 2)))

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        away = differences_jet(x, self._edges(x.value))
        below = rules.elementwise(
            Jet(away.streams * (self.num_bins / 2), x.weights),
            _normal,
            _density,
            lambda u: -u * _density(u),
        )
        return Jet(self._between_edges(below.streams), x.weights)

    def _edges(self, x: Tensor) -> Tensor:
        edges = torch.arange(self.num_bins + 1, dtype=x.dtype, device=x.device)
        return 2 * edges / self.num_bins - 1

    def _between_edges(self, below: Tensor) -> Tensor:
        """Mass between neighbouring edges, from the distribution function at each edge."""
        below = below.unflatten(-1, (self.in_dim, self.num_bins + 1))
        return (below[..., :-1] - below[..., 1:]).flatten(-2)

    def hyperparams(self) -> dict[str, Any]:
        return {"in_dim": self.in_dim, "num_bins": self.num_bins}


def _normal(u: Tensor) -> Tensor:
    """Cumulative normal distribution, accurate in both tails."""
    return 0.5 * torch.erfc(-u / math.sqrt(2))


def _density(u: Tensor) -> Tensor:
    return (-0.5 * u.square()).exp() / math.sqrt(2 * math.pi)
