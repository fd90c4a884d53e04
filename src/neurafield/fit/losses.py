"""Losses: how far a prediction is from its target. All are means over points and channels."""

from jaxtyping import Float
from torch import Tensor


def mse(
    prediction: Float[Tensor, "*batch c"], target: Float[Tensor, "*batch c"]
) -> Float[Tensor, ""]:
    """Mean squared error.

    Example:
        >>> mse(torch.zeros(4, 1), torch.full((4, 1), 2.0)).item()
        4.0
    """
    return (prediction - target).square().mean()


def l1(
    prediction: Float[Tensor, "*batch c"], target: Float[Tensor, "*batch c"]
) -> Float[Tensor, ""]:
    """Mean absolute error: less drawn to outliers than `mse`.

    Example:
        >>> l1(torch.zeros(4, 1), torch.full((4, 1), 2.0)).item()
        2.0
    """
    return (prediction - target).abs().mean()
