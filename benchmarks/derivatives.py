"""Training steps on derivatives of a SIREN, compared with nested autograd in one run.

A step is forward, mean squared error of the Laplacian or the gradient, and backward to the
parameters. Nested autograd is the usual way: the gradient of a sum with `create_graph=True`, and
for the Laplacian again the gradient of each of its columns, on a plain module.

With OMP_NUM_THREADS=1 times are CPU times, which a busy machine disturbs less.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from neurafield.derivatives import operators
from neurafield.kernels import dispatch
from neurafield.kernels.fused_mlp_jet import reference
from neurafield.networks import Siren

from .contenders import EagerSiren
from .harness import alternate, on_reference, write_result

POINTS = 16_384
STEPS_FOR_MEMORY = 3

Derivative = Callable[[nn.Module, Tensor], Tensor]


def nested_gradient(network: nn.Module, x: Tensor) -> Tensor:
    """Gradient by reverse mode that keeps its graph."""
    x.requires_grad_()
    return torch.autograd.grad(network(x).sum(), x, create_graph=True)[0]


def nested_laplacian(network: nn.Module, x: Tensor) -> Tensor:
    """Laplacian by reverse over reverse mode, one coordinate at a time."""
    slopes = nested_gradient(network, x)
    seconds = [
        torch.autograd.grad(slope.sum(), x, create_graph=True)[0][:, axis]
        for axis, slope in enumerate(slopes.unbind(-1))
    ]
    return torch.stack(seconds).sum(0)[:, None]


@torch.compile
def _compiled_jet(streams: Tensor, parameters: list[Tensor], mix: Tensor) -> Tensor:
    weights, biases = parameters[::2], parameters[1::2]
    scales = [30.0] * (len(weights) - 1)
    return reference.fused_mlp_jet(streams, weights, biases, mix, "Sine", scales)


def compiled_laplacian(network: nn.Module, x: Tensor) -> Tensor:
    """The forward Laplacian of our reference, through torch.compile."""
    dim = x.shape[-1]
    unit = torch.eye(dim)[:, None].expand(dim, *x.shape)
    streams = torch.cat([x[None], unit, torch.zeros_like(x)[None]])
    return _compiled_jet(streams, list(network.parameters()), torch.ones(1, dim))[-1]


def step(network: nn.Module, dim: int, derivative: Derivative) -> Callable[[], object]:
    """Forward, loss and backward on separate points."""
    x, target = torch.rand(POINTS, dim) * 2 - 1, torch.rand(POINTS, 1)

    def run() -> None:
        network.zero_grad()
        points = x.detach()  # Requires no gradient until the derivative does.
        (derivative(network, points) - target).square().mean().backward()

    return run


def contenders(dim: int, order: str) -> dict[str, Callable[[], object]]:
    """Ours first."""
    ours, eager = Siren(dim, 1, width=256, depth=4), EagerSiren(dim)
    if order == "gradient":
        return {
            "neurafield": step(ours, dim, operators.gradient),
            "nested autograd": step(eager, dim, nested_gradient),
            "our eager reference": on_reference(step(ours, dim, operators.gradient)),
        }
    return {
        "neurafield": step(ours, dim, operators.laplacian),
        "nested autograd": step(eager, dim, nested_laplacian),
        "our eager reference": on_reference(step(ours, dim, operators.laplacian)),
        "reference, torch.compile": step(eager, dim, compiled_laplacian),
    }


def memory_of(contender: str) -> None:
    """Print the increase of peak memory by steps on the 3-D Laplacian, in MB; Linux only."""
    run = contenders(3, "laplacian")[contender]
    before = _status("VmRSS")
    for _ in range(STEPS_FOR_MEMORY):
        run()
    print(round((_status("VmHWM") - before) / 1024, 1))


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise RuntimeError(f"expected {name} in /proc/self/status")


def memory() -> dict[str, dict[str, float]]:
    """Peak memory above the start, each in a separate process."""
    figures = {}
    for name in ("neurafield", "nested autograd", "our eager reference"):
        command = [sys.executable, "-m", "benchmarks.derivatives", name]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        figures[name] = {"peak_mb": float(found.stdout)}
    for row in figures.values():
        row["ratio"] = round(row["peak_mb"] / figures["neurafield"]["peak_mb"], 2)
    return figures


def main() -> None:
    """Run all measurements, and write one JSON file."""
    os.environ.pop(dispatch.VARIABLE, None)
    torch.manual_seed(0)
    if len(sys.argv) > 1:
        memory_of(sys.argv[1])
        return
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    measures = {
        f"{order}, d = {dim}": alternate(contenders(dim, order), warm_up=2, clock=clock)
        for order, dim in itertools.product(("laplacian", "gradient"), (2, 3))
    }
    measures["memory of laplacian, d = 3"] = memory()
    flat = {f"{m}: {name}": row for m, rows in measures.items() for name, row in rows.items()}
    write_result("derivatives", flat)


if __name__ == "__main__":
    main()
