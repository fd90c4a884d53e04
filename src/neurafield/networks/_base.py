"""The type of a network, and its one building block."""

import torch
from torch import nn

from .._component import AbstractComponent


class AbstractNetwork(AbstractComponent):
    """A trained map from `in_dim` coordinates or features to `out_dim` values."""

    def lipschitz_bound(self) -> float | None:
        """L so that no value changes by more than L times the distance of two points.

        None where nothing is known, as of most networks.
        """
        return None


def is_plain(layer: nn.Module) -> bool:
    """Whether a layer is nothing but an affine map, so that others may do what it would."""
    return type(layer) is nn.Linear and layer.bias is not None and not has_hooks(layer)


def has_hooks(module: nn.Module) -> bool:
    """Whether something else happens when the module is called."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def uniform_linear(
    in_dim: int,
    out_dim: int,
    *,
    weight_bound: float,
    bias_bound: float,
    generator: torch.Generator | None,
) -> nn.Linear:
    """An affine layer drawn from U(-bound, bound), from `generator` and nothing else.

    `nn.Linear(...)` itself would also draw from torch's global generator, and so change the
    random numbers of the code around it; on the meta device it draws nothing.
    """
    layer = nn.Linear(in_dim, out_dim, device="meta")
    weight, bias = torch.empty(out_dim, in_dim), torch.empty(out_dim)
    nn.init.uniform_(weight, -weight_bound, weight_bound, generator=generator)
    nn.init.uniform_(bias, -bias_bound, bias_bound, generator=generator)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
