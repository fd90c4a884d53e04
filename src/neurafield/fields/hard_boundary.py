"""Hard boundary conditions: fields with exact values on a boundary."""

import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_last_axis
from .._component import function_name, own_function
from .._fingerprint import function_fingerprint
from .._text import shortened
from ..derivatives import Jet, jet_by_autodiff, rules
from ..domains import AbstractDomain
from ..domains.description import describe, from_description
from ..errors import ArgumentError
from ._base import AbstractField

Factor = Callable[[Float[Tensor, "*batch d"]], Float[Tensor, "*batch"]]
Values = Callable[[Float[Tensor, "*batch d"]], Float[Tensor, "*batch c"]]
Description = dict[str, Any]


class HardBoundary(AbstractField):
    r"""A field with hard boundary values: $u(x) = g(x) + \varphi(x)\, \Phi(x)$.

    It is equal to $g$ wherever $\varphi$ is zero. Neither $g$ nor $\varphi$ is trained.

    A file describes the `distance_factor` of the library's domains. Any other function is stored by
    its name and passed to `load(path, components=[function])`.

    Use when boundary or initial values are known exactly: no constraint has to be weighed against
    the equation. Fails when $\varphi$ is not smooth at a point where the equation is evaluated.
    The distance factor of a domain is not smooth in inward corners: keep points away from them.

    Args:
        field: Field $\Phi$.
        factor: Function $\varphi$, one value per point, without a channel axis: a domain's
            `distance_factor`, or for an initial value at $t = -1$, `lambda x: x[..., 0] + 1`. The
            square of such a factor also fixes the first derivative.
        values: Function $g$, with the field's channels, or a constant.

    Raises:
        TypeError: If `field` is not a field, `factor` not a function, or `factor` or `values` a
            module.
        ArgumentError: If a constant is not finite, or a domain has another number of dimensions
            than the field has coordinates.
        ValueError: When called, if `factor` or `values` returns another shape.

    Example:
        >>> from neurafield import Field, networks
        >>> from neurafield.domains import Box
        >>> network = networks.Siren(2, 1, width=8, depth=1)
        >>> u = HardBoundary(Field(network), Box.cube(2).distance_factor, 3.0)
        >>> u(torch.tensor([[-1.0, 0.3]])).item()
        3.0

    Reference:
        Lagaris, Likas and Fotiadis, Artificial Neural Networks for Solving Ordinary and Partial
        Differential Equations, IEEE Transactions on Neural Networks 1998, equation 2.
    """

    def __init__(
        self,
        field: AbstractField,
        factor: Factor,
        values: Values | float = 0.0,
    ) -> None:
        super().__init__()
        if not isinstance(field, AbstractField):
            raise TypeError(
                f"HardBoundary: expected a field, got {type(field).__name__}. Wrap it: "
                "fields.as_field(module)."
            )
        if not callable(values):
            if not isinstance(values, float | int) or isinstance(values, bool):
                raise TypeError(
                    "HardBoundary: expected values to be a function or a number, got "
                    f"{shortened(values)}."
                )
            if not abs(values) <= sys.float_info.max:
                raise ArgumentError(
                    f"HardBoundary: expected values to be finite, got {shortened(values)}."
                )
        if not callable(factor):
            raise TypeError(
                f"HardBoundary: expected factor to be a function, got {shortened(factor)}."
            )
        if isinstance(factor, nn.Module) or isinstance(values, nn.Module):
            raise TypeError(
                "HardBoundary: expected factor and values that are not trained, got a module. Wrap "
                "it in a function: lambda x: module(x)."
            )
        for function in (factor, values):
            domain = _domain_of(function)
            if domain is not None and domain.dim != field.in_dim:
                raise ArgumentError(
                    f"HardBoundary: expected a domain in {field.in_dim} dimensions, as the field's "
                    f"coordinates, got {type(domain).__name__} in {domain.dim}."
                )
        self.field = field
        self.factor = factor
        self.values: Values | float = values
        self.in_dim, self.out_dim = field.in_dim, field.out_dim

    @property
    def parts(self) -> tuple[AbstractField, ...]:
        return (self.field,)

    @classmethod
    def from_parts(cls, parts: Sequence[AbstractField], **hyperparams: Any) -> "HardBoundary":
        """Builds the field from its part, and descriptions of the factor and the values."""
        return cls(*parts, **{name: _function(given) for name, given in hyperparams.items()})

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch c"]:
        """Values at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        given = self._values(x) if callable(self.values) else self.values
        return given + self._factor(x) * self.field(x)

    def jet_after(self, x: Jet) -> Jet:
        """Jet by the product rule; factor and values are differentiated by autodiff."""
        found = rules.product(_given(self._factor, x), self.field.jet(x))
        if callable(self.values):
            return rules.add(_given(self._values, x), found)
        return Jet(torch.cat([found.streams[:1] + self.values, found.streams[1:]]), found.weights)

    def hyperparams(self) -> dict[str, Any]:
        values = _description(self.values) if callable(self.values) else float(self.values)
        return {"factor": _description(self.factor), "values": values}

    def functions(self) -> list[Callable[..., Any]]:
        found = [f for f in (self.factor, self.values) if callable(f) and not _described(f)]
        # Two method objects of one method of an object are equal, but not the same.
        return [f for index, f in enumerate(found) if f not in found[:index]]

    def _factor(self, x: Tensor) -> Tensor:
        found = self.factor(x)
        if found.shape != x.shape[:-1]:
            raise ValueError(
                f"HardBoundary: expected factor to give shape {tuple(x.shape[:-1])}, one value "
                f"per point, got {tuple(found.shape)}. Write x[..., 0], not x[..., :1]."
            )
        return found[..., None]

    def _values(self, x: Tensor) -> Tensor:
        assert callable(self.values)
        found = self.values(x)
        if found.shape != (*x.shape[:-1], self.out_dim):
            raise ValueError(
                f"HardBoundary: expected values to give shape {(*x.shape[:-1], self.out_dim)}, got "
                f"{tuple(found.shape)}. Keep the channel axis: x[..., :1]."
            )
        return found

    def extra_repr(self) -> str:
        """Hashes of both functions, so that a run is resumed with equal boundary values only."""
        values = function_fingerprint(self.values)
        return f"factor={function_fingerprint(self.factor)}, values={values}"


def _given(function: Callable[[Tensor], Tensor], x: Jet) -> Jet:
    """Jet of a function without parameters; detached unless the coordinates need a gradient."""
    found = jet_by_autodiff(function, x)
    return found if x.streams.requires_grad else Jet(found.streams.detach(), found.weights)


def _domain_of(function: object) -> AbstractDomain | None:
    """Returns the domain whose `distance_factor` a function is, or None."""
    owner = function.__self__ if isinstance(function, types.MethodType) else None
    if isinstance(owner, AbstractDomain) and function == owner.distance_factor:
        return owner
    return None


def _described(function: object) -> Description | None:
    """Describes the library's domain whose `distance_factor` a function is; None for others."""
    domain = _domain_of(function)
    if domain is None:
        return None
    try:
        return {"domain": describe(domain)}
    except TypeError:
        # The domain, or a part of it, is of a class of one's own.
        return None


def _description(function: Callable[..., Any]) -> Description:
    return _described(function) or {"function": function_name(function)}


def _function(given: Any) -> Any:
    """Returns the function of a description in `hyperparams`; anything else unchanged."""
    if not isinstance(given, dict):
        return given
    if set(given) == {"domain"}:
        return from_description(given["domain"]).distance_factor
    if set(given) == {"function"}:
        return own_function(given["function"])
    raise ValueError(
        f"HardBoundary: expected a domain or a function, got {shortened(sorted(given))}."
    )
