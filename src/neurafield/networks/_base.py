"""The type of a network, and its one building block."""

import torch
from torch import nn

from .._component import AbstractComponent


class AbstractNetwork(AbstractComponent):
    """A trained map from `in_dim` coordinates or features to `out_dim` values."""


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
