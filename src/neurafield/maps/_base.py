"""The type of a map."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from torch import Tensor


class AbstractMap(ABC):
    """A forward map: what would be observed at a query if the field were true."""

    @abstractmethod
    def __call__(self, field: Callable[[Tensor], Tensor], query: Any) -> Any:
        """Predict the target.

        Args:
            field: From coordinates `(*batch, in_dim)` to values `(*batch, out_dim)`.
            query: What the signal drew.
        """

    def fingerprint(self) -> str:
        """What tells this map from others: a run goes on with an equal one only."""
        return type(self).__name__
