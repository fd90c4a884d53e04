"""Values and derivatives of a field at points, computed on request: the argument of a residual."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from . import operators
from .jet import Jet
from .operators import Function

Row = tuple[float, ...]
"""Weights of a sum of pure second derivatives, one per coordinate."""


class Requested:
    """Record of the derivatives that a function requests, so that one pass can compute them all."""

    def __init__(self) -> None:
        self.jacobian = False
        self.rows: list[Row] = []


class Derivatives:
    r"""A field at points `x`, with derivatives on request.

    Each is computed once. Given `expected`, the record of another `Derivatives`, a single pass
    computes all of it: the jet if it contains second derivatives, else the cheapest way.

    Args:
        field: A field, or any function of points.
        x: Coordinates.
        expected: Derivatives that will be requested. Second derivatives recorded in another
            number of coordinates are ignored.

    Example:
        >>> u = Derivatives(lambda x: x[..., :1] * x[..., 1:], torch.tensor([[3.0, 4.0]]))
        >>> u.value.item(), u.d(0).item(), u.laplacian.item(), u.d(0, 1).item()
        (12.0, 4.0, 0.0, 1.0)
    """

    def __init__(
        self, field: Function, x: Float[Tensor, "*batch d"], expected: Requested | None = None
    ) -> None:
        self.field = field
        self.x = x
        self.requested = Requested()
        expected = expected or Requested()
        self._expected_jacobian = expected.jacobian
        self._expected_rows = [row for row in expected.rows if len(row) == x.shape[-1]]
        self._value: Tensor | None = None
        self._jacobian: Tensor | None = None
        self._second: dict[Row, Tensor] = {}
        self._hessian: Tensor | None = None

    @property
    def value(self) -> Float[Tensor, "*batch c"]:
        """The field's value."""
        if self._value is None:
            if self._expected_rows:
                self._take_jet(self._expected_rows)
            elif self._expected_jacobian:
                self._take_jacobian()
            else:
                self._value = self.field(self.x)
        assert self._value is not None
        return self._value

    @property
    def jacobian(self) -> Float[Tensor, "*batch c d"]:
        """First derivatives: channel, then coordinate."""
        self.requested.jacobian = True
        if self._jacobian is None:
            if self._expected_rows:
                self._take_jet(self._expected_rows)
            else:
                self._take_jacobian()
        assert self._jacobian is not None
        return self._jacobian

    @property
    def gradient(self) -> Float[Tensor, "*batch d"]:
        """First derivatives of a field of one value."""
        return operators.gradient_of(self.jacobian)

    @property
    def divergence(self) -> Float[Tensor, "*batch 1"]:
        """Divergence of a field with as many values as coordinates."""
        return operators.divergence_of(self.jacobian)

    @property
    def curl(self) -> Float[Tensor, "*batch _"]:
        """Curl of a field of two values and coordinates (one channel), or of three (three)."""
        return operators.curl_of(self.jacobian)

    @property
    def laplacian(self) -> Float[Tensor, "*batch c"]:
        """The sum of all pure second derivatives."""
        return self.sum_of_second([1.0] * self.x.shape[-1])

    def sum_of_second(self, weights: Iterable[float | Tensor]) -> Float[Tensor, "*batch c"]:
        r"""$\sum_k w_k \partial_k^2 y$.

        With numbers as weights it is one stream of the jet. Weights may also be tensors of one
        value, such as trained coefficients, which then get a gradient; each second derivative is
        then a stream of its own.

        Raises:
            ValueError: If there is not one weight per coordinate, or a tensor has several values.

        Example:
            >>> c = torch.tensor(2.0, requires_grad=True)
            >>> u = Derivatives(lambda x: x**2, torch.tensor([[3.0]]))
            >>> torch.autograd.grad(u.sum_of_second([-(c**2)]).sum(), c)  # -2 c times 2.
            (tensor(-8.),)
        """
        entries = list(weights)
        if len(entries) != self.x.shape[-1]:
            raise ValueError(
                f"Derivatives.sum_of_second: expected {self.x.shape[-1]} weights, got "
                f"{len(entries)}."
            )
        for weight in entries:
            if isinstance(weight, Tensor) and weight.numel() != 1:
                raise ValueError(
                    "Derivatives.sum_of_second: expected weights of one value, got a tensor of "
                    f"shape {tuple(weight.shape)}. For weights that depend on the point, multiply "
                    "`u.d(k, k)` by them."
                )
        if any(isinstance(weight, Tensor) for weight in entries):
            # Whether a tensor needs a gradient is unknown here: `no_grad` may be on.
            terms = [
                (weight.reshape(()) if isinstance(weight, Tensor) else weight) * self.d(k, k)
                for k, weight in enumerate(entries)
                if isinstance(weight, Tensor) or weight
            ]
            return torch.stack(terms).sum(0)
        row = tuple(map(float, entries))
        if row not in self.requested.rows:
            self.requested.rows.append(row)
        if row not in self._second:
            expected = self._expected_rows
            self._take_jet(expected if row in expected else [row])
        return self._second[row]

    @property
    def hessian(self) -> Float[Tensor, "*batch c d d"]:
        """All second derivatives. Pure ones alone, `d(k, k)`, cost less."""
        if self._hessian is None:
            self._hessian = operators.hessian(self.field, self.x)
        return self._hessian

    def d(self, *axes: int) -> Float[Tensor, "*batch c"]:
        r"""A partial derivative: `d(0)` is $\partial_0 y$, `d(0, 0)` is $\partial_0^2 y$.

        Raises:
            ValueError: If an axis is out of range.
        """
        dim = self.x.shape[-1]
        if not all(0 <= axis < dim for axis in axes):
            raise ValueError(f"Derivatives.d: expected axes from 0 to {dim - 1}, got {axes}.")
        if not axes:
            return self.value
        if len(axes) == 1:
            return self.jacobian[..., axes[0]]
        if len(axes) == 2 and axes[0] == axes[1]:
            return self.sum_of_second([float(k == axes[0]) for k in range(dim)])
        if len(axes) == 2:
            return self.hessian[..., axes[0], axes[1]]
        return operators.partial(self.field, self.x, axes)

    def _take_jacobian(self) -> None:
        self._value, self._jacobian = operators.value_and_jacobian(self.field, self.x)

    def _take_jet(self, rows: list[Row]) -> None:
        weights = self.x.new_tensor(rows)
        combine = None
        if len(rows) > self.x.shape[-1]:
            # Streams of single second derivatives, added up afterwards, are fewer.
            combine, weights = weights, torch.eye(len(rows[0])).to(self.x)
        found = operators.jet(self.field, Jet.root(self.x, weights))
        self._value, self._jacobian = found.value, found.jacobian
        second = found.weighted_hessian if combine is None else found.weighted_hessian @ combine.mT
        self._second |= dict(zip(rows, second.unbind(-1), strict=True))
