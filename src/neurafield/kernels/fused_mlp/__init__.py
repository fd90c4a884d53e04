"""A whole perceptron as one operation.

`fused_mlp` checks its arguments, and runs the reference, or `autograd.fused_mlp` with the chosen
version. A further version is a module with the functions of `autograd.Implementation` and an entry
of `IMPLEMENTATIONS`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .. import dispatch, perceptron
from . import autograd, native, reference

ACTIVATIONS = tuple(reference.FUNCTIONS)
"""Names of the activations that every version has."""

IMPLEMENTATIONS: dict[str, autograd.Implementation] = {"native": native}
"""Versions beside the reference, by their names in `dispatch.VERSIONS`."""


def fused_mlp(
    x: Float[Tensor, "*batch in_dim"],
    weights: Sequence[Float[Tensor, "_ _"]],
    biases: Sequence[Float[Tensor, " _"]],
    *,
    activation: str,
    scales: Sequence[float],
) -> Float[Tensor, "*batch out_dim"]:
    r"""Affine layers with an elementwise function between them.

    $h_0 = x,\ h_l = f(s_l (W_l h_{l-1} + b_l)),\ y = W_L h_{L-1} + b_L$. Differentiable to any
    order in inputs and parameters. First derivatives are compiled, and so are gradients of a
    gradient with respect to the inputs; the reference computes all others.

    Under `torch.autocast("cpu", torch.bfloat16)`, products between hidden layers have factors
    rounded to bfloat16 and sums in float32, on processors with such products (AVX512-BF16).
    Coordinates, values, parameters and sums stay float32.

    Args:
        x: Inputs.
        weights: L matrices of shape `(out, in)`.
        biases: L vectors.
        activation: $f$, a name from `ACTIVATIONS`.
        scales: L - 1 factors $s_l$ inside $f$.

    Raises:
        ValueError: If the activation is unknown, or the lists or shapes do not fit.

    Example:
        >>> w, b = [torch.eye(2), torch.ones(1, 2)], [torch.zeros(2), torch.zeros(1)]
        >>> fused_mlp(torch.tensor([3.0, -4.0]), w, b, activation="ReLU", scales=[1.0])
        tensor([3.])
    """
    perceptron.check_activation("fused_mlp", activation, ACTIVATIONS)
    if not x.ndim or not x.shape[-1]:
        raise ValueError(
            f"fused_mlp: expected inputs of shape (..., in_dim), got {tuple(x.shape)}."
        )
    perceptron.check_layers("fused_mlp", x.shape[-1], weights, biases, scales)
    choice = dispatch.choose("fused_mlp", IMPLEMENTATIONS, (x, *weights, *biases), weights)
    version = IMPLEMENTATIONS.get(choice.version)
    if not torch.is_autocast_enabled("cpu"):
        if version is None:
            return reference.fused_mlp(x, weights, biases, activation, scales)
        return autograd.fused_mlp(version, x, weights, biases, activation, scales)
    bfloat16 = dispatch.wants_bfloat16()
    if bfloat16 and version is not None and not version.has_bfloat16():
        dispatch.notify("fused_mlp", "this processor has no bfloat16 products; using float32")
        bfloat16 = False
    with torch.autocast("cpu", enabled=False):
        # torch itself would round the coordinates too.
        if version is None:
            return reference.fused_mlp(x, weights, biases, activation, scales, bfloat16)
        return autograd.fused_mlp(version, x, weights, biases, activation, scales, bfloat16)
