"""The published SIREN recipe in plain eager torch: what we measure ourselves against.

Written from the paper's formulas, without anything of the library: linear layers, sin(30 x), the
published initialisation, and the whole picture in every step.
"""

import itertools
import math
from collections.abc import Callable

import torch
from siren_pytorch import SirenNet
from torch import Tensor, nn


class EagerSiren(nn.Module):
    """2-256-256-256-256-1 as a plain module."""

    def __init__(
        self, in_dim: int = 2, out_dim: int = 1, width: int = 256, hidden: int = 3
    ) -> None:
        super().__init__()
        sizes = [in_dim] + [width] * (hidden + 1) + [out_dim]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        with torch.no_grad():
            for index, layer in enumerate(self.layers):
                fan_in = sizes[index]
                bound = 1 / fan_in if index == 0 else math.sqrt(6 / fan_in) / 30
                nn.init.uniform_(layer.get_parameter("weight"), -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = iter(self.layers)
        for layer in hidden:
            x = torch.sin(30 * layer(x))
        return last(x)


def siren_pytorch(width: int = 256) -> nn.Module:
    """The same network from the `siren-pytorch` package: five affine layers."""
    return SirenNet(dim_in=2, dim_hidden=width, dim_out=1, num_layers=4, w0=30.0, w0_initial=30.0)


def full_batch_step(
    network: nn.Module, coords: Tensor, target: Tensor, lr: float = 1e-4
) -> Callable[[], float]:
    """A function that makes one Adam step on all points and returns the loss before it."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)

    def step() -> float:
        optimizer.zero_grad()
        loss = (network(coords) - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
