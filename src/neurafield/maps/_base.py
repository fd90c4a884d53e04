"""The interface of a map."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor


class AbstractMap(ABC):
    """A forward map: what would be observed at a query if the field were true.

    A map with unknowns of its own, such as the pose of a camera, is a `torch.nn.Module` as well:
    `class Posed(AbstractMap, nn.Module)`. `fit` then trains its parameters with the field.
    """

    cuts: ClassVar[bool] = True
    """Whether predictions belong to queries one by one, so that a batch can be cut into parts.

    False for a map that needs the whole query at once, such as a Fourier transform.
    """

    @abstractmethod
    def __call__(self, field: Callable[[Tensor], Tensor], query: Any) -> Any:
        """Predicts the target.

        Args:
            field: Field from coordinates `(*batch, in_dim)` to values `(*batch, out_dim)`.
            query: Query that the signal drew: a tensor, or another `signals.Query`.
        """

    def fingerprint(self) -> str:
        """A text that differs for maps that fit differently: a run is resumed with an equal one."""
        return type(self).__name__
