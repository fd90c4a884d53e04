"""What every part of a field has in common: sizes, and hyper-parameters that rebuild it."""

from abc import ABC, abstractmethod
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from .derivatives import Jet, jet_by_autodiff, tell_fallback


class AbstractComponent(nn.Module, ABC):
    """An encoding or a network: a map `(*batch, in_dim) -> (*batch, out_dim)`.

    A final subclass sets `in_dim` and `out_dim`, and returns from `hyperparams` the keyword
    arguments that build it again. They are plain JSON values, because they go into the file.
    """

    in_dim: int
    out_dim: int

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Map points one by one; batch axes are kept."""

    def jet(self, x: Jet) -> Jet:
        """Value and derivatives after `x`: what `forward` computes, by the chain rule.

        A component without a rule of its own gets exact autodiff, and a notice, once.
        """
        tell_fallback(type(self).__name__)
        return jet_by_autodiff(self.forward, x)

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """The keyword arguments (without `generator`) that build this component again."""

    def tables(self) -> list[Tensor]:
        """Parameters of which each point reads a few rows only; optimizers treat them so."""
        return []

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.hyperparams().items())
