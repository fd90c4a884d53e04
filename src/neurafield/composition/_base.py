"""What compositions have in common: parts, numbers that rebuild them, and a bound of the slope."""

from abc import ABC, abstractmethod
from typing import Any, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, operators

_Composition = TypeVar("_Composition", bound="AbstractComposition")


class AbstractComposition(nn.Module, ABC):
    """A field of signed distances, made of others.

    A final subclass is built by `cls(*fields, **hyperparams)`, so that a file can do it. It says in
    `read` what it makes of its fields, once for values and derivatives.

    Args:
        fields: Its parts, modules with `in_dim` and `out_dim`, which has to be 1. One field may
            stand at several places; a file holds each by itself.
        in_dim: Number of coordinates; None for that of the fields.

    Raises:
        TypeError: If a part is not a field.
        ValueError: If a part has several values, or parts have unequal numbers of coordinates.
    """

    out_dim = 1

    def __init__(self, *fields: nn.Module, in_dim: int | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        for field in fields:
            if not isinstance(getattr(field, "in_dim", None), int):
                raise TypeError(
                    f"{name}: expected fields, such as a Field or another composition, got "
                    f"{type(field).__name__}."
                )
            if field.out_dim != 1:
                raise ValueError(
                    f"{name}: expected fields of one value, a distance, got {field.out_dim}."
                )
        sizes = {int(field.in_dim) for field in fields}  # type: ignore[arg-type]
        if in_dim is not None:
            sizes.add(in_dim)
        if len(sizes) != 1:
            raise ValueError(
                f"{name}: expected fields with equal numbers of coordinates, got "
                f"{sorted(sizes) or 'no field'}."
            )
        (self.in_dim,) = sizes
        self.fields = nn.ModuleList(fields)

    @abstractmethod
    def read(self, x: Jet) -> Jet:
        """The distance at points, with as many derivatives as they have."""

    @abstractmethod
    def hyperparams(self) -> dict[str, Any]:
        """JSON values that build it again, besides its fields."""

    @abstractmethod
    def steepest(self, slopes: list[float]) -> float:
        """A bound of its slope, from those of its fields."""

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch 1"]:
        """Distances at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        # A jet without derivatives: one formula for both.
        return self.read(Jet(x[None], x.new_zeros(0, 0))).value

    def jet(self, x: Tensor | Jet, weights: Float[Tensor, "s _"] | None = None) -> Jet:
        """As `Field.jet`: distances with their derivatives."""
        if not isinstance(x, Jet):
            check_last_axis(self, x, self.in_dim)
            x = Jet.root(x, weights)
        elif weights is not None:
            raise ValueError(f"{type(self).__name__}.jet: expected no weights beside a jet.")
        check_last_axis(self, x.value, self.in_dim)
        return self.read(x)

    def lipschitz_bound(self) -> float | None:
        """A number L with |f(x) - f(y)| <= L |x - y|, or None if a part has none to give.

        1 for a composition of exact distances: a step as long as the value never goes through the
        surface, which is what meshing and sphere tracing need.
        """
        slopes = [lipschitz_bound(field) for field in self.fields]
        known = [slope for slope in slopes if slope is not None]
        return self.steepest(known) if len(known) == len(slopes) else None

    @property
    def num_parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def num_lods(self) -> int:
        """Levels of detail: as many as the field with the most has."""
        return max((_num_lods(field) for field in self.fields), default=1)

    def at_lod(self: _Composition, lod: int) -> _Composition:
        """The composition with each field read at a level of detail, or at its last one.

        Raises:
            ValueError: If there is no such level.
        """
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        read = [
            field.at_lod(min(lod, _num_lods(field) - 1)) if _num_lods(field) > 1 else field  # type: ignore[operator]
            for field in self.fields
        ]
        return type(self)(*read, **self.hyperparams())

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.hyperparams().items())


def ask(field: nn.Module, x: Jet) -> Jet:
    """A part's distance at points."""
    return operators.jet(field, x) if x.dim else Jet(field(x.value)[None], x.weights)


def lipschitz_bound(field: nn.Module) -> float | None:
    """L with |f(x) - f(y)| <= L |x - y| for all points, of any field that tells it, else None."""
    told = getattr(field, "lipschitz_bound", None)
    return told() if callable(told) else None


def _num_lods(field: nn.Module) -> int:
    return int(getattr(field, "num_lods", 1))
