"""WIRE: a network of complex Gabor wavelets, in real arithmetic."""

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet, rules
from ._base import AbstractNetwork, is_plain, uniform_linear

_MAX_RATIO = 16
"""Largest ratio of omega to scale: a wavelet is then at most e^64, so thousands can be summed."""


class Wire(AbstractNetwork):
    r"""A network whose activation is a complex Gabor wavelet.

    $h_0 = x,\ h_i = \psi_i(W_i h_{i-1} + b_i),\ y = \mathrm{Re}(W_{d+1} h_d) + b_{d+1}$ with
    $\psi_i(z) = e^{i \omega_i z}\, e^{-|s z|^2}$, $\omega_1$ = `omega_0` and $\omega_i$ = `omega`
    above, s = `scale`. Weights and biases are real in the first layer, complex above. Their real
    and imaginary parts are uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Everything is computed on pairs of real channels, $h = u + i v$. A complex weight counts as two
    parameters: hidden layer i > 1 has `2 width (width + 1)`, the first `width (in_dim + 1)` and the
    last `(2 width + 1) out_dim`. A `width` of w has about as many parameters as a real network of
    width $\sqrt 2\, w$.

    Use when pictures must be learned in few steps, or noisy ones restored: wavelets are local in
    space and in frequency. Fails when derivatives of high order matter or `scale` is too large: few
    units then cover a point, which gives noise between samples. There is no compiled kernel: on a
    CPU a step takes five times as long as that of a SIREN with as many parameters.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        out_dim: Number of values.
        width: Complex units in each hidden layer.
        depth: Number of hidden layers; there are `depth + 1` affine layers. The paper counts one
            fewer.
        omega_0: Frequency of the wavelet in the first layer, in radians per unit of its
            pre-activation.
        omega: Frequency of the wavelets in the other hidden layers, up to 16 times `scale`.
        scale: Inverse width s of the envelope, per unit of the pre-activation.
        generator: Source of the initial parameters; None uses torch's global one.

    Raises:
        ValueError: If a size, a frequency or `scale` is not positive, or `omega` more than 16 times
            `scale`: the largest value of a wavelet, $e^{\omega^2 / 4 s^2}$ at $\mathrm{Im}\, z =
            -\omega / 2 s^2$, would come close to overflow.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> wire = Wire(2, 3, width=8, depth=2, generator=g)
        >>> wire(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
        >>> sum(p.numel() for p in wire.parameters()) == 8 * 3 + 2 * 8 * 9 + 17 * 3
        True

    Reference:
        Saragadam et al., WIRE: Wavelet Implicit Neural Representations, CVPR 2023, section 3.2. The
        initialisation is torch's default for complex layers, as in their code. The last bias is
        real here, since its imaginary part would be unused.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        width: int = 181,
        depth: int = 3,
        omega_0: float = 10.0,
        omega: float = 10.0,
        scale: float = 10.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**15)
        check_count(self, depth=depth, high=256)
        check_positive(self, omega_0=omega_0, omega=omega, scale=scale)
        if omega > _MAX_RATIO * scale:
            raise ValueError(
                f"Wire: expected omega up to {_MAX_RATIO} times scale, got {omega} and {scale}. "
                "Wavelets would overflow."
            )
        self.in_dim, self.out_dim, self.width, self.depth = in_dim, out_dim, width, depth
        self.omega_0, self.omega, self.scale = float(omega_0), float(omega), float(scale)
        bound = 1 / math.sqrt(width)
        first = uniform_linear(
            in_dim,
            width,
            weight_bound=1 / math.sqrt(in_dim),
            bias_bound=1 / math.sqrt(in_dim),
            generator=generator,
        )
        # Rows of Re W, then of Im W; biases likewise.
        inner = [
            uniform_linear(
                width, 2 * width, weight_bound=bound, bias_bound=bound, generator=generator
            )
            for _ in range(depth - 1)
        ]
        # [Re W, -Im W] is all that the real part of a complex product needs.
        last = uniform_linear(
            2 * width, out_dim, weight_bound=bound, bias_bound=bound, generator=generator
        )
        self.layers = nn.ModuleList([first, *inner, last])

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        first, *inner, last = cast(list[nn.Linear], list(self.layers))
        z = first(x)
        h = _wavelet(z, torch.zeros_like(z), self.omega_0, self.scale)
        for layer in inner:
            z = F.linear(h, _pair_matrix(layer.weight), layer.bias)
            real, imaginary = z.chunk(2, dim=-1)
            h = _wavelet(real, imaginary, self.omega, self.scale)
        return last(h)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        if not all(map(is_plain, self.layers)):
            return super().jet(x)
        last = cast(nn.Linear, self.layers[-1])
        return rules.linear(self.hidden_jet(x), last.weight, last.bias)

    def hidden_jet(self, x: Jet) -> Jet:
        """Jet of the last hidden layer, pairs as [u, v]: the input of the last affine layer.

        Raises:
            ValueError: If layers were replaced, parametrized or given hooks.
        """
        if not all(map(is_plain, self.layers)):
            raise ValueError("Wire.hidden_jet: expected plain affine layers.")
        first, *inner, _ = cast(list[nn.Linear], list(self.layers))
        z = rules.linear(x, first.weight, first.bias)
        h = _wavelet_jet(z, Jet(torch.zeros_like(z.streams), z.weights), self.omega_0, self.scale)
        for layer in inner:
            z = rules.linear(h, _pair_matrix(layer.weight), layer.bias)
            parts = [Jet(part, z.weights) for part in z.streams.chunk(2, dim=-1)]
            h = _wavelet_jet(parts[0], parts[1], self.omega, self.scale)
        return h

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "width": self.width,
            "depth": self.depth,
            "omega_0": self.omega_0,
            "omega": self.omega,
            "scale": self.scale,
        }


def _pair_matrix(weight: Float[Tensor, "_ w"]) -> Float[Tensor, "_ _"]:
    """W as a real matrix on channels [u, v]: [[Re W, -Im W], [Im W, Re W]]."""
    real, imaginary = weight.chunk(2)
    return torch.cat([weight, torch.cat([-imaginary, real])], dim=1)


def _wavelet(x: Tensor, y: Tensor, omega: float, scale: float) -> Tensor:
    """The wavelet of z = x + i y, real channels before imaginary ones."""
    # One exponential: e^(-omega y) by itself could be infinite where the envelope is 0.
    envelope = (-omega * y - scale**2 * (x.square() + y.square())).exp()
    return torch.cat([envelope * (omega * x).cos(), envelope * (omega * x).sin()], dim=-1)


def _wavelet_jet(x: Jet, y: Jet, omega: float, scale: float) -> Jet:
    squares = rules.add(rules.product(x, x), rules.product(y, y))
    exponent = Jet(-omega * y.streams - scale**2 * squares.streams, x.weights)
    envelope = rules.elementwise(exponent, torch.exp, torch.exp, torch.exp)
    phase = Jet(omega * x.streams, x.weights)
    return rules.concat(
        [rules.product(envelope, rules.cos(phase)), rules.product(envelope, rules.sin(phase))]
    )
