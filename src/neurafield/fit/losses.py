"""Losses of a prediction against its target. All are means over points and channels."""

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


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
    """Mean absolute error, less sensitive to outliers than `mse`.

    Example:
        >>> l1(torch.zeros(4, 1), torch.full((4, 1), 2.0)).item()
        2.0
    """
    return (prediction - target).abs().mean()


def relative_l1(
    prediction: Float[Tensor, "*batch c"], target: Float[Tensor, "*batch c"]
) -> Float[Tensor, ""]:
    """Mean of |prediction - target| / (|target| + 0.01), for distances: precise near the surface.

    Example:
        >>> round(relative_l1(torch.zeros(4, 1), torch.full((4, 1), 0.99)).item(), 6)
        0.99

    Reference:
        Müller et al., Instant Neural Graphics Primitives, SIGGRAPH 2022, section 5.2 and their
        code, where it is called mean absolute percentage error.
    """
    return ((prediction - target).abs() / (target.abs() + 0.01)).mean()


def binary_cross_entropy(
    prediction: Float[Tensor, "*batch c"], target: Float[Tensor, "*batch c"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy with logits; targets are 0 or 1.

    Example:
        >>> round(binary_cross_entropy(torch.zeros(4, 1), torch.ones(4, 1)).item(), 4)
        0.6931
    """
    return functional.binary_cross_entropy_with_logits(prediction, target)
