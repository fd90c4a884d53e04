"""Residuals of differential equations."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._fingerprint import function_fingerprint
from ..derivatives import Derivatives
from ..derivatives.at_points import Requested
from ..derivatives.operators import Function
from ._base import AbstractMap


class Residual(AbstractMap, nn.Module):
    r"""The residual of an equation: `function(u, x)` is zero where the equation holds.

    `u` is a `derivatives.Derivatives`: `u.value`, `u.gradient`, `u.jacobian`, `u.divergence`,
    `u.curl`, `u.laplacian`, `u.hessian`, and `u.d(0, 0)` for $\partial_0^2 u$. The first call finds
    out at one point which derivatives the function uses, and a single pass then computes them all.

    Unknown coefficients are keyword arguments, here and of the function, and are trained with the
    field. `fit` returns them in `Result.unknowns`.

    Args:
        function: Function from the field's derivatives at points and the points `(n, d)` to
            residuals `(n, m)`, point by point.
        name: Name in errors.
        unknowns: Parameters, such as `nn.Parameter(torch.tensor(0.5))`, or modules, such as a
            field for a coefficient that varies over space.

    Raises:
        TypeError: If `function` is not callable, or an unknown is neither a parameter nor a module.
        ValueError: If an unknown has the name of an attribute; when called, if the residuals are
            not of shape `(n, m)`. `fit` refuses a residual that does not depend on the field.

    Example:
        >>> heat = Residual(lambda u, x: u.d(0) - u.d(1, 1))  # Coordinates (t, x).
        >>> heat(lambda x: x.prod(-1, keepdim=True), torch.tensor([[0.0, 3.0]])).item()
        3.0
        >>> k = torch.nn.Parameter(torch.tensor(0.5))
        >>> unknown = Residual(lambda u, x, k: u.d(0) - k * u.d(1, 1), k=k)
        >>> [name for name, _ in unknown.named_parameters()]
        ['k']

    Reference:
        Raissi et al., Physics-Informed Neural Networks, Journal of Computational Physics 2019,
        section 2; unknown coefficients: section 4.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        *,
        name: str = "Residual",
        **unknowns: nn.Parameter | nn.Module,
    ) -> None:
        super().__init__()
        if not callable(function):
            raise TypeError(f"{name}: expected a function of (u, x), got {function!r}.")
        self.function = function
        self.name = name
        self._names = tuple(unknowns)
        self._requested: dict[int, Requested] = {}
        for key, unknown in unknowns.items():
            if not isinstance(unknown, nn.Parameter | nn.Module):
                raise TypeError(
                    f"{name}: expected the unknown {key} to be a parameter or a module, got "
                    f"{type(unknown).__name__}. Write {key}=nn.Parameter(torch.tensor(0.5))."
                )
            if hasattr(self, key):
                raise ValueError(f"{name}: expected another name for an unknown than {key!r}.")
            setattr(self, key, unknown)

    def __call__(self, field: Function, query: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        dim = query.shape[-1]
        if dim not in self._requested:
            self._requested[dim] = self._look_ahead(field, query)
        found = self._evaluate(Derivatives(field, query, self._requested[dim]), query)
        self._check(found, query)
        return found

    def fingerprint(self) -> str:
        parts = [self.name, function_fingerprint(self.function)]
        # Only shapes, since a resumed run takes the values from its checkpoint.
        parts += [f"{name} {tuple(p.shape)}" for name, p in self.named_parameters()]
        return " ".join(parts)

    def extra_repr(self) -> str:
        return self.name

    def _evaluate(self, u: Derivatives, x: Tensor) -> Tensor:
        return self.function(u, x, **{name: getattr(self, name) for name in self._names})

    def _look_ahead(self, field: Function, query: Tensor) -> Requested:
        # Apart from the first step's evaluation, so that all steps compute in the same way.
        probe = Derivatives(field, query[:1].detach())
        with torch.no_grad():
            self._evaluate(probe, query[:1].detach())
        return probe.requested

    def _check(self, found: object, query: Tensor) -> None:
        if not isinstance(found, Tensor):
            raise TypeError(f"{self.name}: expected a tensor, got {type(found).__name__}.")
        if found.ndim != 2 or len(found) != len(query):
            raise ValueError(
                f"{self.name}: expected residuals of shape ({len(query)}, m), got "
                f"{tuple(found.shape)}. Keep the channel axis: u.laplacian is (n, 1), "
                "x[:, :1] is (n, 1), x[:, 0] is not."
            )
