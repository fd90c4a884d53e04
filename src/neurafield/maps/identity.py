"""Direct observation of a field."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from ._base import AbstractMap


class Identity(AbstractMap):
    """The field's values at the query.

    Example:
        >>> Identity()(torch.sin, torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """

    def __call__(
        self, field: Callable[[Tensor], Tensor], query: Float[Tensor, "*batch in_dim"]
    ) -> Float[Tensor, "*batch out_dim"]:
        return field(query)
