"""Rectifiers: activations that keep positive values and (nearly) suppress negative ones."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ._base import AbstractActivation, AbstractKernelled, Constant, Derivatives


class ReLU(AbstractKernelled):
    r"""The rectified linear unit.

    $f(x) = \max(0, x)$. Weights of variance $2/\mathrm{fan\_in}$.

    Use when an encoding precedes the network: nothing is cheaper. Fails when second derivatives
    matter, which are 0 wherever they exist, or when the network reads bare coordinates.

    Example:
        >>> ReLU()(torch.tensor([-2.0, 3.0]))
        tensor([0., 3.])

    Reference:
        He et al., Delving Deep into Rectifiers, ICCV 2015, equation 10, for the variance; we draw
        from the uniform distribution of that variance instead of the normal.
    """

    gain = math.sqrt(2)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "ReLU", 1.0

    def hyperparams(self) -> dict[str, Any]:
        return {}


class PReLU(AbstractActivation):
    r"""The rectified linear unit with a trained or fixed slope for negative inputs.

    $f(x) = \max(0, x) + a \min(0, x)$. Weights of variance $2/((1 + a^2)\,\mathrm{fan\_in})$.

    Use when units of a ReLU network die, or the negative slope should be learned. Fails when second
    derivatives matter, or when the network reads bare coordinates, like ReLU.

    Args:
        a: Slope for negative inputs, any finite number; 1 makes f linear. One per layer.
        trained: True makes `a` a parameter. It is trained directly and may become negative.

    Raises:
        ValueError: If `a` is not finite.

    Example:
        >>> PReLU(0.5, trained=False)(torch.tensor([-2.0, 3.0]))
        tensor([-1.,  3.])

    Reference:
        He et al., Delving Deep into Rectifiers, ICCV 2015, sections 2.1 (one slope per layer, and
        the initial 0.25) and 2.2 (the variance).
    """

    def __init__(self, a: float = 0.25, *, trained: bool = True) -> None:
        super().__init__()
        if not math.isfinite(a):
            raise ValueError(f"PReLU: expected a to be finite, got {a}.")
        self.initial = float(a)
        self.trained = trained
        self.gain = math.sqrt(2 / (1 + self.initial**2))
        self.a = nn.Parameter(torch.tensor(self.initial)) if trained else self.initial

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x.relu() - self.a * (-x).relu()

    def derivatives(self, x: Float[Tensor, "*shape"]) -> Derivatives:
        slope = (x > 0).to(x.dtype) + self.a * (x < 0).to(x.dtype)
        return self(x), slope, torch.zeros_like(x)

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.initial, "trained": self.trained}


class SiLU(AbstractKernelled):
    r"""The sigmoid-weighted linear unit, also called Swish.

    $f(x) = x / (1 + e^{-x})$. Weights of variance $2/\mathrm{fan\_in}$, as for ReLU, which it
    approaches far from 0.

    Use when an encoding precedes the network and derivatives should be smooth. Fails when the
    network reads bare coordinates, or is deep: variation shrinks by a quarter per layer (measured).

    Example:
        >>> SiLU()(torch.tensor([-100.0, 0.0, 100.0])).abs()
        tensor([  0.,   0., 100.])

    Reference:
        Hendrycks and Gimpel, Gaussian Error Linear Units (GELUs), 2016, section 2, where it is
        named; the gain is that of ReLU, its limit.
    """

    gain = math.sqrt(2)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "SiLU", 1.0

    def hyperparams(self) -> dict[str, Any]:
        return {}


class Softplus(AbstractActivation):
    r"""A ReLU whose corner is rounded over a width of about 1/a.

    $f(x) = \frac{1}{a} \log(1 + e^{a x})$. Weights of variance $2/\mathrm{fan\_in}$, as for ReLU,
    which it approaches for large `a`.

    Use when the surface of a ReLU network should be smooth, as for distance fields (`a` = 100).
    Fails when the network reads bare coordinates, or when `a` is small: f is then close to linear.

    Args:
        a: Sharpness of the corner, positive. Kernels support a fixed 1; others run in plain torch.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> Softplus(a=100.0)(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])

    Reference:
        Gropp et al., Implicit Geometric Regularization for Learning Shapes, ICML 2020, section 5 (a
        = 100); the gain is that of ReLU, its limit.
    """

    gain = math.sqrt(2)

    def __init__(self, a: float = 1.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        a = self.a()
        # At torch's default threshold of 20, float64 still resolves that f is not linear.
        return F.softplus(a * x, threshold=40) / a

    def derivatives(self, x: Float[Tensor, "*shape"]) -> Derivatives:
        a = self.a()
        slope = (a * x).sigmoid()
        return self(x), slope, a * slope * (-a * x).sigmoid()

    def kernel(self) -> tuple[str, float | Tensor] | None:
        return None if self.trained or self.a() != 1 else ("Softplus", 1.0)

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class GELU(AbstractKernelled):
    r"""The Gaussian error linear unit, in its exact form, not the tanh approximation.

    $f(x) = x\, P(Z \le x)$ for a standard normal $Z$. Weights of variance $2/\mathrm{fan\_in}$, as
    for ReLU, which it approaches far from 0.

    Use when an encoding precedes the network and derivatives should be smooth. Fails when the
    network reads bare coordinates: detail is learned late.

    Example:
        >>> GELU()(torch.tensor([-100.0, 0.0, 100.0])).abs()
        tensor([  0.,   0., 100.])

    Reference:
        Hendrycks and Gimpel, Gaussian Error Linear Units (GELUs), 2016, section 2; the gain is that
        of ReLU, its limit.
    """

    gain = math.sqrt(2)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "GELU", 1.0

    def hyperparams(self) -> dict[str, Any]:
        return {}
