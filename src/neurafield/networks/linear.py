"""A single affine layer."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractNetwork, uniform_linear


class Linear(AbstractNetwork):
    r"""One affine map and no activation.

    $y = W x + b$, weights uniform with variance $1/\mathrm{fan\_in}$, biases uniform in
    $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when the field should be linear in the features, so that fitting is linear least squares.
    Fails when the signal is not a linear combination of the features.

    Args:
        in_dim: Number of features.
        out_dim: Number of values.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size is not positive.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> Linear(2, 3, generator=g)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])

    Reference:
        The last layer of every other network here.
    """

    def __init__(
        self, in_dim: int, out_dim: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, high=2**16)
        self.in_dim, self.out_dim = in_dim, out_dim
        self.layer = uniform_linear(
            in_dim,
            out_dim,
            weight_bound=math.sqrt(3 / in_dim),
            bias_bound=1 / math.sqrt(in_dim),
            generator=generator,
        )

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return self.layer(x)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return rules.linear(x, self.layer.weight, self.layer.bias)

    def hyperparams(self) -> dict[str, Any]:
        return {"in_dim": self.in_dim, "out_dim": self.out_dim}
