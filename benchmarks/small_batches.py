"""A training step on few points, where the calls around the kernels count: ours beside eager torch.

Forward, mean square error, backward, without an optimizer, on all threads.

    python -m benchmarks.small_batches
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from neurafield.encodings import HashGrid
from neurafield.networks import MLP, Siren

from .harness import alternate, on_reference, write_result

POINTS = (64, 256, 1024, 4096)
MODULES: dict[str, Callable[[], nn.Module]] = {
    "Siren, 3 x 64": lambda: Siren(2, 1, width=64, depth=3),
    "MLP, 3 x 64": lambda: MLP(2, 1, width=64, depth=3),
    "HashGrid, MLP, 2 x 64": lambda: nn.Sequential(
        HashGrid(2, log2_table_size=14), MLP(32, 1, width=64, depth=2)
    ),
}


def step(module: nn.Module, points: int) -> Callable[[], None]:
    """What is timed."""
    x, wanted = torch.rand(points, 2) * 2 - 1, torch.rand(points, 1)

    def run() -> None:
        module.zero_grad()
        (module(x) - wanted).square().mean().backward()

    return run


def main() -> None:
    """A row a module and a number of points."""
    torch.manual_seed(0)
    figures: dict[str, Any] = {}
    for name, build in MODULES.items():
        for points in POINTS:
            run = step(build(), points)
            found = alternate({"ours": run, "eager": on_reference(run)}, rounds=100, warm_up=10)
            figures[f"{name}: {points} points"] = {
                "ours_ms": found["ours"]["median_ms"],
                "eager_ms": found["eager"]["median_ms"],
                "ratio": found["eager"]["ratio"],
            }
    write_result("small_batches", figures)


if __name__ == "__main__":
    main()
