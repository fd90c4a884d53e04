"""Penalty on the Lipschitz bound of a field."""

import torch
from torch import Tensor, nn

from ..networks import Lipschitz
from .problem import Penalty


def lipschitz_penalty(weight: float) -> Penalty:
    r"""A penalty $\alpha L$ that keeps the slope of a field small.

    $L$ is the bound of the field's `networks.Lipschitz`, or the sum over several such networks. It
    costs almost nothing, since no point passes through the field.

    Args:
        weight: Weight $\alpha$; 1e-6 to 1e-4 beside squared distances, since $L$ is large at first
            (thousands).

    Raises:
        ValueError: If the weight is not positive; in `fit`, if the field has no such network.

    Example:
        >>> from neurafield import Field, networks, signals
        >>> from neurafield.fit import Constraint, fit
        >>> field = Field(networks.Lipschitz(1, 1, width=8, depth=1))
        >>> before = field.lipschitz_bound()
        >>> data = Constraint(signal=signals.Samples(torch.zeros(1, 1), torch.zeros(1, 1)))
        >>> result = fit(field, [data, lipschitz_penalty(1e-3)], steps=20, lr=1e-2)
        >>> field.lipschitz_bound() < before
        True

    Reference:
        Liu et al., Learning Smooth Neural Functions via Lipschitz Regularization, SIGGRAPH 2022,
        equation 8.
    """
    return Penalty(function=_total_bound, weight=weight, name="lipschitz")


def _total_bound(field: nn.Module) -> Tensor:
    """Sum of the bounds of all `networks.Lipschitz` in a field."""
    bounds = [module.bound() for module in field.modules() if isinstance(module, Lipschitz)]
    if not bounds:
        raise ValueError(
            f"lipschitz_penalty: expected a field with a networks.Lipschitz, got "
            f"{type(field).__name__}."
        )
    return torch.stack(bounds).sum()
