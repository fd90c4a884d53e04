"""B-spline grids: smooth everywhere, linear in the trainable parameters."""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int64
from numpy.polynomial import Polynomial
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ..errors import ArgumentError
from ._base import AbstractEncoding
from ._grid import MAX_ROWS, plain, resolution_per_axis

MAX_DEGREE = 5
MAX_DIM = 4
BORDERS = ("free", "mirror")


class SplineGrid(AbstractEncoding):
    r"""Sum of B-splines, one per cell (even degree) or vertex (odd degree) of a grid.

    $y(x) = \sum_i c_i \prod_a B_p(t_a - i_a)$ with $t = (x + 1)\, n / 2$ in cells and $B_p$ the
    cardinal B-spline of degree $p$, with a support of $p + 1$ cells. Derivatives up to order $p -
    1$ are continuous. Outside [-1, 1] the polynomials of the outermost cells are extended; a NaN
    coordinate gives NaN features.

    Use when derivatives of the field are observed or should be smooth: $y$ is linear in $c$, so
    such problems are linear least squares (`fit.least_squares`). Fails when there are many
    coordinates, or most of the box is empty: there are as many coefficients as cells, and each
    point reads $(p + 1)^d$ of them.

    Cost: about as many rows of `features` as cells; a query reads $(p + 1)^d$ of them.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        resolution: Cells along each axis: one value for all axes, or one per axis.
        features: Channels.
        degree: Degree of the polynomials, 1 to 5. With an even degree and one cell per pixel, a
            spline is centred on each pixel, and the pixels determine the coefficients well.
        border: "free" has `degree` more coefficients than cells along an axis, all independent.
            "mirror" reflects the coefficients at the border, so that the derivative across the
            border is zero there.
        generator: Source of the initial values, U(-1e-4, 1e-4). None uses torch's global one.

    Raises:
        ValueError: If a size is out of range, or the border unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> grid = SplineGrid(2, resolution=[30, 40], features=3, generator=g)
        >>> grid(torch.zeros(5, 2)).shape, grid.table.shape
        (torch.Size([5, 3]), torch.Size([1344, 3]))

    Reference:
        Unser, Splines: A Perfect Fit for Signal and Image Processing, IEEE Signal Processing
        Magazine 1999, equations 1 to 5; with samples at cell centres, our even degrees are his.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        resolution: int | Sequence[int],
        features: int = 1,
        degree: int = 2,
        border: str = "free",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=MAX_DIM)
        check_count(self, features=features, high=2**16)
        check_count(self, degree=degree, high=MAX_DEGREE)
        if border not in BORDERS:
            raise ValueError(
                f"SplineGrid: expected border to be {' or '.join(BORDERS)}, got {border!r}."
            )
        self.in_dim, self.out_dim = in_dim, features
        self.features, self.degree, self.border = features, degree, border
        self.resolution = plain(resolution)
        self.cells = resolution_per_axis(self, in_dim, "resolution", resolution)
        num_rows = prod(self.shape)
        if num_rows > MAX_ROWS:
            raise ArgumentError(
                f"SplineGrid: expected at most {MAX_ROWS} coefficients, got {num_rows}. Use fewer "
                "cells."
            )
        self.pieces = [_pieces(degree, order) for order in range(3)]
        first = torch.empty(num_rows, features).uniform_(-1e-4, 1e-4, generator=generator)
        self.table = nn.Parameter(first)

    @property
    def shape(self) -> tuple[int, ...]:
        """Coefficients along each axis; table rows are in row-major order, last axis fastest."""
        extra = self.degree if self.border == "free" else self.degree % 2
        return tuple(cells + extra for cells in self.cells)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        cell, axes = self._along_axes(x, order=0)
        return torch.einsum("...t,...tf->...f", self._product(axes, ()), self._rows(cell))

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        cell, axes = self._along_axes(x.value, order=2 if len(x.weights) else 1)
        steps = range(self.in_dim)
        value = self._product(axes, ())
        jacobian = torch.stack([self._product(axes, (a,)) for a in steps], dim=-1)
        if len(x.weights):
            pairs = [self._product(axes, pair) for pair in product(steps, repeat=2)]
            hessian = torch.stack(pairs, dim=-1).unflatten(-1, (self.in_dim, self.in_dim))
        else:
            hessian = value.new_zeros(()).expand(*jacobian.shape, self.in_dim)
        # Apply the chain rule to the few weights of each point, not to its many features.
        weights = rules.chain(x, value, jacobian, hessian).streams
        return Jet(torch.einsum("p...t,...tf->p...f", weights, self._rows(cell)), x.weights)

    def _along_axes(
        self, x: Float[Tensor, "*batch d"], order: int
    ) -> tuple[Int64[Tensor, "*batch d"], list[Float[Tensor, "*batch d taps"]]]:
        """Cell of each point, and the splines on each axis with their derivatives."""
        cells = torch.tensor(self.cells, dtype=x.dtype, device=x.device)
        position = (x + 1) * (cells / 2)
        # Any valid cell will do for NaN.
        cell = position.detach().floor().nan_to_num().clamp(0 * cells, cells - 1)
        local = (position - cell)[..., None]
        axes = []
        for k in range(order + 1):
            table = torch.tensor(self.pieces[k], dtype=x.dtype, device=x.device)
            found = table[0] + 0 * local
            for row in table[1:]:
                found = found * local + row
            axes.append(found * (cells[:, None] / 2) ** k)
        return cell.long(), axes

    def _product(self, axes: list[Tensor], along: tuple[int, ...]) -> Float[Tensor, "*batch taps"]:
        """Products of one spline per axis, differentiated along some axes."""
        found = axes[along.count(0)][..., 0, :]
        for axis in range(1, self.in_dim):
            factor = axes[along.count(axis)][..., axis, None, :]
            found = (found[..., :, None] * factor).flatten(-2)
        return found

    def _rows(self, cell: Int64[Tensor, "*batch d"]) -> Float[Tensor, "*batch taps f"]:
        """Coefficients around a cell, in the order of `_product`."""
        index = torch.zeros_like(cell[..., :1])
        for axis, count in enumerate(self.shape):
            step = cell[..., axis, None] + torch.arange(self.degree + 1, device=cell.device)
            if self.border == "mirror":
                step = _mirrored(step - self.degree // 2, self.cells[axis], self.degree % 2)
            index = (index[..., :, None] * count + step[..., None, :]).flatten(-2)
        rows = self.table.index_select(0, index.reshape(-1))
        return rows.reshape(*index.shape, self.features)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "resolution": self.resolution,
            "features": self.features,
            "degree": self.degree,
            "border": self.border,
        }


def _mirrored(index: Int64[Tensor, "..."], cells: int, odd: int) -> Int64[Tensor, "..."]:
    """Indices reflected at both ends: about a vertex for odd degrees, between two for even."""
    index = index.remainder(2 * cells)
    return torch.minimum(index, 2 * cells - 1 + odd - index)


def _pieces(degree: int, order: int) -> list[list[float]]:
    r"""Derivatives of the B-splines that are not zero on a cell, as polynomials on it.

    $p\,N_{k,p}(t) = (t + p - k)\,N_{k-1,p-1}(t) + (1 + k - t)\,N_{k,p-1}(t)$ for $t$ in [0, 1),
    where $k = 0$ is the one that ends in this cell.

    Returns:
        Coefficients of $t^j$ for every spline, the highest power first.
    """
    pieces = [Polynomial([1.0])]
    for p in range(1, degree + 1):
        lower = [Polynomial([0.0]), *pieces, Polynomial([0.0])]
        pieces = [
            (Polynomial([p - k, 1.0]) * lower[k] + Polynomial([1.0 + k, -1.0]) * lower[k + 1]) / p
            for k in range(p + 1)
        ]
    factors = [piece.deriv(order).coef if order else piece.coef for piece in pieces]
    powers = max(degree - order, 0) + 1
    return [
        [float(factor[j]) if j < len(factor) else 0.0 for factor in factors]
        for j in reversed(range(powers))
    ]
