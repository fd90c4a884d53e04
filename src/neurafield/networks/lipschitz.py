"""A network with a trainable Lipschitz bound."""

import copy
import math
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from .._checks import check_count, check_last_axis
from .._component import spec_of
from ..activations import AbstractActivation
from ..derivatives import Jet
from ..kernels import fused_mlp as value_kernel
from ..kernels import fused_mlp_jet as jet_kernel
from ._base import AbstractNetwork
from ._perceptron import chosen_activation, initial_layers, shortest

LIPSCHITZ = {
    "Tanh": 1.0,
    "ReLU": 1.0,
    "Softplus": 1.0,
    "Sine": 1.0,
    "Sigmoid": 0.25,
    "Gaussian": math.exp(-0.5),
    "SiLU": 1.0998394,
    "GELU": 1.1289042,
}
"""Lipschitz constants of the functions that kernels support, rounded up."""


class Lipschitz(AbstractNetwork):
    r"""A perceptron whose layers have trainable Lipschitz bounds.

    $h_i = f(\hat W_i h_{i-1} + b_i),\ y = \hat W_{d+1} h_d + b_{d+1}$. Each row of $\hat W_i$ is
    that of $W_i$, scaled down if the sum of its absolute values exceeds $\mathrm{softplus}(c_i)$.
    So, in the maximum norm, layer $i$ has the Lipschitz constant $\mathrm{softplus}(c_i)$ and the
    network $L = s^d \prod_i \mathrm{softplus}(c_i)$, where $s$ is that of $f$ (1 for Tanh). The
    maximum norm is at most the Euclidean norm, so $L$ bounds each value for the Euclidean distance
    too, and $\sqrt{\mathrm{out\_dim}}\, L$ bounds the vector of all values. Initially,
    $\mathrm{softplus}(c_i)$ is the largest row sum.

    Use when a field should vary smoothly with a coordinate, such as the latent code of a shape,
    with `fit.lipschitz_penalty`; or when a Lipschitz bound is needed. Fails when fine detail is
    wanted: without the penalty it learns as much as an MLP with this activation, with it less.

    Args:
        in_dim: Number of coordinates or features.
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Number of hidden layers; there are `depth + 1` affine layers.
        activation: An instance from `neurafield.activations`, its class name, or its description,
            as for `MLP`; it must have no trained constants, and a known Lipschitz constant.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size is not positive, or the activation is unknown, trained, or has no
            known Lipschitz constant.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> network = Lipschitz(3, 1, width=16, depth=2, generator=g)
        >>> x, y = torch.zeros(3), torch.tensor([0.0, 0.0, 0.1])
        >>> bool((network(x) - network(y)).abs() <= 0.1 * network.lipschitz_bound())
        True

    Reference:
        Liu et al., Learning Smooth Neural Functions via Lipschitz Regularization, SIGGRAPH 2022,
        section 4 and equation 7. We initialise $c_i$ so that its softplus is the largest row sum;
        theirs starts $c_i$ at the sum itself. We also allow activations that are not 1-Lipschitz,
        with their constant as a factor.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        width: int = 256,
        depth: int = 4,
        activation: AbstractActivation | dict[str, Any] | str = "Tanh",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        check_count(self, depth=depth, high=256)
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        f = chosen_activation(activation)
        self._kernel, self._factor = _known(f)
        self._activation_spec = copy.deepcopy(spec_of(f))
        self.layers = initial_layers(
            [in_dim] + [width] * depth + [out_dim],
            [f] * depth,
            output_bound=f.output_bound(width),
            generator=generator,
        )
        sums = [layer.weight.detach().abs().sum(1).amax() for layer in self._layers]
        # The inverse of softplus.
        self.c = nn.Parameter(torch.stack([total + (-(-total).expm1()).log() for total in sums]))

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        weights, biases, scales = self._affine()
        return value_kernel.fused_mlp(x, weights, biases, activation=self._kernel, scales=scales)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        weights, biases, scales = self._affine()
        streams = jet_kernel.fused_mlp_jet(
            x.streams, weights, biases, mix=x.weights, activation=self._kernel, scales=scales
        )
        return Jet(streams, x.weights)

    def bound(self) -> Float[Tensor, ""]:
        """Differentiable bound $L$, which `fit.lipschitz_penalty` makes small."""
        return softplus(self.c).prod() * self._slope_bound() ** self.depth

    def lipschitz_bound(self) -> float:
        """Lipschitz constant $L$: no value changes by more than this times the distance of two
        points.
        """
        return float(self.bound().detach())

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "activation": shortest(self._activation_spec),
        }

    def _affine(self) -> tuple[list[Tensor], list[Tensor], list[float]]:
        weights = [
            bounded(layer.weight, bound)
            for layer, bound in zip(self._layers, softplus(self.c), strict=True)
        ]
        return weights, [layer.bias for layer in self._layers], [self._factor] * self.depth

    @property
    def _layers(self) -> list[nn.Linear]:
        return cast(list[nn.Linear], list(self.layers))

    def _slope_bound(self) -> float:
        return LIPSCHITZ[self._kernel] * abs(self._factor)


def bounded(weight: Float[Tensor, "n m"], bound: Float[Tensor, ""]) -> Float[Tensor, "n m"]:
    """Rows of a matrix, scaled down where the sum of absolute values exceeds a bound."""
    sums = weight.abs().sum(1, keepdim=True)
    return weight * (bound / torch.maximum(sums, bound))


def _known(f: AbstractActivation) -> tuple[str, float]:
    """Kernel name and inner factor of a function with a known Lipschitz constant."""
    name, factor = f.kernel() or ("", 1.0)
    if name not in LIPSCHITZ or isinstance(factor, Tensor):
        raise ValueError(
            f"Lipschitz: expected an activation without trained constants among "
            f"{', '.join(LIPSCHITZ)}, got {f}."
        )
    return name, factor
