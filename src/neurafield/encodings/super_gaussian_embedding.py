"""Super-Gaussian bumps along each axis."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet
from ._base import AbstractEncoding
from ._bumps import cell_centres, differences, differences_jet, gaussian, gaussian_jet


class SuperGaussianEmbedding(AbstractEncoding):
    r"""Encode each coordinate with shifted Gaussians raised to a power.

    $\gamma_i(x) = \left[e^{-(x - t_i)^2 / 2\sigma^2}\right]^b$ for every coordinate, with $t_i$ the
    centres of $k$ equal cells of [-1, 1]. Channels: all bumps of the first coordinate, then of the
    second. Outside the box the features fade to zero.

    Use when comparing with papers that state `sigma` and `power` separately. Fails when more is
    expected of it than of `GaussianEmbedding`: by its formula it is one of width $\sigma /
    \sqrt{b}$, with the same gaps and overlaps.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_centres: Number of bumps $k$ per coordinate. The output has `in_dim * num_centres`
            channels.
        sigma: Width of a bump at power 1, in coordinates.
        power: Exponent $b$. Larger values make bumps narrower.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> lift = SuperGaussianEmbedding(1, 4, sigma=1.0, power=4.0)  # Same as width 0.5.
        >>> lift(torch.tensor([0.25])).round(decimals=3)
        tensor([0.1350, 0.6070, 1.0000, 0.6070])

    Reference:
        Ramasinghe and Lucey, A Learnable Radial Basis Positional Embedding for Coordinate-MLPs,
        2021, for the formula. They learn a width for every training point by a smoothness prior;
        here one width is fixed.
    """

    def __init__(self, in_dim: int, num_centres: int, *, sigma: float, power: float = 2.0) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_centres=num_centres, high=2**12)
        check_positive(self, sigma=sigma, power=power)
        self.in_dim = in_dim
        self.num_centres = num_centres
        self.sigma, self.power = float(sigma), float(power)
        self.out_dim = in_dim * num_centres

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        away = differences(x, cell_centres(self.num_centres, x))
        return gaussian(away / self.sigma, self.power)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        away = differences_jet(x, cell_centres(self.num_centres, x.value))
        return gaussian_jet(Jet(away.streams / self.sigma, x.weights), self.power)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_centres": self.num_centres,
            "sigma": self.sigma,
            "power": self.power,
        }
