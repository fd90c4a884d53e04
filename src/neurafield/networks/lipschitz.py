"""A network whose slope has a bound that is trained."""

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

STEEPEST = {
    "Tanh": 1.0,
    "ReLU": 1.0,
    "Softplus": 1.0,
    "Sine": 1.0,
    "Sigmoid": 0.25,
    "Gaussian": math.exp(-0.5),
    "SiLU": 1.0998394,
    "GELU": 1.1289042,
}
"""The largest slope of functions that kernels have, rounded up."""


class Lipschitz(AbstractNetwork):
    r"""Affine layers that steepen nothing by more than numbers that are trained with them.

    $h_i = f(\hat W_i h_{i-1} + b_i),\ y = \hat W_{d+1} h_d + b_{d+1}$. Each row of $\hat W_i$ is
    that of $W_i$, made smaller if the sum of its absolute values is above
    $\mathrm{softplus}(c_i)$, never larger. So layer $i$ takes points that differ by $\delta$ in
    their largest coordinate to such that differ by $\mathrm{softplus}(c_i)\,\delta$ at most, and
    the network by $L = s^d \prod_i \mathrm{softplus}(c_i)$, for the steepest slope $s$ of $f$: 1
    for Tanh. The largest coordinate of a difference is not above its length: no value changes by
    more than $L$ times the distance of two points, and all values together, as a vector, by
    $\sqrt{\mathrm{out\_dim}}\, L$ times it. At first $\mathrm{softplus}(c_i)$ is the largest sum.

    Use when a field shall change evenly with a coordinate, such as the code of a shape, with
    `fit.lipschitz_penalty`; or when a bound of its slope is needed. Fails when fine detail is
    wanted: without the penalty it learns what an MLP with this activation does, with it less.

    Args:
        in_dim: Number of coordinates or features.
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Hidden layers, so `depth + 1` affine ones.
        activation: An instance from `neurafield.activations`, its class name, or its description,
            as for `MLP`; without trained constants, and of a slope with a known bound.
        generator: Source of the initial parameters; None takes torch's global one.

    Raises:
        ValueError: If a size is not positive, or the activation is unknown, trained or too steep.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> network = Lipschitz(3, 1, width=16, depth=2, generator=g)
        >>> x, y = torch.zeros(3), torch.tensor([0.0, 0.0, 0.1])
        >>> bool((network(x) - network(y)).abs() <= 0.1 * network.lipschitz_bound())
        True

    Reference:
        Liu et al., Learning Smooth Neural Functions via Lipschitz Regularization, SIGGRAPH 2022,
        section 4 and equation 7. We start $c_i$ where softplus of it is the largest sum; there it
        is the sum itself. Other activations than 1-Lipschitz ones are counted with their slope.
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
        """$L$, to be trained: what `fit.lipschitz_penalty` makes small."""
        return softplus(self.c).prod() * self._steepest() ** self.depth

    def lipschitz_bound(self) -> float:
        """$L$: no value changes by more than this times the distance of two points."""
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

    def _steepest(self) -> float:
        return STEEPEST[self._kernel] * abs(self._factor)


def bounded(weight: Float[Tensor, "n m"], bound: Float[Tensor, ""]) -> Float[Tensor, "n m"]:
    """The rows of a matrix, made smaller where the sum of absolute values is above a bound."""
    sums = weight.abs().sum(1, keepdim=True)
    return weight * (bound / torch.maximum(sums, bound))


def _known(f: AbstractActivation) -> tuple[str, float]:
    """Name and factor inside, of a function whose steepest slope is known."""
    name, factor = f.kernel() or ("", 1.0)
    if name not in STEEPEST or isinstance(factor, Tensor):
        raise ValueError(
            f"Lipschitz: expected an activation without trained constants among "
            f"{', '.join(STEEPEST)}, got {f}."
        )
    return name, factor
