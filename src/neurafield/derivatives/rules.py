r"""Rules for jets: the chain rule up to second order, one function per operation.

Notation: $v$ the value, $J_k$ its derivative along coordinate $k$, $S_s$ the sum
$\sum_k w_{sk} \partial_k^2 v$.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .jet import Jet

Elementwise = Callable[[Tensor], Tensor]


def linear(x: Jet, weight: Float[Tensor, "n m"], bias: Float[Tensor, " n"] | None = None) -> Jet:
    r"""$y = W v + b$; derivatives are multiplied by $W$ alone.

    Example:
        >>> linear(Jet.root(torch.zeros(2)), torch.tensor([[1.0, 2.0]])).jacobian
        tensor([[1., 2.]])
    """
    streams = x.streams @ weight.mT
    if bias is not None:
        streams = torch.cat([streams[:1] + bias, streams[1:]])
    return Jet(streams, x.weights)


def elementwise(x: Jet, f: Elementwise, df: Elementwise, d2f: Elementwise) -> Jet:
    r"""$y = f(v)$, channel by channel: $J' = f' J$, $S' = f' S + f'' \sum_k w_{sk} J_k^2$.

    Args:
        x: Jet of the input.
        f: The function.
        df: Its first derivative.
        d2f: Its second derivative.

    Example:
        >>> x = Jet.root(torch.tensor([3.0]))
        >>> elementwise(x, torch.square, lambda v: 2 * v, lambda v: 2 + 0 * v).laplacian
        tensor([2.])
    """
    first = df(x.value)
    parts = [f(x.value)[None], first * x.first]
    if len(x.weights):
        parts.append(first * x.second + d2f(x.value) * weighted_squares(x))
    return Jet(torch.cat(parts), x.weights)


def weighted_squares(x: Jet) -> Float[Tensor, "s *batch c"]:
    r"""$\sum_k w_{sk} J_k^2$ for each row of the weights."""
    return torch.tensordot(x.weights, x.first.square(), dims=1)


def sin(x: Jet) -> Jet:
    """The sine of each channel."""
    return elementwise(x, torch.sin, torch.cos, lambda v: -v.sin())


def cos(x: Jet) -> Jet:
    """The cosine of each channel."""
    return elementwise(x, torch.cos, lambda v: -v.sin(), lambda v: -v.cos())


def product(x: Jet, y: Jet) -> Jet:
    r"""$v u$, channel by channel.

    $J'_k = u J_k + v J^u_k$ and $S' = u S + 2 \sum_k w_{sk} J_k J^u_k + v S^u$.

    Raises:
        ValueError: If the two are not jets in the same coordinates and weights.
    """
    check_alike("rules.product", x, y)
    parts = [(x.value * y.value)[None], x.first * y.value + x.value * y.first]
    if len(x.weights):
        mixed = torch.tensordot(x.weights, x.first * y.first, dims=1)
        parts.append(x.second * y.value + 2 * mixed + x.value * y.second)
    return Jet(torch.cat(parts), x.weights)


def add(x: Jet, y: Jet) -> Jet:
    """The sum of two jets.

    Raises:
        ValueError: If the two are not jets in the same coordinates and weights.
    """
    check_alike("rules.add", x, y)
    return Jet(x.streams + y.streams, x.weights)


def concat(jets: Sequence[Jet]) -> Jet:
    """The channels of all jets, one after the other.

    Raises:
        ValueError: If they are not jets in the same coordinates and weights, or the list is empty.
    """
    if not jets:
        raise ValueError("rules.concat: expected at least one jet, got none.")
    for other in jets[1:]:
        check_alike("rules.concat", jets[0], other)
    return Jet(torch.cat([jet.streams for jet in jets], dim=-1), jets[0].weights)


def chain(
    x: Jet,
    value: Float[Tensor, "*batch c"],
    jacobian: Float[Tensor, "*batch c m"],
    hessian: Float[Tensor, "*batch c m m"],
) -> Jet:
    r"""$y = f(v)$ for any $f$ of few inputs, given its derivatives with respect to $v$.

    $J' = F J$ and $S'_s = F S_s + \sum_k w_{sk} J_k^\top H J_k$.

    Args:
        x: Jet of the input of $f$, of $m$ channels.
        value: $f(v)$.
        jacobian: $F$.
        hessian: $H$; only read if the jet has second derivatives.
    """
    parts = [value[None], torch.einsum("...cm,k...m->k...c", jacobian, x.first)]
    if len(x.weights):
        curved = torch.einsum("...cmn,k...m,k...n->k...c", hessian, x.first, x.first)
        parts.append(
            torch.einsum("...cm,s...m->s...c", jacobian, x.second)
            + torch.tensordot(x.weights, curved, dims=1)
        )
    return Jet(torch.cat(parts), x.weights)


def check_alike(owner: str, x: Jet, y: Jet) -> None:
    """Require jets in the same coordinates, with the same weights."""
    # Jets of one root share the tensor. Comparing values would stop compilers, and wait for GPUs.
    if x.weights is y.weights:
        return
    if x.weights.shape != y.weights.shape or not torch.equal(x.weights, y.weights):
        raise ValueError(
            f"{owner}: expected jets with the same weights, got {x.weights.tolist()} and "
            f"{y.weights.tolist()}."
        )
