"""The map of an equation: how far a field is from satisfying it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from .._fingerprint import function_fingerprint
from ..derivatives import Derivatives
from ..derivatives.at_points import Requested
from ..derivatives.operators import Function
from ._base import AbstractMap


class Residual(AbstractMap):
    r"""An equation written down: `function(u, x)` is zero where it holds.

    `u` is a `derivatives.Derivatives`: `u.value`, `u.gradient`, `u.jacobian`, `u.divergence`,
    `u.curl`, `u.laplacian`, `u.hessian`, and `u.d(0, 0)` for $\partial_0^2 u$. The first call finds
    out at one point what is asked for, so that all of it then comes from a single pass.

    Args:
        function: From a field around points and the points `(n, d)` to residuals `(n, m)`, point by
            point.
        name: What an error calls it.

    Raises:
        ValueError: If what comes back is not of shape `(n, m)`. One that does not depend on the
            field is refused by `fit`.

    Example:
        >>> heat = Residual(lambda u, x: u.d(0) - u.d(1, 1))  # Coordinates (t, x).
        >>> heat(lambda x: x.prod(-1, keepdim=True), torch.tensor([[0.0, 3.0]])).item()
        3.0

    Reference:
        Raissi et al., Physics-Informed Neural Networks, Journal of Computational Physics 2019,
        section 2.
    """

    def __init__(
        self, function: Callable[[Derivatives, Tensor], Tensor], *, name: str = "Residual"
    ) -> None:
        if not callable(function):
            raise TypeError(f"{name}: expected a function of (u, x), got {function!r}.")
        self.function = function
        self.name = name
        self._requested: Requested | None = None

    def __call__(self, field: Function, query: Float[Tensor, "n d"]) -> Float[Tensor, "n m"]:
        if self._requested is None:
            self._requested = self._look_ahead(field, query)
        found = self.function(Derivatives(field, query, self._requested), query)
        self._check(found, query)
        return found

    def fingerprint(self) -> str:
        return f"{self.name} {function_fingerprint(self.function)}"

    def _look_ahead(self, field: Function, query: Tensor) -> Requested:
        # At a point of its own, and without a trace, so that every step computes alike.
        probe = Derivatives(field, query[:1].detach())
        with torch.no_grad():
            self.function(probe, query[:1].detach())
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
