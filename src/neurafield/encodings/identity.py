"""The identity as an encoding."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet
from ._base import AbstractEncoding


class Identity(AbstractEncoding):
    r"""Return coordinates unchanged.

    $\gamma(x) = x$.

    Use when a network of sines or Gaussians follows, or in a `Composite` for coordinates that need
    no encoding. Fails when a ReLU network follows and the signal has fine detail.

    Args:
        in_dim: Number of coordinates.

    Raises:
        ValueError: If `in_dim` is not positive.

    Example:
        >>> Identity(2)(torch.tensor([0.5, -1.0]))
        tensor([ 0.5000, -1.0000])

    Reference:
        The row "none" of Tancik et al., Fourier Features Let Networks Learn High Frequency
        Functions in Low Dimensional Domains, NeurIPS 2020, table 1.
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=2**16)
        self.in_dim = self.out_dim = in_dim

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return x

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return x

    def hyperparams(self) -> dict[str, Any]:
        return {"in_dim": self.in_dim}
