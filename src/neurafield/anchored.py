"""A field whose values on a boundary are built in, not learned."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ._fingerprint import function_fingerprint
from .derivatives import Jet, jet_by_autodiff, operators, rules

Factor = Callable[[Float[Tensor, "*batch d"]], Float[Tensor, "*batch"]]
Values = Callable[[Float[Tensor, "*batch d"]], Float[Tensor, "*batch c"]]


class Anchored(nn.Module):
    r"""$u(x) = g(x) + \varphi(x)\, \Phi(x)$: equal to $g$ wherever $\varphi$ is zero.

    Use when boundary or initial values are known exactly: no constraint has to be weighed against
    the equation. Fails when $\varphi$ is not smooth where the equation is asked for, as the
    distance factor of a domain is in inward corners: keep points away from there.

    Args:
        field: $\Phi$.
        factor: $\varphi$, one number a point, without a channel axis: a domain's
            `distance_factor`, or for an initial value at $t = -1$, `lambda x: x[..., 0] + 1`. Its
            square fixes the first derivative, too.
        values: $g$, with the field's channels; a number for the same everywhere. Neither is
            trained.

    Raises:
        TypeError: If `factor` is not a function, or `values` is a module.
        ValueError: When called, if one of the two gives another shape.

    Example:
        >>> from neurafield import networks
        >>> from neurafield.domains import Box
        >>> u = Anchored(networks.Siren(2, 1, width=8, depth=1), Box.cube(2).distance_factor, 3.0)
        >>> u(torch.tensor([[-1.0, 0.3]])).item()
        3.0

    Reference:
        Lagaris, Likas and Fotiadis, Artificial Neural Networks for Solving Ordinary and Partial
        Differential Equations, IEEE Transactions on Neural Networks 1998, equation 2.
    """

    def __init__(self, field: nn.Module, factor: Factor, values: Values | float = 0.0) -> None:
        super().__init__()
        if not callable(factor):
            raise TypeError(f"Anchored: expected factor to be a function, got {factor!r}.")
        if isinstance(factor, nn.Module) or isinstance(values, nn.Module):
            raise TypeError(
                "Anchored: expected factor and values that are not trained, got a module. Wrap it "
                "in a function: lambda x: module(x)."
            )
        self.field = field
        self.factor = factor
        self.values = values

    @property
    def in_dim(self) -> int:
        """Number of coordinates."""
        return int(self.field.in_dim)  # type: ignore[arg-type]

    @property
    def out_dim(self) -> int:
        """Number of values."""
        return int(self.field.out_dim)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch c"]:
        """The field's value between the anchors."""
        given = self._values(x) if callable(self.values) else self.values
        return given + self._factor(x) * self.field(x)

    def jet(self, x: Tensor | Jet, weights: Float[Tensor, "s _"] | None = None) -> Jet:
        """As `Field.jet`; factor and values are differentiated by autodiff."""
        root = x if isinstance(x, Jet) else Jet.root(x, weights)
        factor = _given(self._factor, root)
        found = rules.product(factor, operators.jet(self.field, root))
        if callable(self.values):
            return rules.add(_given(self._values, root), found)
        return Jet(torch.cat([found.streams[:1] + self.values, found.streams[1:]]), found.weights)

    def _factor(self, x: Tensor) -> Tensor:
        found = self.factor(x)
        if found.shape != x.shape[:-1]:
            raise ValueError(
                f"Anchored: expected factor to give shape {tuple(x.shape[:-1])}, a number for each "
                f"point, got {tuple(found.shape)}. Write x[..., 0], not x[..., :1]."
            )
        return found[..., None]

    def _values(self, x: Tensor) -> Tensor:
        assert callable(self.values)
        found = self.values(x)
        if found.shape != (*x.shape[:-1], self.out_dim):
            raise ValueError(
                f"Anchored: expected values to give shape {(*x.shape[:-1], self.out_dim)}, got "
                f"{tuple(found.shape)}. Keep the channel axis: x[..., :1]."
            )
        return found

    def extra_repr(self) -> str:
        """What tells it from others: a run is resumed with equal anchors only."""
        values = function_fingerprint(self.values)
        return f"factor={function_fingerprint(self.factor)}, values={values}"


def _given(function: Callable[[Tensor], Tensor], x: Jet) -> Jet:
    """The jet of what has no parameters, and, at coordinates that need none, no trace."""
    found = jet_by_autodiff(function, x)
    return found if x.streams.requires_grad else Jet(found.streams.detach(), found.weights)
