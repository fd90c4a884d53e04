"""Sigmoids: activations that rise from one level to another."""

from typing import Any

from torch import Tensor

from ._base import AbstractKernelled


class Tanh(AbstractKernelled):
    r"""The hyperbolic tangent.

    $f(x) = \tanh x$. Weights of variance $(5/3)^2/\mathrm{fan\_in}$.

    Use when a smooth, bounded field without fine detail is wanted, such as solutions of many
    differential equations. Fails when the signal has high frequencies, or when the network is deep:
    units saturate and gradients vanish.

    Example:
        >>> import torch
        >>> Tanh()(torch.tensor([-100.0, 0.0, 100.0]))
        tensor([-1.,  0.,  1.])

    Reference:
        LeCun et al., Efficient BackProp, 1998, section 4.4: the gain scales theirs.
    """

    gain = 5 / 3

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Tanh", 1.0

    def hyperparams(self) -> dict[str, Any]:
        return {}


class Sigmoid(AbstractKernelled):
    r"""The logistic function.

    $f(x) = 1/(1 + e^{-x})$. Weights of variance $4^2/\mathrm{fan\_in}$, since its slope at 0 is
    1/4.

    Use when hidden features should lie in [0, 1]. Fails when the signal has high frequencies, or
    the network is deep: variation shrinks by a third per layer (measured).

    Example:
        >>> import torch
        >>> Sigmoid()(torch.tensor([-200.0, 0.0, 200.0]))
        tensor([0.0000, 0.5000, 1.0000])

    Reference:
        LeCun et al., Efficient BackProp, 1998, section 4.4, which advises against it. The gain is
        ours, the inverse of the slope.
    """

    gain = 4.0

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Sigmoid", 1.0

    def hyperparams(self) -> dict[str, Any]:
        return {}
