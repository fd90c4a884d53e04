"""The base class of activations, and their positive constants."""

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_positive
from ..kernels.fused_mlp.reference import FUNCTIONS
from ..kernels.fused_mlp_jet.reference import DERIVATIVES

Derivatives = tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"], Float[Tensor, "*shape"]]


class AbstractActivation(nn.Module, ABC):
    r"""An elementwise function and its initialisation.

    A final subclass gives the bounds of the uniform distribution of initial weights and biases in
    the affine layer before it. By default weights have the variance $g^2/\mathrm{fan\_in}$ for a
    `gain` g, which roughly preserves the scale of a signal through the network.
    """

    gain: float = 1.0

    @abstractmethod
    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Apply f to every element."""

    @abstractmethod
    def derivatives(self, x: Float[Tensor, "*shape"]) -> Derivatives:
        """Return f, f' and f'' in closed form; at a kink f'' ignores the jump of f'."""

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """Plain JSON keyword arguments that build this activation again."""

    def kernel(self) -> tuple[str, float | Tensor] | None:
        """Name of k and factor s if kernels support f(x) = k(s x), else None."""
        return None

    def weight_bound(self, fan_in: int, *, first: bool) -> float:
        """Largest initial weight of an affine layer before this; `first` reads coordinates."""
        return self.gain * math.sqrt(3 / fan_in)

    def bias_bound(self, fan_in: int, *, first: bool) -> float:
        """Largest initial bias of an affine layer before this."""
        return 1 / math.sqrt(fan_in)

    def output_bound(self, fan_in: int) -> float:
        """Largest initial weight of the last affine layer, after this activation."""
        return math.sqrt(3 / fan_in)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.hyperparams().items())


class AbstractKernelled(AbstractActivation):
    """An activation f(x) = k(s x) whose k kernels support; plain torch uses the same formula."""

    @abstractmethod
    def kernel(self) -> tuple[str, float | Tensor]:
        """Name of k, and s."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        name, factor = self.kernel()
        return FUNCTIONS[name](factor * x)

    def derivatives(self, x: Float[Tensor, "*shape"]) -> Derivatives:
        name, factor = self.kernel()
        value, slope, curvature = DERIVATIVES[name](factor * x)
        return value, factor * slope, factor**2 * curvature


class Constant(nn.Module):
    """A positive constant, fixed or trained. Training its logarithm keeps it positive."""

    def __init__(self, owner: object, *, trained: bool, **initial: float) -> None:
        super().__init__()
        check_positive(owner, **initial)
        ((_, value),) = initial.items()
        self.initial = float(value)
        self.log = nn.Parameter(torch.tensor(math.log(value))) if trained else None

    def forward(self) -> float | Tensor:
        return self.initial if self.log is None else self.log.exp()
