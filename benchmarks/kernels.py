"""Kernels compared with torch, torch.compile, JAX and a bare matrix product, in one run.

A step is forward, mean squared error and backward through autograd, with the public modules. The
optimizer is excluded, since it is the same for all.
"""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import torch
from torch import Tensor, nn

from neurafield.encodings import HashGrid
from neurafield.kernels import dispatch
from neurafield.networks import MLP, Siren

from .contenders import EagerMLP, EagerSiren, eager_hash_grid
from .harness import alternate, on_reference, write_result

POINTS = 65_536
BARE = 2048


def training_step(network: nn.Module, x: Tensor, target: Tensor) -> Callable[[], object]:
    """Forward and backward; gradients for the parameters, and for `x` if it requires them."""

    def step() -> None:
        network.zero_grad()
        x.grad = None
        (network(x) - target).square().mean().backward()

    return step


def bare_product() -> Callable[[], object]:
    """A float32 product of square matrices by torch."""
    a, b = torch.rand(BARE, BARE), torch.rand(BARE, BARE)
    out = torch.empty(BARE, BARE)
    return lambda: torch.mm(a, b, out=out)


def jax_siren(network: EagerSiren, x: Tensor, target: Tensor) -> Callable[[], object]:
    """The same SIREN step, jitted by JAX."""
    layers: list[nn.Linear] = list(network.layers)  # type: ignore[arg-type]
    weights = [jnp.asarray(layer.weight.detach().numpy()) for layer in layers]
    biases = [jnp.asarray(layer.bias.detach().numpy()) for layer in layers]
    coords, values = jnp.asarray(x.detach().numpy()), jnp.asarray(target.numpy())

    def loss(parameters: Any, coords: Any) -> Any:
        weights, biases = parameters
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            coords = jnp.sin(30.0 * (coords @ weight.T + bias))
        return jnp.square(coords @ weights[-1].T + biases[-1] - values).mean()

    gradient = jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(gradient((weights, biases), coords))


def siren() -> dict[str, dict[str, float]]:
    """SIREN 2-256x3-1: a training step."""
    x, target = torch.rand(POINTS, 2) * 2 - 1, torch.rand(POINTS, 1)
    eager = EagerSiren()
    ours = Siren(2, 1, width=256, depth=4)
    compiled = EagerSiren()
    compiled.compile()
    figures = alternate(
        {
            "neurafield": training_step(ours, x, target),
            "eager torch": training_step(eager, x, target),
            "torch.compile": training_step(compiled, x, target),
            "JAX jit": jax_siren(eager, x, target),
            "a bare 2048^3 product": bare_product(),
        },
        warm_up=2,
    )
    num_weights = sum(layer.weight.numel() for layer in ours.layers)  # type: ignore[misc,operator]
    add_speed(figures, 6 * POINTS * num_weights)
    return figures


def add_speed(figures: dict[str, dict[str, float]], operations: int) -> None:
    """Adds GFLOP/s of each contender and of the bare product, which has its own operation count."""
    for name, row in figures.items():
        count = 2 * BARE**3 if "bare" in name else operations
        row["gflops"] = round(count / row["median_ms"] / 1e6, 1)
    bare = figures["a bare 2048^3 product"]
    figures["neurafield"]["of_bare"] = round(figures["neurafield"]["gflops"] / bare["gflops"], 3)


def mlp() -> dict[str, dict[str, float]]:
    """MLP 32-64x2-3 with ReLU: a training step, with gradients for its inputs."""
    x = (torch.rand(POINTS, 32) * 2 - 1).requires_grad_()
    target = torch.rand(POINTS, 3)
    ours = MLP(32, 3, width=64, depth=3)
    figures = alternate(
        {
            "neurafield": training_step(ours, x, target),
            "eager torch": training_step(EagerMLP(32, 3), x, target),
            "a bare 2048^3 product": bare_product(),
        },
        warm_up=2,
        rounds=15,
    )
    num_weights = sum(layer.weight.numel() for layer in ours.layers)  # type: ignore[misc,operator]
    add_speed(figures, 6 * POINTS * num_weights)
    return figures


def grid(in_dim: int) -> dict[str, dict[str, float]]:
    """Hash grid, 16 levels of 2 features, 2^15 rows, 16 to 512 cells: forward and backward."""
    x = torch.rand(POINTS, in_dim) * 2 - 1
    encoding = HashGrid(in_dim, num_levels=16, features=2, log2_table_size=15)
    upstream = torch.randn(POINTS, encoding.out_dim)

    def step(function: Callable[[Tensor], Tensor]) -> Callable[[], object]:
        def run() -> None:
            encoding.table.grad = None
            function(x).backward(upstream)

        return run

    return alternate(
        {
            "neurafield": step(encoding),
            "our eager reference": on_reference(step(encoding)),
            "plain eager torch": step(lambda x: eager_hash_grid(encoding, x)),
        },
        warm_up=2,
    )


def inference_siren() -> dict[str, dict[str, float]]:
    """SIREN 2-256x3-1: values only."""
    x = torch.rand(POINTS, 2) * 2 - 1
    return alternate(
        {"neurafield": values(Siren(2, 1), x), "eager torch": values(EagerSiren(), x)}, warm_up=2
    )


def inference_hash() -> dict[str, dict[str, float]]:
    """Hash grid and MLP 32-64x2-3: values only."""
    x = torch.rand(POINTS, 2) * 2 - 1
    encoding = HashGrid(2, num_levels=16, features=2, log2_table_size=15)
    network, eager = MLP(32, 3, width=64, depth=2), EagerMLP(32, 3, hidden=1)
    return alternate(
        {
            "neurafield": values(lambda x: network(encoding(x)), x),
            "our eager reference": on_reference(values(lambda x: network(encoding(x)), x)),
            "plain eager torch": values(lambda x: eager(eager_hash_grid(encoding, x)), x),
        },
        warm_up=2,
        rounds=9,
    )


def values(function: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], object]:
    """Without gradients."""

    def run() -> None:
        with torch.inference_mode():
            function(x)

    return run


def main() -> None:
    """Run all measurements, and write one JSON file."""
    os.environ.pop(dispatch.VARIABLE, None)
    torch.manual_seed(0)
    measures = {
        "mlp 32-64x2-3 step": mlp(),
        "hash grid 2-D step": grid(2),
        "hash grid 3-D step": grid(3),
        "siren inference": inference_siren(),
        "hash inference": inference_hash(),
        "siren 2-256x3-1 step": siren(),
    }
    flat = {f"{m}: {name}": row for m, rows in measures.items() for name, row in rows.items()}
    write_result("kernels", flat)


if __name__ == "__main__":
    main()
