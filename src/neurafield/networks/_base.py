"""The base class of networks, and their affine layers."""

import torch
from torch import nn

from .._component import AbstractComponent


class AbstractNetwork(AbstractComponent):
    """A trainable map from `in_dim` coordinates or features to `out_dim` values."""

    def lipschitz_bound(self) -> float | None:
        """Lipschitz constant of each value: it changes by at most this times the distance.

        None if no bound is known, as for most networks.
        """
        return None


def is_plain(layer: nn.Module) -> bool:
    """Returns True if a layer is just an affine map, so that a kernel may replace it."""
    return type(layer) is nn.Linear and layer.bias is not None and not has_hooks(layer)


def has_hooks(module: nn.Module) -> bool:
    """Returns True if calling the module also runs hooks."""
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
    """An affine layer drawn from U(-bound, bound), using `generator` only.

    `nn.Linear(...)` also draws from torch's global generator, which would change the random numbers
    of the calling code; on the meta device it draws nothing.
    """
    layer = nn.Linear(in_dim, out_dim, device="meta")
    weight, bias = torch.empty(out_dim, in_dim), torch.empty(out_dim)
    nn.init.uniform_(weight, -weight_bound, weight_bound, generator=generator)
    nn.init.uniform_(bias, -bias_bound, bias_bound, generator=generator)
    layer.weight, layer.bias = nn.Parameter(weight), nn.Parameter(bias)
    return layer
