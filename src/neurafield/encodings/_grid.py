"""Base class and helpers of grid encodings: lookup, resolution per axis, initial table."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis, owner_name
from ..derivatives import Jet, rules
from ..errors import ArgumentError
from ..kernels.grid import (
    FEATURES,
    INTERPOLATIONS,
    MAX_CELLS,
    MAX_DIM,
    Levels,
    grid_interpolate,
    grid_jet,
)
from ._base import AbstractEncoding

MAX_ROWS = 2**36
"""Maximum rows of a table: more than any memory holds, and far from overflowing 64-bit indices."""


class AbstractGrid(AbstractEncoding):
    """An encoding with one table, read through the grid kernel.

    A final subclass sets `levels`, `interpolation` and `sparse`, and implements `rows`. All its
    parameters are tables: each point reads few of their rows. At a level of detail, the features of
    finer levels are zero.
    """

    levels: Levels
    interpolation: str
    sparse: bool

    @abstractmethod
    def rows(self) -> Float[Tensor, "rows features"]:
        """Features of all vertices, level by level."""

    @property
    def num_lods(self) -> int:
        return len(self.levels.levels)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        levels = self.levels.first(self.lod + 1)
        y = grid_interpolate(
            x, self.rows(), levels, interpolation=self.interpolation, sparse=self.sparse
        )
        return with_finer(y, self.out_dim)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        found = table_jet(x, self.rows(), self.levels.first(self.lod + 1), self.interpolation)
        return Jet(with_finer(found.streams, self.out_dim), x.weights)

    def tables(self) -> list[Tensor]:
        return list(self.parameters())


def with_finer(y: Float[Tensor, "*batch c"], out_dim: int) -> Float[Tensor, "*batch out_dim"]:
    """Appends zeros for the features of the levels that are not read."""
    missing = out_dim - y.shape[-1]
    return nn.functional.pad(y, (0, missing)) if missing else y


def table_jet(
    x: Jet, table: Float[Tensor, "rows features"], levels: Levels, interpolation: str
) -> Jet:
    """Jet of `grid_interpolate`."""
    value, jacobian, hessian = grid_jet(x.value, table, levels, interpolation=interpolation)
    return rules.chain(x, value, jacobian, hessian)


def check_grid(
    owner: object, *, in_dim: object, features: object, interpolation: object, sparse: object
) -> None:
    """Check the arguments that all grids share."""
    check_count(owner, in_dim=in_dim, high=MAX_DIM)
    check_count(owner, features=features, high=max(FEATURES))
    if features not in FEATURES:
        raise ValueError(
            f"{owner_name(owner)}: expected features to be one of "
            f"{', '.join(map(str, FEATURES))}, got {features}."
        )
    check_interpolation(owner, interpolation)
    if not isinstance(sparse, bool):
        raise TypeError(f"{owner_name(owner)}: expected sparse to be a bool, got {sparse!r}.")


def check_interpolation(owner: object, interpolation: object) -> None:
    """Require an interpolation that the kernel supports."""
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"{owner_name(owner)}: expected interpolation to be {' or '.join(INTERPOLATIONS)}, "
            f"got {interpolation!r}."
        )


def resolution_per_axis(
    owner: object, in_dim: int, name: str, resolution: int | Sequence[int]
) -> tuple[int, ...]:
    """Cells along each axis, from one value for all axes or one per axis."""
    if isinstance(resolution, int):
        resolution = [resolution] * in_dim
    elif not isinstance(resolution, list | tuple):
        raise TypeError(
            f"{owner_name(owner)}: expected {name} to be an int or {in_dim} of them, "
            f"got {resolution!r}."
        )
    if len(resolution) != in_dim:
        raise ValueError(
            f"{owner_name(owner)}: expected {name} to have {in_dim} values, one per axis, "
            f"got {len(resolution)}."
        )
    for cells in resolution:
        check_count(owner, high=MAX_CELLS, **{name: cells})
    return tuple(resolution)


def plain(resolution: int | Sequence[int]) -> int | list[int]:
    """A resolution in JSON, as the caller gave it."""
    return [*resolution] if isinstance(resolution, Sequence) else resolution


def check_rows(owner: object, levels: Levels) -> None:
    """Require a table that could fit into some memory."""
    if levels.num_rows > MAX_ROWS:
        raise ArgumentError(
            f"{owner_name(owner)}: expected at most {MAX_ROWS} rows, got {levels.num_rows}. "
            "Use fewer cells."
        )


def new_table(
    owner: object,
    levels: Levels,
    features: int,
    generator: torch.Generator | None,
    bounds: tuple[float, float] = (-1e-4, 1e-4),
) -> nn.Parameter:
    """A table with rows drawn uniformly between two bounds (default: those of instant-ngp)."""
    check_rows(owner, levels)
    return nn.Parameter(
        torch.empty(levels.num_rows, features).uniform_(*bounds, generator=generator)
    )
