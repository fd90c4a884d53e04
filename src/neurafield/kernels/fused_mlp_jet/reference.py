"""The truth: plain torch, any device and precision, differentiable to any order."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Derivatives = tuple[Tensor, Tensor, Tensor]


def _sine(z: Tensor) -> Derivatives:
    sine = z.sin()
    return sine, z.cos(), -sine


def _relu(z: Tensor) -> Derivatives:
    return z.relu(), (z > 0).to(z.dtype), torch.zeros_like(z)


def _tanh(z: Tensor) -> Derivatives:
    value = z.tanh()
    first = 1 - value.square()
    return value, first, -2 * value * first


def _sigmoid(z: Tensor) -> Derivatives:
    value = z.sigmoid()
    first = value * (1 - value)
    return value, first, first * (1 - 2 * value)


def _silu(z: Tensor) -> Derivatives:
    s = z.sigmoid()
    # sigmoid(-z) is 1 - s without its cancellation.
    first = s * (-z).sigmoid()
    return F.silu(z), s + z * first, first * (2 + z * (1 - 2 * s))


def _softplus(z: Tensor) -> Derivatives:
    first = z.sigmoid()
    return F.softplus(z), first, first * (-z).sigmoid()


def _gelu(z: Tensor) -> Derivatives:
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    probability = torch.special.ndtr(z)
    # Beyond 40 the density is 0; its product with an infinite square would be NaN.
    second = density * (2 - z.clamp(-40, 40).square())
    return F.gelu(z), probability + z * density, second


def _gaussian(z: Tensor) -> Derivatives:
    # Beyond 40 the value is 0; its product with an infinite square would be NaN.
    near = z.clamp(-40, 40)
    value = (-0.5 * near * near).exp()
    return value, -near * value, (near.square() - 1) * value


def _quadratic(z: Tensor) -> Derivatives:
    value = (1 + z * z).reciprocal()
    first = -2 * (z * value) * value
    # z times f comes before the second z: the square of a large z is infinite.
    return value, first, 2 * value.square() * (4 * z * (z * value) - 1)


def _multiquadric(z: Tensor) -> Derivatives:
    value = (1 + z * z).rsqrt()
    ratio = z * value
    cube = value * value.square()
    return value, -ratio * value.square(), cube * (3 * ratio.square() - 1)


def _laplacian(z: Tensor) -> Derivatives:
    # The sign at 0 is 0, as torch's derivative of |z|: all derivatives there are 0.
    value = (-z.abs()).exp()
    return value, -z.sign() * value, z.sign().square() * value


def _exp_sine(z: Tensor) -> Derivatives:
    sine, cosine = z.sin(), z.cos()
    value = sine.exp()
    return value, cosine * value, (cosine.square() - sine) * value


DERIVATIVES: dict[str, Callable[[Tensor], Derivatives]] = {
    # f, f' and f''; in the order of the enumeration in native/kernels.hpp.
    "Sine": _sine,
    "ReLU": _relu,
    "Tanh": _tanh,
    "Sigmoid": _sigmoid,
    "SiLU": _silu,
    "Softplus": _softplus,
    "GELU": _gelu,
    "Gaussian": _gaussian,
    "Quadratic": _quadratic,
    "Multiquadric": _multiquadric,
    "Laplacian": _laplacian,
    "ExpSine": _exp_sine,
}


def fused_mlp_jet(
    streams: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    mix: Tensor,
    activation: str,
    scales: Sequence[float],
) -> Tensor:
    """See the public function."""
    for weight, bias, scale in zip(weights[:-1], biases[:-1], scales, strict=True):
        if scale != 1:
            weight, bias = scale * weight, scale * bias
        streams = _elementwise(_affine(streams, weight, bias), mix, activation)
    return _affine(streams, weights[-1], biases[-1])


def _affine(streams: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    products = F.linear(streams, weight)
    return torch.cat([products[:1] + bias, products[1:]])


def _elementwise(streams: Tensor, mix: Tensor, activation: str) -> Tensor:
    d = mix.shape[1]
    value, first, second = DERIVATIVES[activation](streams[0])
    squares = torch.tensordot(mix, streams[1 : d + 1].square(), dims=1)
    return torch.cat(
        [
            value[None],
            first * streams[1 : d + 1],
            first * streams[d + 1 :] + second * squares,
        ]
    )
