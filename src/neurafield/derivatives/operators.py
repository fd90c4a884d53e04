r"""Gradient, Jacobian, divergence, curl, Laplacian, Hessian and partial derivatives of a field.

All are exact, keep batch axes, and can be differentiated with respect to the parameters. Each is
computed in the way that needs the fewest products with the weights. With $d$ coordinates and $c$
values, in units of one pass through the field (a training step is three times that):

| derivative | reverse mode | forward jet | taken |
|---|---|---|---|
| Jacobian, gradient | $1 + c$ | $1 + d$ | reverse if $c < d$, else the jet |
| Laplacian, sums of pure second derivatives ($s$ rows) | $1 + c + 2cd$ | $1 + d + s$ | the jet |
| Hessian | $1 + c + 2cd$ | $1 + d(d + 1)$ | the jet if $d \le 2c + 1$ |

The jet needs only first-order autograd and runs in compiled kernels. The argument `way` chooses
the other one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_floating
from .._transforms import inside_func
from .autodiff import gradients, jet_by_autodiff, own_point, traced
from .jet import Jet

Function = Callable[[Tensor], Tensor]
"""A field, or any function of points `(*batch, d) -> (*batch, c)`."""

WAYS = ("jet", "reverse")


@runtime_checkable
class HasOutDim(Protocol):
    """A function of points that knows how many values it has."""

    out_dim: int


@runtime_checkable
class HasJet(Protocol):
    """A field or a component: a function of points that knows its own derivatives."""

    def jet(self, x: Jet) -> Jet: ...


def jet(field: Function, x: Jet) -> Jet:
    """A field's jet after `x`, by its own rules if it has a method `jet`.

    Autocast is switched off: second derivatives need the precision of their coordinates.
    """
    with torch.autocast(x.streams.device.type, enabled=False):
        own = _with_jet(field)
        return jet_by_autodiff(field, x) if own is None else own.jet(x)


def value_and_jacobian(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> tuple[Float[Tensor, "*batch c"], Float[Tensor, "*batch c d"]]:
    """Value and first derivatives: channel, then coordinate."""
    _check("value_and_jacobian", x, way)
    num_values = _num_values(field, x)
    if way is None:
        cheap = num_values < x.shape[-1]
        way = "reverse" if cheap and not inside_func() else "jet"
    if way == "reverse":
        return _by_reverse(field, x)
    found = jet(field, Jet.root(x, x.new_zeros(0, x.shape[-1])))
    return found.value, found.jacobian


def jacobian(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch c d"]:
    """Derivatives of each value with respect to each coordinate.

    Args:
        field: A field, or any function of points.
        x: Coordinates.
        way: "jet" or "reverse"; None for the cheaper one.

    Example:
        >>> jacobian(lambda x: x * x, torch.tensor([3.0, 4.0])).tolist()
        [[6.0, 0.0], [0.0, 8.0]]
    """
    return value_and_jacobian(field, x, way=way)[1]


def gradient(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch d"]:
    """Derivatives of a field of one value.

    Raises:
        ValueError: If the field has several values; `jacobian` is for those.

    Example:
        >>> gradient(lambda x: x.square().sum(-1, keepdim=True), torch.tensor([3.0, 4.0])).tolist()
        [6.0, 8.0]
    """
    found = jacobian(field, x, way=way)
    return gradient_of(found)


def divergence(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch 1"]:
    r"""$\sum_k \partial_k y_k$ of a vector field.

    Raises:
        ValueError: If the field does not have as many values as coordinates.

    Example:
        >>> divergence(lambda x: x * x, torch.tensor([3.0, 4.0])).item()
        14.0
    """
    return divergence_of(jacobian(field, x, way=way))


def curl(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch _"]:
    r"""The rotation of a vector field: three values in 3-D, one in 2-D.

    In 2-D it is $\partial_1 y_2 - \partial_2 y_1$.

    Raises:
        ValueError: If the field does not have two values of two coordinates, or three of three.

    Example:
        >>> curl(lambda x: x.flip(-1) * torch.tensor([-1.0, 1.0]), torch.zeros(2)).item()
        2.0
    """
    return curl_of(jacobian(field, x, way=way))


def laplacian(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch c"]:
    r"""$\sum_k \partial_k^2 y$ of each value.

    Args:
        field: A field, or any function of points.
        x: Coordinates.
        way: "jet" or "reverse"; None for the jet, which is always cheaper.

    Example:
        >>> laplacian(lambda x: x**3, torch.tensor([3.0, 4.0])).tolist()
        [18.0, 24.0]
    """
    _check("laplacian", x, way)
    if way == "reverse":
        return hessian(field, x, way="reverse").diagonal(dim1=-2, dim2=-1).sum(-1)
    # The Laplacian is the default of a root; `Jet.laplacian` would check the weights first.
    return jet(field, Jet.root(x)).second[0]


def hessian(
    field: Function, x: Float[Tensor, "*batch d"], *, way: str | None = None
) -> Float[Tensor, "*batch c d d"]:
    """All second derivatives: value, coordinate, coordinate.

    The jet takes them along all $e_i$ and $e_i + e_j$; differences give the mixed ones.

    Example:
        >>> hessian(lambda x: x[..., :1] * x[..., 1:], torch.tensor([3.0, 4.0])).tolist()
        [[[0.0, 1.0], [1.0, 0.0]]]
    """
    _check("hessian", x, way)
    dim = x.shape[-1]
    if way is None:
        cheap = dim <= 2 * _num_values(field, x) + 1
        way = "jet" if cheap or inside_func() else "reverse"
    if way == "reverse":
        with traced():
            at = own_point(x)
            first = gradients(field(at), at)
            found = torch.stack([gradients(row, at) for row in first.unbind(-2)], dim=-3)
        return found if torch.is_grad_enabled() else found.detach()
    unit = torch.eye(dim, dtype=x.dtype, device=x.device)
    pairs = [(i, j) for i in range(dim) for j in range(i + 1)]
    directions = torch.stack([unit[i] if i == j else unit[i] + unit[j] for i, j in pairs])
    along = jet(field, root_along(x, directions)).weighted_hessian
    index = {pair: column for column, pair in enumerate(pairs)}
    rows = []
    for i in range(dim):
        for j in range(dim):
            entry = along[..., index[max(i, j), min(i, j)]]
            if i != j:
                entry = (entry - along[..., index[i, i]] - along[..., index[j, j]]) / 2
            rows.append(entry)
    return torch.stack(rows, dim=-1).unflatten(-1, (dim, dim))


def partial(
    field: Function, x: Float[Tensor, "*batch d"], axes: Sequence[int]
) -> Float[Tensor, "*batch c"]:
    r"""$\partial_{a_1} \partial_{a_2} \cdots y$ for each value, of any order.

    Computed by jets up to the second order, by nested reverse mode beyond.

    Args:
        field: A field, or any function of points.
        x: Coordinates.
        axes: Coordinates to differentiate along; an empty sequence gives the value.

    Raises:
        ValueError: If an axis is out of range.

    Example:
        >>> partial(lambda x: x**3, torch.tensor([2.0, 5.0]), [0, 0]).tolist()
        [12.0, 0.0]
    """
    check_floating("partial", x=x)
    dim = x.shape[-1]
    for axis in axes:
        if not 0 <= axis < dim:
            raise ValueError(f"partial: expected axes from 0 to {dim - 1}, got {axis}.")
    if not axes:
        return field(x)
    if len(axes) == 1:
        return jacobian(field, x)[..., axes[0]]
    if len(axes) == 2 and axes[0] == axes[1]:
        weights = x.new_zeros(1, dim)
        weights[0, axes[0]] = 1
        return jet(field, Jet.root(x, weights)).weighted_hessian[..., 0]
    if len(axes) == 2:
        return hessian(field, x)[..., axes[0], axes[1]]
    if inside_func():
        return _partial_inside_transforms(field, x, axes)
    with traced():
        at = own_point(x)
        found = field(at)
        for axis in axes:
            found = gradients(found, at)[..., axis]
    return found if torch.is_grad_enabled() else found.detach()


def root_along(x: Float[Tensor, "*batch d"], directions: Float[Tensor, "k d"]) -> Jet:
    """A root whose derivatives are along directions instead of coordinates, each by itself."""
    count, dim = directions.shape
    first = directions.reshape(count, *[1] * (x.ndim - 1), dim).expand(count, *x.shape)
    streams = torch.cat([x[None], first, torch.zeros_like(first)])
    return Jet(streams, torch.eye(count, dtype=x.dtype, device=x.device))


def gradient_of(jacobian: Float[Tensor, "*batch c d"]) -> Float[Tensor, "*batch d"]:
    """The only row of a Jacobian."""
    if jacobian.shape[-2] != 1:
        raise ValueError(
            f"gradient: expected a field of one value, got {jacobian.shape[-2]}. Use the "
            "jacobian, or one channel of the field."
        )
    return jacobian[..., 0, :]


def divergence_of(jacobian: Float[Tensor, "*batch c d"]) -> Float[Tensor, "*batch 1"]:
    """The trace of a square Jacobian."""
    if jacobian.shape[-2] != jacobian.shape[-1]:
        raise ValueError(
            f"divergence: expected as many values as coordinates, got {jacobian.shape[-2]} of "
            f"{jacobian.shape[-1]}."
        )
    return jacobian.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)


def curl_of(jacobian: Float[Tensor, "*batch c d"]) -> Float[Tensor, "*batch _"]:
    """The antisymmetric part of a square Jacobian of two or three rows."""
    shape = tuple(jacobian.shape[-2:])
    if shape not in ((2, 2), (3, 3)):
        raise ValueError(
            f"curl: expected two values of two coordinates or three of three, got {shape[0]} of "
            f"{shape[1]}."
        )
    turn = jacobian - jacobian.mT
    if shape == (2, 2):
        return turn[..., 1, 0, None]
    return torch.stack([turn[..., 2, 1], turn[..., 0, 2], turn[..., 1, 0]], dim=-1)


def _by_reverse(field: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    again = torch.is_grad_enabled()
    with traced():
        at = own_point(x)
        value = field(at)
        found = gradients(value, at, again=again)
    if again:
        return value, found
    return value.detach(), found.detach()


def _partial_inside_transforms(field: Function, x: Tensor, axes: Sequence[int]) -> Tensor:
    def along(function: Function, axis: int) -> Function:
        def channel(index: int) -> Function:
            return torch.func.grad(lambda v: function(v)[..., index].sum())

        def derivative(v: Tensor) -> Tensor:
            count = function(v).shape[-1]
            return torch.stack([channel(index)(v)[..., axis] for index in range(count)], dim=-1)

        return derivative

    for axis in axes:
        field = along(field, axis)
    return field(x)


def _with_jet(field: object) -> HasJet | None:
    return field if isinstance(field, HasJet) else None


def _with_out_dim(field: object) -> HasOutDim | None:
    return field if isinstance(field, HasOutDim) else None


def _num_values(field: Function, x: Tensor) -> int:
    known = _with_out_dim(field)
    if known is not None:
        return known.out_dim
    with torch.no_grad():
        return field(x.reshape(-1, x.shape[-1])[:1]).shape[-1]


def _check(owner: str, x: Tensor, way: str | None) -> None:
    check_floating(owner, x=x)
    if not x.ndim:
        raise ValueError(f"{owner}: expected coordinates of shape (..., d), got ().")
    if way is not None and way not in WAYS:
        raise ValueError(f"{owner}: expected way to be {' or '.join(WAYS)}, got {way!r}.")
