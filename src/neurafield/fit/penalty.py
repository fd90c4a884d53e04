"""Constraints on a field's parameters alone."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..maps import AbstractMap
from ..networks import Lipschitz
from ..signals import Samples
from .losses import l1
from .problem import Constraint


def lipschitz_penalty(weight: float) -> Constraint:
    r"""A constraint that keeps the slope of a field small: $\alpha L$ in the loss.

    $L$ is the bound of its `networks.Lipschitz`; of several such networks, the sum. Costs next to
    nothing: no point passes through the field.

    Args:
        weight: $\alpha$. $L$ has no unit of the data, and is large at first (thousands): 1e-6 to
            1e-4 beside squared distances.

    Raises:
        ValueError: If the weight is not positive; in `fit`, if the field has no such network.

    Example:
        >>> from neurafield import Field, networks, signals
        >>> field = Field(networks.Lipschitz(1, 1, width=8, depth=1))
        >>> before = field.lipschitz_bound()
        >>> data = Constraint(signal=signals.Samples(torch.zeros(1, 1), torch.zeros(1, 1)))
        >>> from neurafield.fit import fit
        >>> result = fit(field, [data, lipschitz_penalty(1e-3)], steps=20, lr=1e-2)
        >>> field.lipschitz_bound() < before
        True

    Reference:
        Liu et al., Learning Smooth Neural Functions via Lipschitz Regularization, SIGGRAPH 2022,
        equation 8.
    """
    # What was observed is one thing, that the bound is zero.
    nothing = Samples(torch.zeros(1, 1), torch.zeros(1, 1))
    return Constraint(signal=nothing, map=_Bound(), loss=l1, weight=weight, name="lipschitz")


class _Bound(AbstractMap):
    """The bound of a field's slope, wherever it is asked for."""

    def __call__(self, field: Callable[[Tensor], Tensor], query: Any) -> Float[Tensor, "n 1"]:
        modules = field.modules() if isinstance(field, nn.Module) else ()
        bounds = [module.bound() for module in modules if isinstance(module, Lipschitz)]
        if not bounds:
            raise ValueError(
                f"lipschitz_penalty: expected a field with a networks.Lipschitz in it, got "
                f"{type(field).__name__}."
            )
        return torch.stack(bounds).sum().expand(len(query), 1)
