"""A whole perceptron as one operation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .. import dispatch, perceptron
from . import native, reference

ACTIVATIONS = tuple(reference.FUNCTIONS)
"""Names of the activations that every version has."""


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
    order in everything. Compiled are first derivatives, and the gradients of a gradient for the
    inputs; all else goes through the reference.

    Under `torch.autocast("cpu", torch.bfloat16)`, products between hidden layers are of factors
    rounded to bfloat16 and summed in float32, where the processor has such products (AVX512-BF16).
    Coordinates, values, parameters and sums stay float32.

    Args:
        x: Inputs.
        weights: L matrices of shape `(out, in)`.
        biases: L vectors.
        activation: $f$, a name from `ACTIVATIONS`.
        scales: The L - 1 factors $s_l$ inside $f$.

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
    unserved = perceptron.beyond_compiled(weights)
    native_runs = dispatch.use_native("fused_mlp", x, *weights, *biases, unserved=unserved)
    bfloat16 = dispatch.wants_bfloat16()
    if bfloat16 and native_runs and not dispatch.native().has_bfloat16():
        dispatch.tell("fused_mlp", "this processor has no bfloat16 products, so float32 is used")
        bfloat16 = False
    chosen = native if native_runs else reference
    if not torch.is_autocast_enabled("cpu"):
        return chosen.fused_mlp(x, weights, biases, activation, scales)
    with torch.autocast("cpu", enabled=False):
        # Torch itself would round the coordinates too.
        return chosen.fused_mlp(x, weights, biases, activation, scales, bfloat16)
