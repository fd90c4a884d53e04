"""Base class of MLP, Siren and Finer: affine layers with activations between them."""

import itertools
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .. import activations
from .._checks import check_last_axis
from .._component import build
from ..activations import AbstractActivation
from ..derivatives import Jet, rules
from ..kernels import fused_mlp as value_kernel
from ..kernels import fused_mlp_jet as jet_kernel
from ._base import AbstractNetwork, has_hooks, is_plain, uniform_linear


class AbstractPerceptron(AbstractNetwork):
    r"""$h_0 = x,\ h_i = f_i(W_i h_{i-1} + b_i),\ y = W_{d+1} h_d + b_{d+1}$.

    A final subclass builds `layers` and `activations`, one less than layers. A single kernel
    evaluates the network if it supports every activation and all layers are plain affine maps.
    Otherwise (layers replaced, parametrized or with hooks) they are called one by one.
    """

    layers: nn.ModuleList
    activations: nn.ModuleList

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        name = self._kernel() if self._is_plain() else ""
        if name in value_kernel.ACTIVATIONS:
            weights, biases, scales = self._scaled()
            return value_kernel.fused_mlp(x, weights, biases, activation=name, scales=scales)
        *hidden, last = self.layers
        for layer, activation in zip(hidden, self.activations, strict=True):
            x = activation(layer(x))
        return last(x)

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        if not self._is_plain():
            return super().jet(x)
        name = self._kernel()
        if name not in jet_kernel.ACTIVATIONS:
            last = self._layers[-1]
            return rules.linear(self.hidden_jet(x), last.weight, last.bias)
        weights, biases, scales = self._scaled()
        streams = jet_kernel.fused_mlp_jet(
            x.streams, weights, biases, mix=x.weights, activation=name, scales=scales
        )
        return Jet(streams, x.weights)

    def hidden_jet(self, x: Jet) -> Jet:
        """Jet of the last hidden layer, the input of the last affine layer.

        Raises:
            ValueError: If layers or activations were replaced, parametrized or given hooks.
        """
        if not self._is_plain():
            raise ValueError(f"{type(self).__name__}.hidden_jet: expected its own layers.")
        for layer, activation in zip(self._layers, self._activations, strict=False):
            x = activate(rules.linear(x, layer.weight, layer.bias), activation)
        return x

    @property
    def _layers(self) -> list[nn.Linear]:
        return cast(list[nn.Linear], list(self.layers))

    @property
    def _activations(self) -> list[AbstractActivation]:
        return cast(list[AbstractActivation], list(self.activations))

    def _is_plain(self) -> bool:
        return all(map(is_plain, self.layers)) and all(
            isinstance(f, AbstractActivation) and not has_hooks(f) for f in self.activations
        )

    def _kernel(self) -> str:
        """Name by which kernels know all activations, or ""."""
        names = {known[0] if known else "" for known in (f.kernel() for f in self._activations)}
        return names.pop() if len(names) == 1 else ""

    def _scaled(self) -> tuple[list[Tensor], list[Tensor], list[float]]:
        """Weights, biases and factors for the kernel, with trained factors multiplied in."""
        weights: list[Tensor] = [layer.weight for layer in self._layers]
        biases: list[Tensor] = [layer.bias for layer in self._layers]
        scales = []
        for index, activation in enumerate(self._activations):
            known = activation.kernel()
            assert known is not None
            factor = known[1]
            if isinstance(factor, Tensor):
                weights[index], biases[index] = factor * weights[index], factor * biases[index]
                factor = 1.0
            scales.append(factor)
        return weights, biases, scales


def chosen_activation(given: AbstractActivation | dict[str, Any] | str) -> AbstractActivation:
    """An activation, from an instance, its class name or its description."""
    if isinstance(given, str):
        given = {"type": given, "hyperparams": {}}
    return build(activations, AbstractActivation, given)


def shortest(spec: dict[str, Any]) -> dict[str, Any] | str:
    """The description of an activation, or just its class name if it has no hyper-parameters."""
    return spec if spec["hyperparams"] else spec["type"]


def activate(x: Jet, activation: AbstractActivation) -> Jet:
    """Applies an activation to every channel of a jet."""
    value, slope, curvature = activation.derivatives(x.value)
    return rules.elementwise(x, lambda _: value, lambda _: slope, lambda _: curvature)


def initial_layers(
    sizes: Sequence[int],
    activations: Sequence[AbstractActivation],
    *,
    output_bound: float,
    generator: torch.Generator | None,
) -> nn.ModuleList:
    """Affine layers between the given sizes, initialised as the activations after them specify."""
    layers = [
        uniform_linear(
            fan_in,
            fan_out,
            weight_bound=activation.weight_bound(fan_in, first=not index),
            bias_bound=activation.bias_bound(fan_in, first=not index),
            generator=generator,
        )
        for index, ((fan_in, fan_out), activation) in enumerate(
            zip(itertools.pairwise(sizes[:-1]), activations, strict=True)
        )
    ]
    fan_in, fan_out = sizes[-2:]
    last = uniform_linear(
        fan_in,
        fan_out,
        weight_bound=output_bound,
        bias_bound=fan_in**-0.5,
        generator=generator,
    )
    return nn.ModuleList([*layers, last])
