"""Maps that observe derivatives of a field."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import operators
from ..derivatives.operators import Function
from ._base import AbstractMap


class Jacobian(AbstractMap):
    """First derivatives of each channel with respect to each coordinate.

    Example:
        >>> Jacobian()(torch.sin, torch.zeros(3, 2)).shape
        torch.Size([3, 2, 2])
    """

    def __call__(
        self, field: Function, query: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch c d"]:
        return operators.jacobian(field, query)


class ValueAndGradient(AbstractMap):
    """Value and gradient of a field with one channel, at the cost of the gradient.

    Example:
        >>> ValueAndGradient()(lambda x: x.sum(-1, keepdim=True), torch.zeros(3, 2)).tolist()[0]
        [0.0, 1.0, 1.0]
    """

    def __call__(
        self, field: Function, query: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch _"]:
        value, slopes = operators.value_and_jacobian(field, query)
        return torch.cat([value, operators.gradient_of(slopes)], dim=-1)


class Laplacian(AbstractMap):
    """Laplacian of each channel: the sum of its pure second derivatives.

    Example:
        >>> Laplacian()(torch.sin, torch.zeros(3, 2)).shape
        torch.Size([3, 2])
    """

    def __call__(
        self, field: Function, query: Float[Tensor, "*batch d"]
    ) -> Float[Tensor, "*batch c"]:
        return operators.laplacian(field, query)
