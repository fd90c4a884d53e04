"""Values and derivatives through a perceptron, against nested autograd in float64."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from neurafield.kernels.fused_mlp_jet import ACTIVATIONS, fused_mlp_jet

from .levels import level  # noqa: F401
from .test_fused_mlp import ORACLE, check_close

LAPLACIAN = "laplacian"


@dataclass
class JetProblem:
    """A perceptron, and curves through its inputs with given derivatives.

    The inputs are h(t) = value + J t + H t^2 / 2 at t = 0, so what is known of them is their value
    (n, in), first derivatives J (d, n, in) and second derivatives H (d, n, in).
    """

    dims: list[int]
    activation: str
    num_points: int
    d: int = 2
    mix: Tensor | str = LAPLACIAN
    scale: float = 1.0
    seed: int = 0
    leaves: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.seed)
        if isinstance(self.mix, str):
            self.mix = torch.ones(1, self.d)
        n, pairs = self.num_points, list(zip(self.dims[:-1], self.dims[1:], strict=True))
        # What enters the activation is of size 1: more would make the problem chaotic.
        size = [1 / self.scale] * (len(pairs) - 1) + [1.0]
        self.scales = [self.scale] * (len(pairs) - 1)
        value = torch.rand(n, self.dims[0], generator=g) * 2 - 1
        first = torch.randn(self.d, n, self.dims[0], generator=g)
        second = torch.randn(self.d, n, self.dims[0], generator=g)
        weights = [
            torch.randn(o, i, generator=g) / math.sqrt(i) * s
            for (i, o), s in zip(pairs, size, strict=True)
        ]
        biases = [torch.randn(o, generator=g) * s for (_, o), s in zip(pairs, size, strict=True)]
        self.leaves = [value, first, second, *weights, *biases]
        num_streams = 1 + self.d + len(self.mix)
        self.grad_y = torch.randn(num_streams, n, self.dims[-1], generator=g)

    def measured(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Streams and all gradients, from the library."""
        leaves = [t.to(dtype).clone().requires_grad_() for t in self.leaves]
        value, first, second, *parameters = leaves
        mix = self.mix.to(dtype)
        streams = torch.cat([value[None], first, torch.tensordot(mix, second, dims=1)])
        middle = len(parameters) // 2
        y = fused_mlp_jet(
            streams,
            parameters[:middle],
            parameters[middle:],
            mix=mix,
            activation=self.activation,
            scales=self.scales,
        )
        y.backward(self.grad_y.to(dtype))
        return self._named(y.detach(), [leaf.grad for leaf in leaves])

    def expected(self) -> dict[str, Tensor]:
        """The same from autograd in float64, which differentiates twice along t."""
        leaves = [t.double().requires_grad_() for t in self.leaves]
        value, first, second, *parameters = leaves
        middle, mix = len(parameters) // 2, self.mix.double()
        t = torch.zeros(self.d, self.num_points, 1, dtype=torch.float64, requires_grad=True)
        h = value + (first * t + second * t.square() / 2).sum(0)
        weights, biases = parameters[:middle], parameters[middle:]
        for weight, bias, scale in zip(weights[:-1], biases[:-1], self.scales, strict=True):
            h = ORACLE[self.activation](scale * (h @ weight.mT + bias))
        y = h @ weights[-1].mT + biases[-1]
        slopes, curvatures = [], []
        for channel in y.unbind(-1):
            (slope,) = torch.autograd.grad(channel.sum(), t, create_graph=True)
            slopes.append(slope[..., 0])
            curvature = [
                torch.autograd.grad(slope[k].sum(), t, create_graph=True)[0][k, :, 0]
                if slope.requires_grad
                else torch.zeros(self.num_points, dtype=torch.float64)
                for k in range(self.d)
            ]
            curvatures.append(torch.stack(curvature))
        sums = torch.tensordot(mix, torch.stack(curvatures, -1), dims=1)
        streams = torch.cat([y[None], torch.stack(slopes, -1), sums])
        streams.backward(self.grad_y.double())
        return self._named(streams.detach(), [leaf.grad for leaf in leaves])

    def _named(self, streams: Tensor, grads: list[Tensor | None]) -> dict[str, Tensor]:
        d = self.d
        found = {"values": streams[0], "first": streams[1 : d + 1], "second": streams[d + 1 :]}
        middle = (len(grads) - 3) // 2
        names = ["grad value", "grad first", "grad second"]
        names += [f"grad weight {i}" for i in range(middle)]
        names += [f"grad bias {i}" for i in range(middle)]
        return found | {n: g for n, g in zip(names, grads, strict=True) if g is not None}


SMOOTH = [a for a in ACTIVATIONS if a != "ReLU"]

MIXES = {
    "laplacian": torch.ones(1, 3),
    "each by itself": torch.eye(3),
    "first order": torch.zeros(0, 3),
    "wave operator": torch.tensor([[1.0, -2.0, -0.5]]),
    "two sums": torch.tensor([[1.0, 1.0, 0.0], [0.3, 0.0, 2.0]]),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mix", MIXES)
def test_reference_agrees_with_nested_autograd(activation: str, mix: str) -> None:
    problem = JetProblem([5, 7, 11, 3], activation, 13, d=3, mix=MIXES[mix], scale=2.0)
    check_close(problem.measured(torch.float64), problem.expected(), 1e-12)
