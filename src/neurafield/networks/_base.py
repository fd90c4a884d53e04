"""The type of a network, and its one building block."""

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from .._component import AbstractComponent
from ..derivatives import Jet, rules
from ..kernels.fused_mlp_jet.reference import DERIVATIVES, fused_mlp_jet


class AbstractNetwork(AbstractComponent):
    """A trained map from `in_dim` coordinates or features to `out_dim` values."""


def all_plain(layers: Iterable[nn.Module]) -> bool:
    """Whether layers are nothing but affine maps, so that one kernel may do what they would.

    Others are called one by one: layers that were replaced, parametrized or given hooks.
    """
    return all(
        type(layer) is nn.Linear and layer.bias is not None and not has_hooks(layer)
        for layer in layers
    )


def has_hooks(module: nn.Module) -> bool:
    """Whether something else happens when the module is called."""
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def hidden_jet(
    x: Jet, layers: Iterable[nn.Linear], *, activation: str, scales: Sequence[float]
) -> Jet:
    """The last hidden layer of a perceptron after `x`: what its last affine layer adds up."""
    *inner, _ = layers
    # The reference: this serves exact solves in float64, which the compiled kernels do not have.
    streams = fused_mlp_jet(
        x.streams,
        [layer.weight for layer in inner],
        [layer.bias for layer in inner],
        mix=x.weights,
        activation=activation,
        scales=scales[:-1],
    )
    z = Jet(scales[-1] * streams, x.weights)
    value, slope, curvature = DERIVATIVES[activation](z.value)
    return rules.elementwise(z, lambda _: value, lambda _: slope, lambda _: curvature)


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
