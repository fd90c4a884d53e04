"""Every component: compiled kernels compared with eager torch, memory, and time per query.

A step is forward and backward through autograd. Eager torch is our own reference of the same
kernels, alternating with them in one process. Components without a kernel are eager torch; for
these only the step is timed.

python -m benchmarks.components [--json FILE] [--only PART_OF_A_NAME] [--cpu-time]
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from neurafield import activations, encodings, networks, system
from neurafield._component import AbstractComponent, registry
from neurafield.encodings import Octree, SparseGrid, triangulated_box
from neurafield.kernels import dispatch

from .harness import alternate, on_reference

POINTS = 65_536
NETWORK_POINTS = 16_384
WANTED = 10.0
"""Required speed-up of a compiled grid over its reference."""

Build = Callable[[], AbstractComponent]
Clock = Callable[[], float]


def sparse_grid(in_dim: int) -> SparseGrid:
    """Cells around a circle (8 to 256 per axis) or a sphere (8 to 128)."""
    points = nn.functional.normalize(torch.randn(50_000, in_dim), dim=1) * 0.7
    levels = 6 if in_dim == 2 else 5
    tree = Octree.from_points(points, base_resolution=8, num_levels=levels)
    return SparseGrid.from_octree(tree, features=4)


GRIDS: dict[str, Build] = {
    "dense 2-D": lambda: encodings.DenseGrid(2, resolution=256, features=4),
    "dense 3-D": lambda: encodings.DenseGrid(3, resolution=48, features=4),
    "tiled 2-D": lambda: encodings.HashGrid(2, log2_table_size=15, overflow="tiled"),
    "tiled 3-D": lambda: encodings.HashGrid(3, log2_table_size=15, overflow="tiled"),
    "hashed 2-D": lambda: encodings.HashGrid(2, log2_table_size=15),
    "hashed 3-D": lambda: encodings.HashGrid(3, log2_table_size=15),
    "indexed 2-D": lambda: sparse_grid(2),
    "indexed 3-D": lambda: sparse_grid(3),
}
"""Every kind of level that kernels support."""

ENCODINGS: dict[str, Build] = {
    "Composite": lambda: encodings.Composite(
        [encodings.HashGrid(2, log2_table_size=15), encodings.Positional(1, 6)]
    ),
    "Enrichment": lambda: encodings.Enrichment(2, points=[[0.1, 0.2]], balls=[[0.0, 0.0, 0.5]]),
    "GaussianEmbedding": lambda: encodings.GaussianEmbedding(2, 64, sigma=0.02),
    "Identity": lambda: encodings.Identity(2),
    "LogPositional": lambda: encodings.LogPositional(2, 64, sigma=64.0),
    "OneBlob": lambda: encodings.OneBlob(2, 64),
    "Positional": lambda: encodings.Positional(2, 10),
    "RandomFourier": lambda: encodings.RandomFourier(2, 128, sigma=10.0),
    "SphericalHarmonics": lambda: encodings.SphericalHarmonics(4),
    "SuperGaussianEmbedding": lambda: encodings.SuperGaussianEmbedding(
        2, 64, sigma=0.02, power=2.0
    ),
    "TriangleWave": lambda: encodings.TriangleWave(2, 10),
    "CPFactors": lambda: encodings.CPFactors(3, resolution=128, components=64),
    "CodebookGrid": lambda: encodings.CodebookGrid(2),
    "CodebookGrid hardened": lambda: encodings.CodebookGrid(2).harden(),
    "DenseGrid": GRIDS["dense 2-D"],
    "HashGrid": GRIDS["hashed 2-D"],
    "KPlanes": lambda: encodings.KPlanes(3, resolution=128, num_levels=2, features=16),
    "MeshFeatures": lambda: encodings.MeshFeatures.from_mesh(
        *triangulated_box([64, 64]), features=4
    ),
    "PointFeatures": lambda: encodings.PointFeatures(2, num_points=2000),
    "SparseGrid": GRIDS["indexed 3-D"],
    "SplineGrid": lambda: encodings.SplineGrid(2, resolution=256, features=4),
    "TriPlane": lambda: encodings.TriPlane(3, resolution=128, features=32),
    "VMFactors": lambda: encodings.VMFactors(3, resolution=128, components=16),
}

NETWORKS: dict[str, Build] = {
    "Bacon": lambda: networks.Bacon(2, 3, bandwidths=[16, 16, 32, 64]),
    "Finer": lambda: networks.Finer(2, 3),
    "Linear": lambda: networks.Linear(32, 3),
    "Lipschitz": lambda: networks.Lipschitz(3, 1, width=64, depth=4),
    "MLP": lambda: networks.MLP(32, 3, width=64, depth=2),
    "Siren": lambda: networks.Siren(2, 3),
    "Wire": lambda: networks.Wire(2, 3),
    **{
        f"MLP {name}": partial(networks.MLP, 2, 3, width=256, depth=4, activation=name)
        for name in registry(activations, activations.AbstractActivation)
    },
    "MLP trained Gaussian": lambda: networks.MLP(
        2, 3, width=256, depth=4, activation=activations.Gaussian(trained=True)
    ),
}


def step(component: nn.Module, x: Tensor) -> Callable[[], object]:
    """Forward and backward, also with respect to `x` if it requires a gradient."""
    upstream = torch.randn_like(component(x))

    def run() -> None:
        component.zero_grad()
        x.grad = None
        y = component(x)
        if y.requires_grad:
            y.backward(upstream)

    return run


def calls_a_kernel(run: Callable[[], object]) -> bool:
    """Tests whether a function calls a compiled kernel."""
    versions: list[str] = []
    choose = dispatch.choose

    def watched(*args: Any, **options: Any) -> dispatch.Choice:
        choice = choose(*args, **options)
        versions.append(choice.version)
        return choice

    with mock.patch.object(dispatch, "choose", watched):
        run()
    return any(version != dispatch.REFERENCE for version in versions)


def timed(run: Callable[[], object], clock: Clock, rounds: int) -> dict[str, float]:
    """Medians in milliseconds, and the ratio of eager torch."""
    contenders = {"ours": run}
    if calls_a_kernel(run):
        contenders["eager"] = on_reference(run)
    found = alternate(contenders, rounds=rounds, clock=clock)
    figures = {f"{name}_ms": row["median_ms"] for name, row in found.items()}
    return figures | ({"ratio": found["eager"]["ratio"]} if "eager" in found else {})


def grid(build: Build, in_dim: int, clock: Clock) -> dict[str, dict[str, float]]:
    """Gradients for the table only, then also for the coordinates."""
    component, x = build(), torch.rand(POINTS, in_dim) * 2 - 1
    return {
        "table": timed(step(component, x), clock, 7),
        "table and coordinates": timed(step(component, x.clone().requires_grad_()), clock, 7),
    }


def component(build: Build, points: int, clock: Clock) -> dict[str, float]:
    """A step, its memory, and a query."""
    module = build()
    x = torch.rand(points, module.in_dim) * 2 - 1
    if not any(True for _ in module.parameters()):
        x.requires_grad_()  # So that there is something to differentiate.
    figures = timed(step(module, x), clock, 5)

    def query() -> None:
        with torch.inference_mode():
            module(x)

    alone = alternate({"query": query}, rounds=5, clock=clock)["query"]["median_ms"]
    return figures | {
        "query_ns": round(1e6 * alone / points, 1),
        "parameter_bytes": sum(p.nbytes for p in module.parameters()),
        "buffer_bytes": sum(b.nbytes for b in module.buffers()),
    }


def check_complete() -> None:
    """Require every public component in the lists.

    Raises:
        RuntimeError: If one is missing.
    """
    for room, base, builds in (
        (encodings, encodings.AbstractEncoding, ENCODINGS),
        (networks, networks.AbstractNetwork, NETWORKS),
    ):
        missing = sorted(set(registry(room, base)) - set(builds))
        if missing:
            raise RuntimeError(f"components: expected a size for {', '.join(missing)}, got none.")


def main() -> None:
    """Print tables of grids and of components, and those below their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="output file of the figures")
    parser.add_argument("--only", default="", help="part of the names to measure")
    parser.add_argument("--cpu-time", action="store_true", help="for busy machines")
    options = parser.parse_args()
    clock: Clock = time.process_time if options.cpu_time else time.perf_counter
    torch.manual_seed(0)
    check_complete()
    report: dict[str, Any] = {"grids": {}, "components": {}}
    print(f"{'grid':<38}{'ours ms':>10}{'eager ms':>10}{'ratio':>8}")
    for name, build in GRIDS.items():
        if options.only in name:
            for what, row in grid(build, 2 if "2-D" in name else 3, clock).items():
                report["grids"][f"{name}: {what}"] = row
                print(f"{f'{name}: {what}':<38}{columns(row)}", flush=True)
    print(
        f"\n{'component':<38}{'ours ms':>10}{'eager ms':>10}{'ratio':>8}{'ns/query':>10}{'KiB':>10}"
    )
    for builds, points in ((ENCODINGS, POINTS), (NETWORKS, NETWORK_POINTS)):
        for name, build in builds.items():
            if options.only in name:
                row = component(build, points, clock)
                report["components"][name] = row
                size = (row["parameter_bytes"] + row["buffer_bytes"]) / 1024
                print(f"{name:<38}{columns(row)}{row['query_ns']:>10}{size:>10.1f}", flush=True)
    report["below_target"] = below_target(report)
    print(f"\nbelow target: {', '.join(report['below_target']) or 'none'}")
    if options.json:
        report["machine"] = system.describe()
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def columns(row: dict[str, float]) -> str:
    """The times; dashes where no kernel is compiled."""
    return "".join(
        f"{row.get(key, '-'):>{width}}"
        for key, width in (("ours_ms", 10), ("eager_ms", 10), ("ratio", 8))
    )


def below_target(report: dict[str, Any]) -> list[str]:
    """Grids below their required speed-up, and components slower than torch."""
    grids = [name for name, row in report["grids"].items() if row["ratio"] < WANTED]
    return grids + [name for name, row in report["components"].items() if row.get("ratio", 1) < 1]


if __name__ == "__main__":
    main()
