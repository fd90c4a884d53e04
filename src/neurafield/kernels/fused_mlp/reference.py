"""The truth: plain torch, any device and precision, differentiable to any order."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    # In the order of the enumeration in native/kernels.hpp.
    "Sine": torch.sin,
    "ReLU": torch.relu,
    "Tanh": torch.tanh,
    "Sigmoid": torch.sigmoid,
    "SiLU": F.silu,
    "Softplus": F.softplus,
    "GELU": F.gelu,
}


def fused_mlp(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    scales: Sequence[float],
) -> Tensor:
    """See the dispatching function."""
    function = FUNCTIONS[activation]
    for weight, bias, scale in zip(weights[:-1], biases[:-1], scales, strict=True):
        if scale != 1:
            # s (W h + b) as (s W) h + s b: two passes fewer over the points.
            weight, bias = scale * weight, scale * bias
        x = function(F.linear(x, weight, bias))
    return F.linear(x, weights[-1], biases[-1])
