"""Maps that observe derivatives of a field."""

from jaxtyping import Float
from torch import Tensor

from ..derivatives import operators
from ..derivatives.operators import Function
from ._base import AbstractMap


class Jacobian(AbstractMap):
    """All first derivatives: each channel's by each coordinate.

    Example:
        >>> Jacobian()(torch.sin, torch.zeros(3, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __call__(
        self, field: Function, query: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch c d"]:
        return operators.jacobian(field, query)


class Laplacian(AbstractMap):
    """The sum of pure second derivatives, for each channel.

    Example:
        >>> Laplacian()(torch.sin, torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """

    def __call__(
        self, field: Function, query: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch c"]:
        return operators.laplacian(field, query)
