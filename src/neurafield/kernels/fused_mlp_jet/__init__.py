"""A whole perceptron's value and derivatives, propagated forward, as one operation.

`fused_mlp_jet` checks its arguments, and runs the reference, or `autograd.fused_mlp_jet` with the
chosen version. A further version is a module with the functions of `autograd.Implementation` and an
entry of `IMPLEMENTATIONS`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .. import dispatch, perceptron
from . import autograd, native, reference

ACTIVATIONS = tuple(reference.DERIVATIVES)
"""Names of the activations that every version has."""

IMPLEMENTATIONS: dict[str, autograd.Implementation] = {"native": native}
"""Versions beside the reference, by their names in `dispatch.VERSIONS`."""


def fused_mlp_jet(
    streams: Float[Tensor, "p *batch in_dim"],
    weights: Sequence[Float[Tensor, "_ _"]],
    biases: Sequence[Float[Tensor, " _"]],
    *,
    mix: Float[Tensor, "s d"],
    activation: str,
    scales: Sequence[float],
) -> Float[Tensor, "p *batch out_dim"]:
    r"""Affine layers with an elementwise function between them, on values and derivatives alike.

    There are $p = 1 + d + s$ streams: a value $h$, then its d derivatives
    $J_k = \partial h / \partial x_k$ along root coordinates $x$, then s sums
    $S_i = \sum_k m_{ik}\, \partial^2 h / \partial x_k^2$. Affine layers act on each stream, their
    bias on the first one only. The function acts by the chain rule:
    $h \to f(h),\ J_k \to f' J_k,\ S_i \to f' S_i + f'' \sum_k m_{ik} J_k^2$.

    Differentiable to any order in streams and parameters. First derivatives are compiled; the
    reference computes higher ones. Autocast changes nothing: second derivatives need float32.

    Args:
        streams: Value and derivatives of the inputs.
        weights: L matrices of shape `(out, in)`.
        biases: L vectors.
        mix: Weights $m_{ik}$. One row of ones gives the Laplacian, no rows only first derivatives.
        activation: $f$, a name from `ACTIVATIONS`.
        scales: L - 1 factors inside the function: $f(s_l (W_l h + b_l))$.

    Raises:
        ValueError: If the activation is unknown, or the lists or shapes do not fit.

    Example:
        The Laplacian of sin(x) + sin(2 y) is -4 at (0, pi / 4).

        >>> x = torch.tensor([0.0, torch.pi / 4])
        >>> streams = torch.cat([x[None], torch.eye(2), torch.zeros(1, 2)])
        >>> w, b = [torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.ones(1, 2)], torch.zeros(2)
        >>> mix = torch.ones(1, 2)
        >>> y = fused_mlp_jet(streams, w, [b, b[:1]], mix=mix, activation="Sine", scales=[1.0])
        >>> y[3]
        tensor([-4.])
    """
    perceptron.check_activation("fused_mlp_jet", activation, ACTIVATIONS)
    if mix.ndim != 2 or not mix.shape[1]:
        raise ValueError(
            f"fused_mlp_jet: expected weights of second derivatives of shape (s, d), got "
            f"{tuple(mix.shape)}. For first derivatives alone, s is 0."
        )
    num_streams = 1 + mix.shape[1] + mix.shape[0]
    if streams.ndim < 2 or not streams.shape[-1] or len(streams) != num_streams:
        raise ValueError(
            f"fused_mlp_jet: expected streams of shape ({num_streams}, ..., in_dim) for "
            f"1 value, {mix.shape[1]} first and {mix.shape[0]} second derivatives, got "
            f"{tuple(streams.shape)}."
        )
    perceptron.check_layers("fused_mlp_jet", streams.shape[-1], weights, biases, scales)
    choice = dispatch.choose(
        "fused_mlp_jet",
        IMPLEMENTATIONS,
        (streams, mix, *weights, *biases),
        *(streams, weights),
        unserved="kernels have no gradient for the weights of second derivatives"
        if mix.requires_grad
        else "",
    )
    version = IMPLEMENTATIONS.get(choice.version)
    with torch.autocast("cpu", enabled=False):
        if version is None:
            return reference.fused_mlp_jet(streams, weights, biases, mix, activation, scales)
        return autograd.fused_mlp_jet(version, streams, weights, biases, mix, activation, scales)
