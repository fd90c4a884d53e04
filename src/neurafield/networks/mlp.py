"""The multilayer perceptron."""

import copy
from typing import Any

import torch
from torch import nn

from .._checks import check_count
from .._component import spec_of
from ..activations import AbstractActivation
from ._perceptron import AbstractPerceptron, chosen_activation, initial_layers, shortest


class MLP(AbstractPerceptron):
    r"""Affine layers with an activation between them.

    $h_0 = x,\ h_i = f(W_i h_{i-1} + b_i),\ y = W_{d+1} h_d + b_{d+1}$. The activation determines
    the distribution of weights and biases: see its docstring. With most, weights are uniform with
    variance $g^2/\mathrm{fan\_in}$ for the activation's gain $g$ (1 for the last layer), biases
    uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when an encoding precedes it, or with an activation that represents high frequencies itself
    (Gaussian, Sine and others). Fails when it reads bare coordinates through ReLU, Tanh and the
    like: it learns low frequencies first, and fine detail very slowly.

    Args:
        in_dim: Number of coordinates or features.
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Number of hidden layers; there are `depth + 1` affine layers.
        activation: An instance from `neurafield.activations`, a class name (with default
            constants), or `{"type": name, "hyperparams": {...}}`. If it has parameters, every
            hidden layer gets its own copy.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size is not positive, or the activation is unknown or out of range.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> MLP(2, 3, width=64, depth=2, generator=g)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])

    Reference:
        He et al., Delving Deep into Rectifiers, ICCV 2015, equation 10, for the variance;
        we draw from the uniform distribution of that variance instead of the normal.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        width: int = 256,
        depth: int = 4,
        activation: AbstractActivation | dict[str, Any] | str = "ReLU",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        check_count(self, depth=depth, high=256)
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        f = chosen_activation(activation)
        # Stored, because layers and activations may be replaced.
        self._activation_spec = spec_of(f)
        trained = any(True for _ in f.parameters())
        self.activations = nn.ModuleList(copy.deepcopy(f) if trained else f for _ in range(depth))
        self.layers = initial_layers(
            [in_dim] + [width] * depth + [out_dim],
            [f] * depth,
            output_bound=f.output_bound(width),
            generator=generator,
        )

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "activation": shortest(self._activation_spec),
        }
