"""The truth: plain torch, any device and precision, differentiable to any order."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def _gaussian(z: Tensor) -> Tensor:
    # In this order the gradient at large arguments is 0, not infinity times 0.
    return (-0.5 * z * z).exp()


def _quadratic(z: Tensor) -> Tensor:
    return (1 + z * z).reciprocal()


def _multiquadric(z: Tensor) -> Tensor:
    return (1 + z * z).rsqrt()


def _laplacian(z: Tensor) -> Tensor:
    # The derivative of |z| at 0 is 0 in torch, and here.
    return (-z.abs()).exp()


def _exp_sine(z: Tensor) -> Tensor:
    return z.sin().exp()


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    # In the order of the enumeration in native/kernels.hpp.
    "Sine": torch.sin,
    "ReLU": torch.relu,
    "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid,
    "SiLU": F.silu,
    "Softplus": F.softplus,
    "GELU": F.gelu,
    "Gaussian": _gaussian,
    "Quadratic": _quadratic,
    "Multiquadric": _multiquadric,
    "Laplacian": _laplacian,
    "ExpSine": _exp_sine,
}


def fused_mlp(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    scales: Sequence[float],
    bfloat16: bool = False,
) -> Tensor:
    """See the public function."""
    function = FUNCTIONS[activation]
    for index, (weight, bias, scale) in enumerate(
        zip(weights[:-1], biases[:-1], scales, strict=True)
    ):
        if scale != 1:
            # (s W) h + s b in place of s (W h + b) saves two passes over the points.
            weight, bias = scale * weight, scale * bias
        if bfloat16 and index:
            x = function(_RoundedProduct.apply(x, weight) + bias)
        else:
            x = function(F.linear(x, weight, bias))
    return F.linear(x, weights[-1], biases[-1])


class _RoundedProduct(torch.autograd.Function):
    """x W' with factors rounded to bfloat16 and sums in the type of x, as in its backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _rounded(x) @ _rounded(weight).mT

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = _rounded(grad_outputs[0])
        flat = grad.reshape(-1, grad.shape[-1])
        return grad @ _rounded(weight), flat.mT @ _rounded(x).reshape(-1, x.shape[-1])


def _rounded(x: Tensor) -> Tensor:
    return x.bfloat16().to(x.dtype)
