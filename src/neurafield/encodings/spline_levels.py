"""Multilevel preconditioning of spline grids: coefficients as a sum over levels."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import comb, prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .._checks import check_count
from .spline_grid import SplineGrid


@contextmanager
def multilevel(grid: SplineGrid, *, order: int = 0) -> Iterator[None]:
    r"""Reparametrise a spline grid by a pyramid of coefficients inside a `with` block.

    $c = \sum_l s_l\, R^l q_l$, where $R$ refines coefficients to cells of half the size without
    changing the spline. $q_0$ starts at the grid's coefficients, the coarser $q_l$ at zero. A
    derivative of order $k$ of the splines with cells of size $h$ has a mean square of $h^{d - 2k}$;
    the scales $s_l = 2^{l (k - d/2)}$ make it equal on all levels, so that every gradient step
    moves all of them. On a plain grid, each step spreads information by a few cells only, so a fit
    takes as many steps as an axis has cells; with levels it takes a few dozen. Afterwards the grid
    is plain again, with the sum as its coefficients.

    Args:
        grid: Spline grid whose `table` is reparametrised.
        order: Order $k$ of the observed derivatives: 0 for values, 1 for gradients, 2 for
            Laplacians.

    Example:
        >>> grid = SplineGrid(1, resolution=8)
        >>> with multilevel(grid, order=1):
        ...     [len(level) for level in grid.parameters()]
        [10, 6, 4, 3]
        >>> [len(table) for table in grid.parameters()]
        [10]

    Reference:
        Bramble, Pasciak and Xu, Parallel Multilevel Preconditioners, Mathematics of Computation
        1990, equation 1.4: gradient steps on $q$ are steps on $c$ with their preconditioner.
    """
    check_count("multilevel", low=0, high=2, order=order)
    parametrize.register_parametrization(grid, "table", _Levels(grid, order))
    try:
        yield
    finally:
        parametrize.remove_parametrizations(grid, "table", leave_parametrized=True)


class _Levels(nn.Module):
    """Maps the coefficients of all levels, finest first, to those of the grid."""

    def __init__(self, grid: SplineGrid, order: int) -> None:
        super().__init__()
        self.degree, self.shape = grid.degree, grid.shape
        # With mirrored borders the grid keeps the inner part of the sum.
        self.margin = grid.degree // 2 if grid.border == "mirror" else 0
        self.scale = 2.0 ** (order - grid.in_dim / 2)
        self.cells = [grid.cells]
        while max(self.cells[-1]) > 1:
            self.cells.append(tuple(-(-cells // 2) for cells in self.cells[-1]))

    def forward(self, finest: Tensor, *coarser: Tensor) -> Float[Tensor, "rows f"]:
        found: Tensor | None = None
        for level in range(len(coarser), 0, -1):
            own = coarser[level - 1].unflatten(0, self._shape(level)) * self.scale**level
            found = own if found is None else found + own
            found = refine(found, self.cells[level - 1], self.degree)
        if found is None:
            return finest
        for axis, count in enumerate(self.shape):
            found = found.narrow(axis, self.margin, count)
        return finest + found.flatten(0, -2)

    def right_inverse(self, table: Tensor) -> list[Tensor]:
        levels = range(1, len(self.cells))
        return [table, *(table.new_zeros(prod(self._shape(n)), table.shape[1]) for n in levels)]

    def _shape(self, level: int) -> tuple[int, ...]:
        return tuple(cells + self.degree for cells in self.cells[level])


def refine(
    coefficients: Float[Tensor, "..."], cells: tuple[int, ...], degree: int
) -> Float[Tensor, "..."]:
    r"""Coefficients of the same spline on cells of half the size.

    $B_p(t) = 2^{-p} \sum_j \binom{p+1}{j}\, B_p(2t - j)$.

    Args:
        coefficients: Coefficients of a grid with free borders: one axis per coordinate, then
            features.
        cells: Cells of the finer grid along each axis; the coarse one has half as many, rounded up,
            so its last cell may extend outside.
        degree: Degree of the splines.

    Returns:
        `cells + degree` coefficients along each axis.
    """
    shares = [comb(degree + 1, j) / 2**degree for j in range(degree + 2)]
    for axis, count in enumerate(cells):
        coarse = coefficients.movedim(axis, 0)
        halves = []
        for first in (0, 1):
            # Fine coefficient i gets the share j of the coarse coefficient I with 2 I = i + degree
            # - j.
            ahead, odd = divmod(first + degree, 2)
            size = (count + degree + 1 - first) // 2
            parts = [
                shares[j] * coarse.narrow(0, ahead - j // 2, size)
                for j in range(odd, degree + 2, 2)
            ]
            halves.append(torch.stack(parts).sum(0))
        if len(halves[1]) < len(halves[0]):
            halves[1] = torch.cat([halves[1], halves[1][-1:]])  # Cut off below.
        fine = torch.stack(halves, dim=1).flatten(0, 1)[: count + degree]
        coefficients = fine.movedim(0, axis)
    return coefficients
