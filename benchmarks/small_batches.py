"""A training step on few points, dominated by the overhead of calls, compared with plain torch.

Forward, mean squared error and backward, without an optimizer, on all threads. Plain torch uses
nothing from the library, and so has no checks.

    python -m benchmarks.small_batches
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from neurafield.encodings import HashGrid
from neurafield.networks import MLP, Siren

from .contenders import EagerMLP, EagerSiren, eager_hash_grid
from .harness import alternate, write_result

POINTS = (64, 256, 1024, 4096)


class PlainHash(nn.Module):
    """The hash grid and the network of the last row."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = HashGrid(2, log2_table_size=14)
        self.network = EagerMLP(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(eager_hash_grid(self.grid, x))


PAIRS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "Siren, 3 x 64": (
        lambda: Siren(2, 1, width=64, depth=3),
        lambda: EagerSiren(2, 1, width=64, hidden=2),
    ),
    "MLP, 3 x 64": (
        lambda: MLP(2, 1, width=64, depth=3),
        lambda: EagerMLP(2, 1, hidden=2),
    ),
    "HashGrid, MLP, 3 x 64": (
        lambda: nn.Sequential(HashGrid(2, log2_table_size=14), MLP(32, 1, width=64, depth=3)),
        PlainHash,
    ),
}
"""Our modules, and the same as plain modules."""


def step(module: nn.Module, points: int) -> Callable[[], None]:
    """The step that is timed."""
    x, wanted = torch.rand(points, 2) * 2 - 1, torch.rand(points, 1)

    def run() -> None:
        module.zero_grad()
        (module(x) - wanted).square().mean().backward()

    return run


def main() -> None:
    """Measure one row per module and number of points."""
    torch.manual_seed(0)
    figures: dict[str, Any] = {}
    for name, pair in PAIRS.items():
        for points in POINTS:
            ours, plain = (step(build(), points) for build in pair)
            found = alternate({"ours": ours, "plain": plain}, rounds=150, warm_up=20)
            figures[f"{name}: {points} points"] = {
                "ours_ms": found["ours"]["median_ms"],
                "plain_ms": found["plain"]["median_ms"],
                "ratio": found["plain"]["ratio"],
            }
    write_result("small_batches", figures)


if __name__ == "__main__":
    main()
