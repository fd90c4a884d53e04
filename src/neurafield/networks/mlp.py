"""The multilayer perceptron."""

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet
from ..kernels.fused_mlp import fused_mlp
from ..kernels.fused_mlp_jet import fused_mlp_jet
from . import activations
from ._base import AbstractNetwork, all_plain, has_hooks, hidden_jet, uniform_linear


class MLP(AbstractNetwork):
    r"""Affine layers with an activation between them.

    $h_0 = x,\ h_i = f(W_i h_{i-1} + b_i),\ y = W_{d+1} h_d + b_{d+1}$, weights uniform with
    variance $g^2/\mathrm{fan\_in}$ for the activation's gain $g$ (1 for the last layer),
    biases uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when an encoding comes before it. Fails when it sees bare coordinates: with any of
    these activations it learns low frequencies first and fine detail hardly ever.

    Args:
        in_dim: Number of coordinates or features.
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Hidden layers, so `depth + 1` affine ones.
        activation: An instance from `networks.activations`, or its class name.
        generator: Source of the initial parameters; None takes torch's global one.

    Raises:
        ValueError: If a size is not positive or the activation is unknown.

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
        activation: activations.AbstractActivation | str = "ReLU",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        check_count(self, depth=depth, high=256)
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        if isinstance(activation, str):
            activation = activations.by_name(activation)
        self.activation = activation
        sizes = [in_dim] + [width] * depth + [out_dim]
        gains = [self.activation.gain] * depth + [1.0]
        self.layers = nn.ModuleList(
            uniform_linear(
                fan_in,
                fan_out,
                weight_bound=gain * math.sqrt(3 / fan_in),
                bias_bound=1 / math.sqrt(fan_in),
                generator=generator,
            )
            for fan_in, fan_out, gain in zip(sizes[:-1], sizes[1:], gains, strict=True)
        )

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        layers = cast(Sequence[nn.Linear], self.layers)
        if self._is_plain():
            return fused_mlp(
                x,
                [layer.weight for layer in layers],
                [layer.bias for layer in layers],
                activation=type(self.activation).__name__,
                scales=[1.0] * self.depth,
            )
        *hidden, last = layers
        for layer in hidden:
            x = self.activation(layer(x))
        return last(x)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        layers = cast(Sequence[nn.Linear], self.layers)
        if not self._is_plain():
            return super().jet(x)
        streams = fused_mlp_jet(
            x.streams,
            [layer.weight for layer in layers],
            [layer.bias for layer in layers],
            mix=x.weights,
            activation=type(self.activation).__name__,
            scales=[1.0] * self.depth,
        )
        return Jet(streams, x.weights)

    def hidden_jet(self, x: Jet) -> Jet:
        """The last hidden layer after `x`, which the last affine layer adds up to values.

        Raises:
            ValueError: If layers were replaced, parametrized or given hooks.
        """
        layers = cast(Sequence[nn.Linear], self.layers)
        if not self._is_plain():
            raise ValueError(f"{type(self).__name__}.hidden_jet: expected plain affine layers.")
        return hidden_jet(
            x, layers, activation=type(self.activation).__name__, scales=[1.0] * self.depth
        )

    def _is_plain(self) -> bool:
        known = activations.BY_NAME.get(type(self.activation).__name__) is type(self.activation)
        plain = all_plain(cast(Sequence[nn.Linear], self.layers))
        return known and plain and not has_hooks(self.activation)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "activation": type(self.activation).__name__,
        }
