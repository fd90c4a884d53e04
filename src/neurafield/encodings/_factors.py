"""Base class of plane and tensor factor encodings: grids over some of the coordinates, combined."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis, owner_name
from ..derivatives import Jet
from ..kernels.grid import FEATURES, MAX_LEVELS, Levels, grid_interpolate, make_levels
from ._base import AbstractEncoding
from ._grid import new_table, table_jet, with_finer

MAX_AXES = 2
"""Maximum number of coordinates per factor: a line has one, a plane two."""


class AbstractFactors(AbstractEncoding):
    """Lines and planes of features, each over some of the coordinates, combined per point.

    A final subclass sets the interpolation and three lists with one entry per factor, and
    implements how features and jets are combined. Each parameter is a table. At a level of detail,
    the features of finer levels are zero.
    """

    axes: list[tuple[int, ...]]
    levels: list[Levels]
    factors: nn.ParameterList
    interpolation: str
    num_levels: int = 1

    @property
    def num_lods(self) -> int:
        return self.num_levels

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        y = self._combine(
            [
                grid_interpolate(chosen(x, axes), table, levels, interpolation=self.interpolation)
                for axes, table, levels in self._read()
            ]
        )
        return with_finer(y, self.out_dim)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        y = self._combine_jets(
            [
                table_jet(
                    Jet(chosen(x.streams, axes), x.weights), table, levels, self.interpolation
                )
                for axes, table, levels in self._read()
            ]
        )
        return Jet(with_finer(y.streams, self.out_dim), x.weights)

    def _read(self) -> Iterator[tuple[tuple[int, ...], Tensor, Levels]]:
        """Coordinates, table and levels to read of each factor."""
        for axes, table, levels in zip(self.axes, self.factors, self.levels, strict=True):
            blocks = len(levels.levels) // self.num_levels
            yield axes, table, levels.first(blocks * (self.lod + 1))

    def tables(self) -> list[Tensor]:
        return list(self.factors)

    @abstractmethod
    def _combine(
        self, features: list[Float[Tensor, "*batch f"]]
    ) -> Float[Tensor, "*batch out_dim"]:
        """Combines the features of all factors into the output."""

    @abstractmethod
    def _combine_jets(self, features: list[Jet]) -> Jet:
        """Combines the jets of all factors into the jet of the output."""


def chosen(x: Float[Tensor, "*batch d"], axes: tuple[int, ...]) -> Float[Tensor, "*batch m"]:
    """View of one or two of the coordinates."""
    first, last = axes[0], axes[-1]
    return x[..., first : last + 1 : max(1, last - first)]


def check_features(owner: object, *, num_levels: int = 1, **named: int) -> None:
    """Require channels that fill whole rows of a factor, and no more than the kernel supports."""
    (name, features), *_ = named.items()
    widest = max(FEATURES)
    check_count(owner, high=widest * MAX_LEVELS // num_levels, **named)
    if features not in FEATURES and features % widest:
        raise ValueError(
            f"{owner_name(owner)}: expected {name} to be {', '.join(map(str, FEATURES))} or a "
            f"multiple of {widest}, got {features}."
        )


def new_factor(
    owner: object,
    resolutions: Sequence[Sequence[int]],
    features: int,
    bounds: tuple[float, float],
    generator: torch.Generator | None,
) -> tuple[Levels, nn.Parameter]:
    """Levels and table of one factor, with values drawn uniformly between two bounds.

    Kernel rows have at most 8 features. More features become several levels of the same cells.
    """
    width = min(features, max(FEATURES))
    repeated = [cells for cells in resolutions for _ in range(features // width)]
    levels = make_levels(repeated, max_rows=None)
    return levels, new_table(owner, levels, width, generator, bounds)
