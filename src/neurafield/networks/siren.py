"""SIREN: a perceptron with sine activations."""

from typing import Any

import torch
from torch import nn

from .._checks import check_count, check_positive
from ..activations import Sine
from ._perceptron import AbstractPerceptron, initial_layers


class Siren(AbstractPerceptron):
    r"""A sinusoidal representation network.

    $h_0 = x,\ h_i = \sin(\omega_i (W_i h_{i-1} + b_i)),\ y = W_{d+1} h_d + b_{d+1}$ with $\omega_1$
    = `omega_0` and $\omega_i$ = `omega` above. Initial weights are uniform in $\pm
    1/\mathrm{fan\_in}$ in the first layer and in $\pm\sqrt{6/\mathrm{fan\_in}}/\omega$ in all
    others, including the last; biases in $\pm 1/\sqrt{\mathrm{fan\_in}}$. The inputs of all inner
    layers then have the same distribution, at any depth.

    Use when derivatives of the signal matter, or one small smooth network should hold all of it.
    Fails when `omega_0` does not match the signal's bandwidth: too low blurs, too high gives noise
    between samples.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Number of hidden layers; there are `depth + 1` affine layers. The paper's networks
            have 4 (its code counts 3, the square matrices).
        omega_0: Frequency factor of the first layer, in radians per unit of its
            pre-activation. About 30 for pictures, 3,000 for seconds of sound.
        omega: Frequency factor of the other hidden layers.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size or a frequency factor is not positive.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> Siren(2, 1, width=64, depth=2, generator=g)(torch.zeros(5, 2)).shape
        torch.Size([5, 1])

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions, NeurIPS
        2020, sections 3.1 and 3.2, supplement 1.5. Biases follow their code; the paper does not
        specify them.
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
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        check_count(self, depth=depth, high=256)
        check_positive(self, omega_0=omega_0, omega=omega)
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        self.omega_0, self.omega = float(omega_0), float(omega)
        self.activations = nn.ModuleList([Sine(omega_0), *[Sine(omega)] * (depth - 1)])
        self.layers = initial_layers(
            [in_dim] + [width] * depth + [out_dim],
            self._activations,
            output_bound=Sine(omega).output_bound(width),
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
        }
