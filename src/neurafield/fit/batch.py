"""One batch of a constraint, as all solvers use it: draw, split, predict, check shapes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from ..maps import Residual
from ..signals import Query
from .problem import Constraint


@dataclass(frozen=True)
class Batch:
    """Queries and targets drawn from a constraint's signal.

    Args:
        owner: Name of the solver, for errors.
        constraint: Constraint that they belong to.
        query: Queries, one per target.
        target: Observed values.
    """

    owner: str
    constraint: Constraint
    query: Query
    target: Tensor

    @classmethod
    def draw(cls, owner: str, constraint: Constraint, size: int | None, **counters: int) -> "Batch":
        """Draws a batch.

        Args:
            owner: Name of the solver, for errors.
            constraint: Constraint to draw for.
            size: Number of samples; None for all.
            counters: `seed`, `step` and `stream` of the draw.
        """
        query, target = constraint.signal.batch(size, **counters)
        if not len(target):
            raise ValueError(
                f"{owner}: expected samples from the signal of constraint {constraint.name!r}, got "
                "none."
            )
        return cls(owner, constraint, query, target)

    def parts(self, size: int, like: Tensor) -> Iterator[tuple[Query, Tensor, float]]:
        """Yields queries, targets and share of the batch, at most `size` samples at a time.

        The batch is one part if its map needs the whole query at once (`map.cuts` is False) or
        its signal is trained.

        Args:
            size: Samples per part.
            like: Tensor whose device and dtype the queries and targets get.
        """
        count = len(self.target)
        if not self.constraint.map.cuts or isinstance(self.constraint.signal, nn.Module):
            yield self.query.to(like), self.target.to(like), 1.0
            return
        if len(self.query) != count:
            raise ValueError(
                f"{self.owner}: expected one target per query from constraint "
                f"{self.constraint.name!r}, got {count} targets for {len(self.query)} queries. A "
                "map that needs all queries at once sets `cuts = False`."
            )
        for start in range(0, count, size):
            part = slice(start, min(start + size, count))
            share = (part.stop - part.start) / count
            yield self.query[part].to(like), self.target[part].to(like), share

    def predict(self, field: Callable[[Tensor], Tensor], query: Query, target: Tensor) -> Tensor:
        """Prediction of the constraint's map from a field; see the function `predict`."""
        return predict(self.owner, self.constraint, field, query, target)

    def check_first(self, field: Callable[[Tensor], Tensor], like: Tensor) -> None:
        """Checks that the prediction at the first query has the shape of a target.

        Raises:
            ValueError: If it has not.
        """
        query, target, _ = next(self.parts(1, like))
        prediction = self.constraint.map(field, query)
        count = len(self.target) * len(prediction) // len(target)
        shape = (count, *prediction.shape[1:])
        _check_shape(self.owner, self.constraint, shape, tuple(self.target.shape))


def predict(
    owner: str,
    constraint: Constraint,
    field: Callable[[Tensor], Tensor],
    query: Query,
    target: Tensor,
) -> Tensor:
    """Prediction of a constraint's map from a field.

    Raises:
        ValueError: If its shape differs from the target's. Broadcasting would then compare wrong
            pairs without an error.
    """
    prediction: Tensor = constraint.map(field, query)
    _check_shape(owner, constraint, tuple(prediction.shape), tuple(target.shape))
    return prediction


def _check_shape(
    owner: str, constraint: Constraint, found: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    if found == expected:
        return
    hint = "Does the field's out_dim match the signal?"
    if len(found) == len(expected) == 2 and isinstance(constraint.map, Residual):
        hint = (
            "Keep the channel axis: x[:, :1] is (n, 1), x[:, 0] is not."
            if found[1] == found[0] == expected[0]
            else f"Give the signal as many columns: Interior(..., out_dim={found[1]})."
        )
    raise ValueError(
        f"{owner}: expected predictions of shape {expected} from {constraint.title}, got {found}. "
        f"{hint}"
    )
