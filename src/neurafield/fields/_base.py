"""The interface of all fields."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from .._component import AbstractComponent
from ..derivatives import Jet, jet_by_autodiff, tell_fallback

_FieldT = TypeVar("_FieldT", bound="AbstractField")


class AbstractField(nn.Module, ABC):
    """A neural field: a module from coordinates `(*batch, in_dim)` to values `(*batch, out_dim)`.

    A final subclass sets `in_dim` and `out_dim` and defines `forward` and `hyperparams`. All other
    methods have defaults. Derivatives come from `jet_after`, whose default is exact autodiff. A
    field that is made of other fields returns them from `parts`, and gets its levels of detail
    from them.

    A field can be saved if `type(field).from_parts(parts, **hyperparams)` builds it again.
    """

    in_dim: int
    out_dim: int

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Values at coordinates, point by point; batch axes are kept."""

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """Keyword arguments, as JSON values, that build this field again from its parts."""

    def functions(self) -> list[Callable[..., Any]]:
        """Functions, not the library's, that `hyperparams` refers to by name; by default none."""
        return []

    @property
    def parts(self) -> "tuple[AbstractField, ...]":
        """Fields that this one is made of; by default none."""
        return ()

    @classmethod
    def from_parts(
        cls: type[_FieldT], parts: "Sequence[AbstractField]", **hyperparams: Any
    ) -> _FieldT:
        """Builds a field from its parts, which are its first arguments by default."""
        return cls(*parts, **hyperparams)

    def jet_after(self, x: Jet) -> Jet:
        """Value and derivatives of `forward` after the jet `x`, by the chain rule.

        The default is exact autodiff, with one `DerivativeNotice` per class.

        Args:
            x: Jet of `in_dim` channels.
        """
        tell_fallback(type(self).__name__)
        return jet_by_autodiff(self.forward, x)

    def jet(
        self, x: Float[Tensor, "*batch in_dim"] | Jet, weights: Float[Tensor, "s _"] | None = None
    ) -> Jet:
        """Values with their first derivatives and weighted sums of their second derivatives.

        Exact, in one forward pass, and differentiable with respect to the parameters. Subclasses
        define `jet_after` instead of this method.

        Args:
            x: Coordinates; or a jet of them, for derivatives with respect to its own root.
            weights: Weights of the sums of pure second derivatives, one row per sum. None gives
                the Laplacian, the identity matrix each second derivative by itself, and no rows
                give no second derivatives. A jet has its own weights.

        Raises:
            ValueError: If the last axis of `x` is not `in_dim`, `weights` has another number of
                columns, or weights are given with a jet.

        Example:
            >>> import torch
            >>> from neurafield import Field, networks
            >>> field = Field(networks.Siren(2, 3, width=16, depth=2))
            >>> found = field.jet(torch.zeros(7, 2))
            >>> found.value.shape, found.jacobian.shape, found.laplacian.shape
            (torch.Size([7, 3]), torch.Size([7, 3, 2]), torch.Size([7, 3]))
        """
        if not isinstance(x, Jet):
            check_last_axis(self, x, self.in_dim)
            x = Jet.root(x, weights)
        elif weights is not None:
            raise ValueError(
                f"{type(self).__name__}.jet: expected no weights beside a jet, got some. A jet "
                "has its own."
            )
        check_last_axis(self, x.value, self.in_dim)
        # Second derivatives need full precision, also under autocast.
        with torch.autocast(x.streams.device.type, enabled=False):
            return self.jet_after(x)

    @property
    def num_parameters(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def num_lods(self) -> int:
        """Number of levels of detail: that of the part with the most, or 1."""
        return max((part.num_lods for part in self.parts), default=1)

    def at_lod(self: _FieldT, lod: int) -> _FieldT:
        """The field at a level of detail; parts with fewer levels are at their last one.

        It shares all parameters with the whole field, and cannot be saved.

        Args:
            lod: Level from 0, the coarsest, to `num_lods - 1`, the whole field.

        Raises:
            ValueError: If there is no such level.

        Example:
            >>> from neurafield import Field, encodings, networks
            >>> grid = encodings.HashGrid(2, num_levels=4, finest_resolution=64)
            >>> field = Field(networks.MLP(grid.out_dim, 3, width=16, depth=1), encoding=grid)
            >>> field.num_lods, field.at_lod(0)(torch.zeros(7, 2)).shape
            (4, torch.Size([7, 3]))
        """
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        return self if self.num_lods == 1 else _read_at(self, lod)

    def lipschitz_bound(self) -> float | None:
        """Bound L with |f(x) - f(y)| <= L |x - y| for all points, or None if none is known."""
        return None


_ModuleT = TypeVar("_ModuleT", bound=nn.Module)


def _read_at(module: _ModuleT, lod: int) -> _ModuleT:
    """A view of a module whose parts are read at a level of detail, or at their last one.

    The view has the class, the attributes and the parameters of the module itself.
    """
    view = copy.copy(module)
    view._modules = dict(module._modules)
    for name, part in module._modules.items():
        if isinstance(part, AbstractField | AbstractComponent):
            view._modules[name] = part.at_lod(min(lod, part.num_lods - 1))
        elif isinstance(part, nn.ModuleList | nn.ModuleDict):
            view._modules[name] = _read_at(part, lod)
    return view


def evaluate_after(field: AbstractField, x: Jet) -> Jet:
    """Evaluates a field after a jet; by `forward` if the jet has no derivatives."""
    return field.jet(x) if x.dim else Jet(field(x.value)[None], x.weights)
