"""Periodic and nearly periodic activations; they need no encoding."""

import math
from typing import Any

from jaxtyping import Float
from torch import Tensor

from .._checks import check_positive
from ._base import AbstractActivation, AbstractKernelled, Constant, Derivatives


class Sine(AbstractKernelled):
    r"""The sine.

    $f(x) = \sin(a x)$. Weights uniform in $\pm 1/\mathrm{fan\_in}$ in the first layer and in
    $\pm\sqrt{6/\mathrm{fan\_in}}/a$ in all others, the last one too; biases in
    $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when derivatives of the signal matter, or one small smooth network should hold all of it.
    Fails when `a` does not match the signal's bandwidth or the weights: too low blurs, too high
    gives noise between samples. `networks.Siren` has a separate factor for its first layer.

    Args:
        a: Frequency factor, in radians per unit of the pre-activation, positive.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> import torch
        >>> Sine(a=math.pi)(torch.tensor([0.0, 0.5]))
        tensor([0., 1.])

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions, NeurIPS
        2020, section 3.2 and supplement 1.5. Biases follow their code; the paper does not specify
        them.
    """

    def __init__(self, a: float = 30.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Sine", self.a()

    def weight_bound(self, fan_in: int, *, first: bool) -> float:
        return 1 / fan_in if first else math.sqrt(6 / fan_in) / self.a.initial

    def output_bound(self, fan_in: int) -> float:
        return self.weight_bound(fan_in, first=False)

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class ExpSine(AbstractKernelled):
    r"""The exponential of a sine.

    $f(x) = e^{\sin(a x)}$. Weights as for Sine, but in hidden layers uniform in
    $\pm\sqrt{4.43/\mathrm{fan\_in}}/a$, so that the variation of a pre-activation keeps its scale.

    Use when a periodic, positive function with all harmonics is wanted. Fails when `a` does not
    match the signal, like Sine.

    Args:
        a: Frequency factor, in radians per unit of the pre-activation, positive.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> import torch
        >>> ExpSine(a=math.pi)(torch.tensor([0.0, 0.5]))
        tensor([1.0000, 2.7183])

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity: Towards a Unifying Framework for Activations in
        Coordinate-MLPs, ECCV 2022, table 1. The initialisation is ours: for a uniform phase, f has
        variance $I_0(2) - I_0(1)^2 = 0.677$, and $4.43 / 3 \cdot 0.677 = 1$.
    """

    def __init__(self, a: float = 30.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "ExpSine", self.a()

    def weight_bound(self, fan_in: int, *, first: bool) -> float:
        return 1 / fan_in if first else math.sqrt(4.43 / fan_in) / self.a.initial

    def output_bound(self, fan_in: int) -> float:
        return self.weight_bound(fan_in, first=False)

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class FinerSine(AbstractActivation):
    r"""A sine whose frequency grows away from 0.

    $f(x) = \sin(a\,(|x| + 1)\,x)$. Weights as for Sine; biases of the first layer uniform in
    $\pm$`first_bias`, so that its units start with different frequencies.

    Use when the signal's bandwidth is uncertain: the biases spread the first layer over low and
    high frequencies. Fails when `first_bias` is so large that it gives noise between samples; f''
    jumps at 0.

    Args:
        a: Frequency factor, in radians per unit of the pre-activation, positive.
        first_bias: Bound of the first layer's initial biases, positive.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` or `first_bias` is not positive and finite.

    Example:
        >>> import torch
        >>> FinerSine(a=math.pi)(torch.tensor([0.0, 0.5])).sin().abs() < 0.7072
        tensor([True, True])

    Reference:
        Liu et al., FINER: Flexible Spectral-bias Tuning in Implicit NEural Representation by
        Variable-periodic Activation Functions, CVPR 2024, equations 3 and 5. By default, their code
        stops the gradient through $|x| + 1$; ours is exact.
    """

    def __init__(self, a: float = 30.0, *, first_bias: float = 1.0, trained: bool = False) -> None:
        super().__init__()
        check_positive(self, first_bias=first_bias)
        self.trained = trained
        self.first_bias = float(first_bias)
        self.a = Constant(self, trained=trained, a=a)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return (self.a() * (x.abs() + 1) * x).sin()

    def derivatives(self, x: Float[Tensor, "*shape"]) -> Derivatives:
        a = self.a()
        phase, speed = a * (x.abs() + 1) * x, a * (2 * x.abs() + 1)
        sine, cosine = phase.sin(), phase.cos()
        return sine, speed * cosine, 2 * a * x.sign() * cosine - speed.square() * sine

    def weight_bound(self, fan_in: int, *, first: bool) -> float:
        return 1 / fan_in if first else math.sqrt(6 / fan_in) / self.a.initial

    def bias_bound(self, fan_in: int, *, first: bool) -> float:
        return self.first_bias if first else 1 / math.sqrt(fan_in)

    def output_bound(self, fan_in: int) -> float:
        return self.weight_bound(fan_in, first=False)

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "first_bias": self.first_bias, "trained": self.trained}
