"""The interface of compositions."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_last_axis
from ..derivatives import Jet
from ..fields import AbstractField


class AbstractComposition(AbstractField):
    """A field of signed distances made of other fields.

    A final subclass is built by `cls(*fields, **hyperparams)`. It defines `jet_after`, one formula
    for values and derivatives.

    Args:
        fields: Fields of one value, a signed distance. A field may be a part several times; a file
            stores each of them separately.
        in_dim: Number of coordinates; None for that of the fields.

    Raises:
        TypeError: If a part is not a field.
        ValueError: If a part has several values, or parts have unequal numbers of coordinates.
    """

    out_dim = 1

    def __init__(self, *fields: AbstractField, in_dim: int | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        for field in fields:
            if not isinstance(field, AbstractField):
                raise TypeError(
                    f"{name}: expected fields, such as a Field or another composition, got "
                    f"{type(field).__name__}. Wrap another module: fields.as_field(module)."
                )
            if field.out_dim != 1:
                raise ValueError(
                    f"{name}: expected fields of one value, a distance, got {field.out_dim}."
                )
        sizes = {field.in_dim for field in fields}
        if in_dim is not None:
            sizes.add(in_dim)
        if len(sizes) != 1:
            raise ValueError(
                f"{name}: expected fields with equal numbers of coordinates, got "
                f"{sorted(sizes) or 'no field'}."
            )
        (self.in_dim,) = sizes
        self.fields = nn.ModuleList(fields)

    @property
    def parts(self) -> tuple[AbstractField, ...]:
        return tuple(cast(Sequence[AbstractField], self.fields))

    @abstractmethod
    def jet_after(self, x: Jet) -> Jet:
        """Signed distances after the jet `x`, with as many derivatives as it has."""

    @abstractmethod
    def lipschitz(self, bounds: list[float]) -> float:
        """Lipschitz bound of the composition, from the bounds of its parts."""

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch 1"]:
        """Signed distances at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        return self.jet_after(Jet.of_value(x)).value

    def lipschitz_bound(self) -> float | None:
        """Bound L with |f(x) - f(y)| <= L |x - y|, or None if a part has no known bound.

        It is 1 for a composition of exact distances. A step as long as the value then never crosses
        the surface, as meshing and sphere tracing require.
        """
        bounds = [part.lipschitz_bound() for part in self.parts]
        known = [bound for bound in bounds if bound is not None]
        return self.lipschitz(known) if len(known) == len(bounds) else None

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in self.hyperparams().items())
