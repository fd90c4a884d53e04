"""Time per step of short fits, this tree against an older commit.

    python -m benchmarks.against_commit 91378fa

The trees take turns in separate processes, in alternating order. Both use the compiled kernels that
are installed, so only their Python differs. The workloads use names that both trees have.
"""

import argparse
import importlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neurafield as nf
from neurafield import encodings, networks, signals
from neurafield.fit import Constraint, fit

from .harness import compare, write_result

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2
WARM_UP = 20
PICTURE = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)


def mlp_on_64() -> Any:
    """MLP 2-32x2-3 on 64 pixels: almost all overhead of calls."""
    network = networks.MLP(2, 3, width=32, depth=2)
    constraint = Constraint(signal=signals.Image.from_array(PICTURE), batch_size=64)
    return nf.Field(network), constraint, {"steps": 1000}


def siren_on_4096() -> Any:
    """SIREN 2-128x3-3 on 4,096 pixels."""
    network = networks.Siren(2, 3, width=128, depth=3)
    constraint = Constraint(signal=signals.Image.from_array(PICTURE), batch_size=4096)
    return nf.Field(network), constraint, {"steps": 120}


def hash_grid_on_8192() -> Any:
    """Hash grid and MLP on 8,192 pixels."""
    grid = encodings.HashGrid(2, log2_table_size=14, finest_resolution=384)
    field = nf.Field(networks.MLP(grid.out_dim, 3, width=64, depth=2), encoding=grid)
    constraint = Constraint(signal=signals.Image.from_array(PICTURE), batch_size=8192)
    return field, constraint, {"steps": 200}


def laplacian_on_2000() -> Any:
    """SIREN 2-64x2-1, a residual with a Laplacian on 2,000 points."""
    points = signals.Interior(nf.domains.Box.cube(2), num_points=2000)
    residual = nf.maps.Residual(lambda u, x: u.laplacian - 1)
    network = networks.Siren(2, 1, width=64, depth=2)
    return nf.Field(network), Constraint(signal=points, map=residual), {"steps": 250}


def gauss_newton_on_300() -> Any:
    """MLP 2-16x2-1, the same residual on 300 points, Gauss-Newton."""
    points = signals.Interior(nf.domains.Box.cube(2), num_points=300)
    residual = nf.maps.Residual(lambda u, x: u.laplacian - 1)
    network = networks.MLP(2, 1, width=16, depth=2, activation="Tanh")
    options = {"steps": 60, "optimizer": nf.fit.gauss_newton}
    return nf.Field(network), Constraint(signal=points, map=residual), options


WORKLOADS = (mlp_on_64, siren_on_4096, hash_grid_on_8192, laplacian_on_2000, gauss_newton_on_300)


def median_step(workload: Callable[[], Any]) -> float:
    """Median milliseconds from one step to the next."""
    torch.manual_seed(0)
    field, constraint, options = workload()
    moments: list[float] = []
    fit(field, constraint, callbacks=[lambda _: moments.append(time.perf_counter())], **options)
    steps = [1e3 * (after - before) for before, after in itertools.pairwise(moments)]
    return statistics.median(steps[WARM_UP:])


def measure(tree: Path) -> dict[str, float]:
    """Median step of each workload, in a process that imports the library of a tree."""
    # -S keeps an editable installation out of the way.
    output = subprocess.run(
        [sys.executable, "-S", "-m", "benchmarks.against_commit", "--here"],
        env=dict(os.environ, PYTHONPATH=f"{tree / 'src'}:{sysconfig.get_path('purelib')}"),
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    folder, found = json.loads(output.splitlines()[-1])
    if not Path(folder).is_relative_to(tree):
        raise SystemExit(f"against_commit: expected the library of {tree}, got {folder}.")
    return dict(found)


def compare_trees(trees: dict[str, Path], rounds: int) -> dict[str, Any]:
    """Figures of each workload; the first tree is the baseline."""
    times: dict[str, dict[str, list[float]]] = {
        workload.__name__: {name: [] for name in trees} for workload in WORKLOADS
    }
    for turn in range(rounds):
        for name in list(trees)[:: 1 if turn % 2 else -1]:
            for workload, step in measure(trees[name]).items():
                times[workload][name].append(step)
    return {workload: compare(both) for workload, both in times.items()}


def main() -> None:
    """Measure and write `results/against_commit.json`."""
    parser = argparse.ArgumentParser(description="Time per step, this tree against a commit.")
    parser.add_argument("commit", nargs="?", default="91378fa")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--here", action="store_true", help="one measurement of this tree, as JSON")
    options = parser.parse_args()
    if options.here:
        torch.set_num_threads(THREADS)
        found = {workload.__name__: median_step(workload) for workload in WORKLOADS}
        print(json.dumps([str(Path(nf.__file__).parent), found]))
        return
    compiled = str(importlib.import_module("neurafield._native").__file__)
    with tempfile.TemporaryDirectory() as folder:
        before, now = Path(folder) / "before", Path(folder) / "now"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", before, options.commit], check=True)
        try:
            shutil.copytree(ROOT / "src", now / "src")
            for tree in (before, now):
                shutil.copy(compiled, tree / "src" / "neurafield")
            figures = compare_trees({"before": before, "now": now}, options.rounds)
        finally:
            subprocess.run([*git, "remove", "--force", before], check=True)
    write_result("against_commit", {"commit": options.commit, **figures})


if __name__ == "__main__":
    main()
