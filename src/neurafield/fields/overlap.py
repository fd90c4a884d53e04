"""Rules that combine the values of overlapping fields in a scene.

Notation: $m$ values for $n$ queries; `rows` holds the index of each value's query. The first axis
is the streams of a jet.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class AbstractOverlap(ABC):
    """Interface of rules that combine the values of several fields at a query.

    Where a query is outside the box of a field, the field has no value, or, if values are signed
    distances, the distance to its box.
    """

    distances: bool = False
    """True if values are signed distances, which are scaled with their field."""

    @abstractmethod
    def join(
        self,
        values: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        inside: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        """One value per query.

        Args:
            values: Streams of jets. The first value of each query belongs to no field: it is
                infinite for distances, else zero.
            rows: Index of the query of each value.
            inside: Mask of the values of fields whose box contains the query.
            count: Number of queries.
        """

    def hyperparams(self) -> dict[str, Any]:
        """Keyword arguments, as JSON values, that build the rule again."""
        return {}


class Minimum(AbstractOverlap):
    """The minimum of signed distances, which is that of the union of all solids.

    A query in no box gets the distance to the nearest box. If solids are inside their boxes, this
    is at most the distance to any solid, so a sphere tracer never steps too far. The value is zero
    on the face of a box and jumps up behind it, so a tracer must count the face as inside, or it
    stops there. NaN from any field gives NaN, since unknown is not empty.
    """

    distances = True

    def join(
        self,
        values: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        inside: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        value = values[0, :, 0].detach().nan_to_num(-torch.inf, torch.inf, -torch.inf)
        least = value.new_full((count,), torch.inf).scatter_reduce(0, rows, value, "amin")
        indices = torch.arange(rows.shape[0], device=rows.device)
        # The last of equal ones.
        winner = torch.where(value == least[rows], indices, 0)
        winner = rows.new_zeros(count).scatter_reduce(0, rows, winner, "amax")
        return values[:, winner]


class _AbstractTotal(AbstractOverlap):
    """The sum of values over a divisor."""

    def __init__(self, *, outside: float = 0.0) -> None:
        self.outside = float(outside)

    def join(
        self,
        values: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        inside: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        shape = (values.shape[0], count, values.shape[2])
        num_fields = values.new_zeros(count).index_add(0, rows, inside.to(values))[:, None]
        total = values.new_zeros(shape).index_add(1, rows, values) / self._divisor(num_fields)
        first = torch.where(num_fields > 0, total[:1], self.outside)
        return torch.cat([first, total[1:]])

    @abstractmethod
    def _divisor(self, num_fields: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        """Divisor at queries in the boxes of `num_fields` fields."""

    def hyperparams(self) -> dict[str, Any]:
        return {"outside": self.outside}


class Sum(_AbstractTotal):
    """The sum of values, as for densities.

    Args:
        outside: Value at queries in no box.
    """

    def _divisor(self, num_fields: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        return torch.ones_like(num_fields)


class Mean(_AbstractTotal):
    """The mean of values, as for colours.

    Args:
        outside: Value at queries in no box.
    """

    def _divisor(self, num_fields: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        return num_fields.clamp(min=1)
