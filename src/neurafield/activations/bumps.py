"""Bump activations: 1 at 0, falling to 0 on both sides; they need no encoding.

A unit is a ridge whose width is set by a constant, so a first layer distinguishes nearby points as
an encoding would. Initial weights and biases are uniform in ±1/sqrt(fan_in), torch's default; the
default constants were tuned with it.
"""

import math
from typing import Any

from torch import Tensor

from ._base import AbstractKernelled, Constant

TORCH_GAIN = 1 / math.sqrt(3)
"""Gain of weights uniform in ±1/sqrt(fan_in)."""


class Gaussian(AbstractKernelled):
    r"""The Gaussian bell.

    $f(x) = e^{-x^2 / 2a^2}$. Weights and biases uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when the network reads bare coordinates and the initialisation should matter less than with
    sines. Fails when `a` does not match the signal: too wide blurs, too narrow gives noise between
    samples; also far outside the samples, where every unit is 0.

    Args:
        a: Standard deviation, in units of the pre-activation, positive. Smaller represents higher
            frequencies.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> Gaussian(a=1.0)(torch.tensor([0.0, math.sqrt(2 * math.log(4))]))
        tensor([1.0000, 0.2500])

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity: Towards a Unifying Framework for Activations in
        Coordinate-MLPs, ECCV 2022, table 1. The initialisation and the default `a` are ours.
    """

    gain = TORCH_GAIN

    def __init__(self, a: float = 0.05, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Gaussian", 1 / self.a()

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class SuperGaussian(AbstractKernelled):
    r"""A power of the Gaussian bell.

    $f(x) = [e^{-x^2 / 2a^2}]^b$, a Gaussian of standard deviation $a/\sqrt b$. Weights and biases
    uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when reproducing published settings with two constants, or to train both. Fails when a
    Gaussian fails: it is a Gaussian of another width.

    Args:
        a: Standard deviation of the bell before its power, positive.
        b: The power, positive.
        trained: True makes log `a` and log `b` parameters, one pair per layer.

    Raises:
        ValueError: If `a` or `b` is not positive and finite.

    Example:
        >>> x = torch.linspace(-1, 1, 5)
        >>> torch.allclose(SuperGaussian(a=0.4, b=4.0)(x), Gaussian(a=0.2)(x))
        True

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity, ECCV 2022, table 1. The initialisation and the
        defaults are ours. This is not the flat-topped super-Gaussian of optics, a power of the
        exponent.
    """

    gain = TORCH_GAIN

    def __init__(self, a: float = 0.1, b: float = 4.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)
        self.b = Constant(self, trained=trained, b=b)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Gaussian", self._factor()

    def _factor(self) -> float | Tensor:
        return self.b() ** 0.5 / self.a()

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "b": self.b.initial, "trained": self.trained}


class Laplacian(AbstractKernelled):
    r"""The two-sided exponential.

    $f(x) = e^{-|x| / a}$. Weights and biases uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when edges should stay sharp: its peak is a corner. Fails when derivatives are needed: f'
    jumps at 0, and f'' ignores that jump.

    Args:
        a: Distance over which it falls to 1/e, in units of the pre-activation, positive.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> Laplacian(a=1.0)(torch.tensor([0.0, -math.log(4)]))
        tensor([1.0000, 0.2500])

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity, ECCV 2022, table 1. The initialisation and the
        default `a` are ours.
    """

    gain = TORCH_GAIN

    def __init__(self, a: float = 0.1, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Laplacian", 1 / self.a()

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class Quadratic(AbstractKernelled):
    r"""The inverse of a quadratic.

    $f(x) = 1 / (1 + (a x)^2)$. Weights and biases uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when the network reads bare coordinates: like a Gaussian, with heavier tails. Fails when `a`
    does not match the signal: too small blurs, too large gives noise.

    Args:
        a: The inverse of its width, positive: f(1/a) = 1/2. Larger represents higher frequencies.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> Quadratic(a=2.0)(torch.tensor([0.0, 0.5, 1.0]))
        tensor([1.0000, 0.5000, 0.2000])

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity, ECCV 2022, table 1. The initialisation and the
        default `a` are ours.
    """

    gain = TORCH_GAIN

    def __init__(self, a: float = 15.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Quadratic", self.a()

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}


class Multiquadric(AbstractKernelled):
    r"""The inverse of a multiquadric.

    $f(x) = 1 / \sqrt{1 + (a x)^2}$. Weights and biases uniform in $\pm 1/\sqrt{\mathrm{fan\_in}}$.

    Use when a bump with heavy tails is wanted: units far from a point still learn from it. Fails
    when `a` does not match the signal; the tails 1/|ax| also make features more correlated than
    those of a Gaussian.

    Args:
        a: The inverse of its width, positive. Larger represents higher frequencies.
        trained: True makes log `a` a parameter, one per layer.

    Raises:
        ValueError: If `a` is not positive and finite.

    Example:
        >>> Multiquadric(a=2.0)(torch.tensor([0.0, math.sqrt(3) / 2]))
        tensor([1.0000, 0.5000])

    Reference:
        Ramasinghe and Lucey, Beyond Periodicity, ECCV 2022, table 1, where it is called
        multi-quadratic. The initialisation and the default `a` are ours.
    """

    gain = TORCH_GAIN

    def __init__(self, a: float = 30.0, *, trained: bool = False) -> None:
        super().__init__()
        self.trained = trained
        self.a = Constant(self, trained=trained, a=a)

    def kernel(self) -> tuple[str, float | Tensor]:
        return "Multiquadric", self.a()

    def hyperparams(self) -> dict[str, Any]:
        return {"a": self.a.initial, "trained": self.trained}
