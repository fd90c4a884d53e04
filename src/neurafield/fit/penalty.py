"""Penalties on a field's parameters."""

import torch
from torch import Tensor, nn

from ..networks import Lipschitz
from .problem import Penalty


def lipschitz_penalty(weight: float) -> Penalty:
    r"""A penalty that keeps the slope of a field small: $\alpha L$ in the loss.

    $L$ is the bound of its `networks.Lipschitz`; of several such networks, the sum. It costs next
    to nothing, for no point passes through the field.

    Args:
        weight: Weight $\alpha$. $L$ has no unit of the data, and is large at first (thousands):
            1e-6 to 1e-4 beside squared distances.

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
    """The sum of the bounds of all `networks.Lipschitz` in a field."""
    bounds = [module.bound() for module in field.modules() if isinstance(module, Lipschitz)]
    if not bounds:
        raise ValueError(
            f"lipschitz_penalty: expected a field with a networks.Lipschitz in it, got "
            f"{type(field).__name__}."
        )
    return torch.stack(bounds).sum()
