"""The interface of maps."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor


class AbstractMap(ABC):
    """Interface of forward maps: predictions of what would be observed if the field were true.

    A map with unknowns of its own, such as the pose of a camera, derives from `torch.nn.Module`
    too: `class Posed(AbstractMap, nn.Module)`. `fit` then trains its parameters with the field.
    """

    cuts: ClassVar[bool] = True
    """True if each prediction depends on one query only, so that a batch can be cut into parts.

    False for a map that needs all queries at once, such as a Fourier transform.
    """

    @abstractmethod
    def __call__(self, field: Callable[[Tensor], Tensor], query: Any) -> Any:
        """Predicts the target.

        Args:
            field: Field from coordinates `(*batch, in_dim)` to values `(*batch, out_dim)`.
            query: Queries drawn from the signal: a tensor, or another `signals.Query`.
        """

    def fingerprint(self) -> str:
        """Text that identifies the map; a run can be resumed only if it is equal."""
        return type(self).__name__
