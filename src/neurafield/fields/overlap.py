"""What a scene's value is where several of its fields, or none, have one.

Notation: $m$ answers, each for one of $n$ queries, in `rows`; a jet's streams are in front.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor


class AbstractOverlap(ABC):
    """A rule that makes one value of what several fields answer to a query.

    A final subclass says with `distances` whether values are signed distances. These are then
    scaled with their field, and a field whose box does not hold a query answers with the distance
    to its box; otherwise it does not answer.
    """

    distances: bool = False

    @abstractmethod
    def join(
        self,
        answers: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        held: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        """One value for each query.

        Args:
            answers: Streams of jets.
            rows: The query of each. For each query there is at least one answer, the first, which
                no field gave; its value is infinite for distances, else zero.
            held: Whether the answer is of a field whose box holds the query.
            count: Number of queries.
        """

    def hyperparams(self) -> dict[str, Any]:
        """JSON values that build it again."""
        return {}


class Minimum(AbstractOverlap):
    """Signed distances: the least one, which is that of all bodies together.

    Where a query is in no box the value is the distance to the nearest one: not more than that to
    any body, if bodies are inside their boxes. So a sphere tracer never steps too far; it has to
    count a box's face as inside, or it stops there. Between a box's face and the inside the value
    jumps up. Where a field answers NaN the value is NaN: what is not known is not empty.
    """

    distances = True

    def join(
        self,
        answers: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        held: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        value = answers[0, :, 0].detach().nan_to_num(-torch.inf, torch.inf, -torch.inf)
        least = value.new_full((count,), torch.inf).scatter_reduce(0, rows, value, "amin")
        numbers = torch.arange(rows.shape[0], device=rows.device)
        # Of equals the last.
        winner = torch.where(value == least[rows], numbers, 0)
        winner = rows.new_zeros(count).scatter_reduce(0, rows, winner, "amax")
        return answers[:, winner]


class _AbstractTotal(AbstractOverlap):
    """What the fields answer, added and divided."""

    def __init__(self, *, outside: float = 0.0) -> None:
        self.outside = float(outside)

    def join(
        self,
        answers: Float[Tensor, "p m c"],
        rows: Int64[Tensor, " m"],
        held: Bool[Tensor, " m"],
        count: int,
    ) -> Float[Tensor, "p n c"]:
        shape = (answers.shape[0], count, answers.shape[2])
        number = answers.new_zeros(count).index_add(0, rows, held.to(answers))[:, None]
        values = answers.new_zeros(shape).index_add(1, rows, answers) / self._divisor(number)
        first = torch.where(number > 0, values[:1], self.outside)
        return torch.cat([first, values[1:]])

    @abstractmethod
    def _divisor(self, number: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        """What to divide by where so many fields hold the query."""

    def hyperparams(self) -> dict[str, Any]:
        return {"outside": self.outside}


class Sum(_AbstractTotal):
    """The sum, as of densities.

    Args:
        outside: The value where a query is in no box.
    """

    def _divisor(self, number: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        return torch.ones_like(number)


class Mean(_AbstractTotal):
    """The mean, as of colours.

    Args:
        outside: The value where a query is in no box.
    """

    def _divisor(self, number: Float[Tensor, "n 1"]) -> Float[Tensor, "n 1"]:
        return number.clamp(min=1)
