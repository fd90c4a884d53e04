"""SIREN: a perceptron whose activations are sines."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet
from ..kernels.fused_mlp import fused_mlp
from ..kernels.fused_mlp_jet import fused_mlp_jet
from ._base import AbstractNetwork, all_plain, hidden_jet, uniform_linear


class Siren(AbstractNetwork):
    r"""A sinusoidal representation network.

    $h_0 = x,\ h_i = \sin(\omega_i (W_i h_{i-1} + b_i)),\ y = W_{d+1} h_d + b_{d+1}$ with
    $\omega_1$ = `omega_0` and $\omega_i$ = `omega` above. Initial weights are uniform in
    $\pm 1/\mathrm{fan\_in}$ in the first layer and in
    $\pm\sqrt{6/\mathrm{fan\_in}}/\omega$ in all others, the last one too; biases in
    $\pm 1/\sqrt{\mathrm{fan\_in}}$. Inside, every layer's input then keeps its distribution,
    whatever the depth.

    Use when derivatives of the signal matter, or one small smooth network should hold all of
    it. Fails when `omega_0` does not suit the signal's bandwidth: too low blurs, too high
    turns into noise between the samples.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        out_dim: Number of values.
        width: Units in each hidden layer.
        depth: Hidden layers, so `depth + 1` affine ones. The paper's networks have 4 (its
            code counts 3, the square matrices).
        omega_0: Frequency factor of the first layer, in radians per unit of its
            pre-activation. About 30 for pictures, 3,000 for seconds of sound.
        omega: Frequency factor of the other hidden layers.
        generator: Source of the initial parameters; None takes torch's global one.

    Raises:
        ValueError: If a size or a frequency factor is not positive.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> Siren(2, 1, width=64, depth=2, generator=g)(torch.zeros(5, 2)).shape
        torch.Size([5, 1])

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, sections 3.1 and 3.2, supplement 1.5. Biases follow their code, since
        the paper leaves them open.
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
        sizes = [in_dim] + [width] * depth + [out_dim]
        self.layers = nn.ModuleList(
            uniform_linear(
                fan_in,
                fan_out,
                weight_bound=1 / fan_in if index == 0 else math.sqrt(6 / fan_in) / omega,
                bias_bound=1 / math.sqrt(fan_in),
                generator=generator,
            )
            for index, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes))
        )

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        layers = cast(Sequence[nn.Linear], self.layers)
        if all_plain(layers):
            return fused_mlp(
                x,
                [layer.weight for layer in layers],
                [layer.bias for layer in layers],
                activation="Sine",
                scales=self._scales(),
            )
        *hidden, last = layers
        for layer, scale in zip(hidden, self._scales(), strict=True):
            x = (scale * layer(x)).sin()
        return last(x)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        layers = cast(Sequence[nn.Linear], self.layers)
        if not all_plain(layers):
            return super().jet(x)
        streams = fused_mlp_jet(
            x.streams,
            [layer.weight for layer in layers],
            [layer.bias for layer in layers],
            mix=x.weights,
            activation="Sine",
            scales=self._scales(),
        )
        return Jet(streams, x.weights)

    def hidden_jet(self, x: Jet) -> Jet:
        """The last hidden layer after `x`, which the last affine layer adds up to values.

        Raises:
            ValueError: If layers were replaced, parametrized or given hooks.
        """
        layers = cast(Sequence[nn.Linear], self.layers)
        if not all_plain(layers):
            raise ValueError(f"{type(self).__name__}.hidden_jet: expected plain affine layers.")
        return hidden_jet(x, layers, activation="Sine", scales=self._scales())

    def _scales(self) -> list[float]:
        return [self.omega_0] + [self.omega] * (self.depth - 1)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "omega_0": self.omega_0,
            "omega": self.omega,
        }
