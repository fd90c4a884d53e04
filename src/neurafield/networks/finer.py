"""FINER: a SIREN with sines of variable frequency."""

from typing import Any

import torch
from torch import nn

from .._checks import check_count
from ..activations import FinerSine
from ._perceptron import AbstractPerceptron, initial_layers


class Finer(AbstractPerceptron):
    r"""A network of variable-periodic sines.

    $h_0 = x,\ z_i = W_i h_{i-1} + b_i,\ h_i = \sin(\omega_i (|z_i| + 1) z_i),\
    y = W_{d+1} h_d + b_{d+1}$ with $\omega_1$ = `omega_0` and $\omega_i$ = `omega` above.
    Weights as in `Siren`; biases of the first layer uniform in $\pm k$, k = `first_bias`, others in
    $\pm 1/\sqrt{\mathrm{fan\_in}}$. A unit with a large bias is a faster sine, so the first layer
    holds frequencies from `omega_0` to about `omega_0` (1 + 2 k).

    Use when a SIREN would need a search for `omega_0`: `first_bias` sets the highest frequency and
    keeps the low ones. Fails when `first_bias` is too large for the samples, which gives noise
    between them; second derivatives jump where $z = 0$.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Number of hidden layers; there are `depth + 1` affine layers. The paper counts one
            fewer.
        omega_0: Frequency factor of the first layer, in radians per unit of its pre-activation.
        omega: Frequency factor of the other hidden layers.
        first_bias: Bound k of the first layer's initial biases, positive.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size, a frequency factor or `first_bias` is not positive.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> Finer(2, 1, width=64, depth=2, generator=g)(torch.zeros(5, 2)).shape
        torch.Size([5, 1])

    Reference:
        Liu et al., FINER: Flexible Spectral-bias Tuning in Implicit NEural Representation by
        Variable-periodic Activation Functions, CVPR 2024, section 3. By default, their code stops
        the gradient through $|z| + 1$; ours is exact.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        width: int = 256,
        depth: int = 4,
        omega_0: float = 30.0,
        omega: float = 30.0,
        first_bias: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        check_count(self, depth=depth, high=256)
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        first, inner = FinerSine(omega_0, first_bias=first_bias), FinerSine(omega)
        self.omega_0, self.omega, self.first_bias = (
            first.a.initial,
            inner.a.initial,
            first.first_bias,
        )
        self.activations = nn.ModuleList([first, *[inner] * (depth - 1)])
        self.layers = initial_layers(
            [in_dim] + [width] * depth + [out_dim],
            self._activations,
            output_bound=inner.output_bound(width),
            generator=generator,
        )

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "omega_0": self.omega_0,
            "omega": self.omega,
            "first_bias": self.first_bias,
        }
