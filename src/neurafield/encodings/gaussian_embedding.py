"""Gaussian bumps along each axis."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet
from ._base import AbstractEncoding
from ._bumps import cell_centres, differences, differences_jet, gaussian, gaussian_jet


class GaussianEmbedding(AbstractEncoding):
    r"""Encode each coordinate with shifted Gaussians.

    $\gamma_i(x) = e^{-(x - t_i)^2 / 2\sigma^2}$ for every coordinate, with $t_i$ the centres of $k$
    equal cells of [-1, 1]. Channels: all bumps of the first coordinate, then of the second. Outside
    the box the features fade to zero within a few `sigma`.

    Use when few layers follow: even a linear layer represents any function of one coordinate that
    is smooth at the scale of `sigma`. Fails when `sigma` does not match the spacing $2/k$: much
    narrower bumps leave gaps, much wider ones are nearly identical. In several dimensions, the
    network must multiply the bumps of different axes.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_centres: Number of bumps $k$ per coordinate. The output has `in_dim * num_centres`
            channels.
        sigma: Width of a bump, in coordinates; one to two spacings work well.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> lift = GaussianEmbedding(1, 4, sigma=0.5)  # Centres -0.75, -0.25, 0.25, 0.75.
        >>> lift(torch.tensor([0.25])).round(decimals=3)
        tensor([0.1350, 0.6070, 1.0000, 0.6070])

    Reference:
        Zheng, Ramasinghe and Lucey, Rethinking Positional Encoding, 2021, the Gaussian of their
        shifted basis functions. Their centres start at the border; ours lie half a cell inside, as
        samples do.
    """

    def __init__(self, in_dim: int, num_centres: int, *, sigma: float) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_centres=num_centres, high=2**12)
        check_positive(self, sigma=sigma)
        self.in_dim = in_dim
        self.num_centres = num_centres
        self.sigma = float(sigma)
        self.out_dim = in_dim * num_centres

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        away = differences(x, cell_centres(self.num_centres, x))
        return gaussian(away / self.sigma, power=1.0)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        away = differences_jet(x, cell_centres(self.num_centres, x.value))
        return gaussian_jet(Jet(away.streams / self.sigma, x.weights), power=1.0)

    def hyperparams(self) -> dict[str, Any]:
        return {"in_dim": self.in_dim, "num_centres": self.num_centres, "sigma": self.sigma}
