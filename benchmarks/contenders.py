"""Contenders of the benchmarks: our default fit, and the implementations to compare with.

The published SIREN recipe is in plain eager torch, written from the paper's formulas without the
library: linear layers, sin(30 x), the published initialisation, and the whole picture in every
step.
"""

import itertools
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from siren_pytorch import SirenNet
from torch import Tensor, nn

from neurafield import architectures
from neurafield.encodings import HashGrid
from neurafield.fit import Constraint, fit
from neurafield.signals import AbstractGridSignal


def fit_by_default(signal: AbstractGridSignal[Any], target_psnr: float, seed: int) -> float:
    """Milliseconds that `fit`, with the settings of the command line, takes to reach a quality."""
    plan = architectures.plan(signal.layout.extent, seed=seed)
    begun = time.perf_counter()
    result = fit(
        plan.field,
        Constraint(signal=signal, batch_size=plan.batch_size),
        steps=plan.steps,
        target_psnr=target_psnr,
        lr=plan.lr,
        micro_batch=plan.micro_batch,
        seed=seed,
    )
    if result.status != "target_psnr":
        raise RuntimeError(f"stopped by {result.status} after {result.step} steps")
    return 1e3 * (time.perf_counter() - begun)


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


class EagerMLP(nn.Sequential):
    """32-64-64-64-3 with ReLU, or another size, as a plain module."""

    def __init__(self, in_dim: int, out_dim: int, width: int = 64, hidden: int = 2) -> None:
        sizes = [in_dim] + [width] * (hidden + 1)
        parts = [
            part for a, b in itertools.pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())
        ]
        super().__init__(*parts, nn.Linear(width, out_dim))


def eager_hash_grid(encoding: HashGrid, x: Tensor) -> Tensor:
    """A hash grid in plain torch, in float32, on the levels and the table of an encoding."""
    primes = (1, 2654435761, 805459861, 3674653429)
    dim = x.shape[-1]
    corners = torch.tensor(list(itertools.product((0, 1), repeat=dim)))
    outputs = []
    for level in encoding.levels.levels:
        cells = torch.tensor(level.cells)
        position = (x + 1) / 2 * cells
        cell = position.floor().long().clamp(max=cells - 1)
        offset = position - cell
        vertices = cell[:, None, :] + corners
        if level.kind == "hashed":
            index = vertices[..., -1] * primes[0]
            for axis in range(1, dim):
                index = index ^ (vertices[..., -1 - axis] * primes[axis])
            index = index & (level.size - 1)
        else:
            index = vertices[..., 0]
            for axis in range(1, dim):
                index = index * (level.cells[axis] + 1) + vertices[..., axis]
        found = nn.functional.embedding(index + level.offset, encoding.table)
        sides = torch.where(corners.bool(), offset[:, None, :], 1 - offset[:, None, :])
        outputs.append((found * sides.prod(-1, keepdim=True)).sum(1))
    return torch.cat(outputs, -1)


def siren_pytorch(width: int = 256) -> nn.Module:
    """The same network from the `siren-pytorch` package: five affine layers."""
    return SirenNet(dim_in=2, dim_hidden=width, dim_out=1, num_layers=4, w0=30.0, w0_initial=30.0)


def full_batch_step(
    network: nn.Module, coords: Tensor, target: Tensor, lr: float = 1e-4
) -> Callable[[], float]:
    """Returns a function that makes one Adam step on all points and returns the loss before it."""
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)

    def step() -> float:
        optimizer.zero_grad()
        loss = (network(coords) - target).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
