"""`neurafield analyze`: frequencies that architectures learn first, and their tangent kernels."""

import argparse
import json
import math
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from ... import analysis, architectures, signals, system
from ..._files import write_atomically
from ...errors import ArgumentError, SignalError
from ...fit import ProgressBar
from ..shared.budget import check_different, plan_of_size
from ..shared.command import DONE, INTERRUPTED, NUMERICAL_FAILURE
from ..shared.folders import check_folder
from ..shared.output import notice
from ..shared.plots import require_matplotlib
from ..shared.threads import use_threads
from .figures import band_name, save_kernels, save_spectra

MAX_SAMPLES = 2**22
"""Largest number of samples, since a field is evaluated on all of them fifty times."""
MAX_POINTS = 256
"""Largest number of points on the line of the tangent kernel; large fields get fewer."""


@dataclass(frozen=True)
class Entry:
    """Results of one architecture.

    Args:
        plan: Plan of the first seed, whose field is trained.
        runs: Runs by seed.
        kernel: Spectrum of the tangent kernel of the first seed's initial field.
    """

    plan: architectures.Plan
    runs: dict[int, analysis.Learning]
    kernel: analysis.KernelSpectrum

    @property
    def bias_factor(self) -> analysis.BiasFactor:
        """Median of the bias factors over the seeds."""
        return analysis.median_factor(self.bias_factors)

    @property
    def bias_factors(self) -> list[analysis.BiasFactor]:
        """Bias factors, one per seed."""
        return [run.bias_factor() for run in self.runs.values()]


def run(arguments: argparse.Namespace) -> int:
    """Fit each in turn, from each seed; write a folder with figures and numbers."""
    name = arguments.input.stem if arguments.input else "sines"
    folder = arguments.out or Path(f"{name}-spectrum")
    check_folder(folder, force=arguments.force)
    require_matplotlib("analyze")
    check_different("--archs", arguments.archs)
    check_different("--seeds", arguments.seeds)
    use_threads(arguments.threads)
    signal, bands = _signal(arguments)
    plans = _plans(arguments, signal)
    entries: list[Entry] = []
    report, interrupted = "", False
    try:
        for plan in plans:
            entries.append(_run_one(plan, plans, signal, bands, arguments))
            # Written after each architecture, so that a crash loses only the current one.
            folder.mkdir(exist_ok=True)
            report = json.dumps(_report(arguments, signal, bands, entries), allow_nan=False)
            write_atomically(folder / "spectrum.json", report.encode() + b"\n")
    except KeyboardInterrupt as error:
        if not report:
            raise KeyboardInterrupt(
                "interrupted before the first architecture had finished; nothing was written."
            ) from error
        interrupted = True
    save_spectra(
        folder / "spectrum.png",
        bands.ranges,
        {entry.plan.arch: (_title(entry), list(entry.runs.values())) for entry in entries},
        response=arguments.input is None,
    )
    save_kernels(folder / "kernel.png", {entry.plan.arch: entry.kernel for entry in entries})
    _print_table(bands, entries, sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(report)
    else:
        print(f"{folder}: spectrum.png, kernel.png and spectrum.json")
    if interrupted:
        done = f"{len(entries)} of {len(plans)} architectures"
        notice(f"interrupted; {folder} contains {done}.")
        return INTERRUPTED
    diverged = any(run.status == "diverged" for e in entries for run in e.runs.values())
    return NUMERICAL_FAILURE if diverged else DONE


def _signal(
    arguments: argparse.Namespace,
) -> tuple[signals.AbstractGridSignal[Any], analysis.AbstractBands]:
    if arguments.input is None:
        sines = analysis.sum_of_sines(rising=arguments.rising, seed=arguments.seeds[0])
        return sines, analysis.Harmonics(sines.num_samples, analysis.FREQUENCIES)
    if arguments.rising:
        raise ArgumentError("--rising: expected no INPUT with it. It is for the sum of sines.")
    signal = signals.load(arguments.input)
    if signal.num_samples > MAX_SAMPLES:
        raise SignalError(
            f"{arguments.input}: expected at most {MAX_SAMPLES:,} samples, got "
            f"{signal.num_samples:,}. Cut out a part."
        )
    return signal, analysis.Octaves(signal.layout.shape)


def _plans(
    arguments: argparse.Namespace, signal: signals.AbstractGridSignal[Any]
) -> list[architectures.Plan]:
    """Plans of the first seed, all of one size."""
    budget = arguments.params or (
        architectures.plan(
            signal.layout.extent, arguments.archs[0], signal=signal
        ).field.num_parameters
    )
    seed = arguments.seeds[0]
    return [plan_of_size(signal, arch, budget, seed=seed) for arch in arguments.archs]


def _run_one(
    plan: architectures.Plan,
    plans: list[architectures.Plan],
    signal: signals.AbstractGridSignal[Any],
    bands: analysis.AbstractBands,
    arguments: argparse.Namespace,
) -> Entry:
    # The same points for all: as many as the kernel of the largest field allows.
    most = max(each.field.num_parameters for each in plans)
    with Bar(console=Console(stderr=True)) as steps:
        task = steps.add_task(f"{plan.arch + ', kernel':<18}", total=1.0)
        kernel = analysis.kernel_spectrum(
            plan.field,
            in_dim=signal.in_dim,
            num_points=min(
                MAX_POINTS,
                max(signal.layout.shape),
                analysis.affordable_points(most, plan.field.out_dim),
            ),
            progress=lambda done: steps.update(task, completed=done),
        )
    runs = {}
    for seed in arguments.seeds:
        title = f"{plan.arch}, seed {seed}"
        with ProgressBar(Console(stderr=True), title=f"{title:<18}") as bar:
            runs[seed] = analysis.learn(
                plan.field if seed == arguments.seeds[0] else plan.with_seed(seed),
                signal,
                bands,
                steps=arguments.steps,
                lr=arguments.lr or plan.lr,
                batch_size=plan.batch_size,
                micro_batch=plan.micro_batch,
                seed=seed,
                callbacks=[bar],
            )
    return Entry(plan, runs, kernel)


def _report(
    arguments: argparse.Namespace,
    signal: signals.AbstractGridSignal[Any],
    bands: analysis.AbstractBands,
    entries: list[Entry],
) -> dict[str, Any]:
    return {
        "input": arguments.input.name if arguments.input else "sines",
        "rising": arguments.rising,
        "shape": signal.layout.shape,
        "steps": arguments.steps,
        "bands": bands.ranges,
        "unit": "cycles across the longest axis",
        "archs": [_figures(entry, arguments.lr) for entry in entries],
        "machine": system.describe(),
    }


def _figures(entry: Entry, lr: float | None) -> dict[str, Any]:
    kernel = entry.kernel
    return {
        "arch": entry.plan.arch,
        "params": entry.plan.field.num_parameters,
        "lr": lr or entry.plan.lr,
        "batch_size": entry.plan.batch_size,
        "bias_factor": entry.bias_factor.factor,
        "exact": entry.bias_factor.exact,
        "runs": [
            {
                "seed": seed,
                "status": run.status,
                "bias_factor": run.bias_factor().factor,
                "exact": run.bias_factor().exact,
                "steps_until_half": run.steps_until(),
                "steps": run.steps,
                "error": _rounded(run.error.tolist()),
                "response": _rounded(run.response.tolist()),
            }
            for seed, run in entry.runs.items()
        ],
        "kernel": {
            "points": len(kernel.eigenvalues) + 1,
            "effective_rank": _rounded(kernel.effective_rank),
            "condition": _rounded(kernel.condition),
            "eigenvalues": _rounded(kernel.eigenvalues.tolist()),
            "frequencies": kernel.frequencies.tolist(),
            "rates": _rounded(kernel.rates.tolist()),
        },
    }


def _rounded(value: Any) -> Any:
    """Numbers with five digits; NaN and infinity, which JSON does not have, as null."""
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.5g}") if math.isfinite(value) else None


def _title(entry: Entry) -> str:
    """Name, and bias factor with its range over the seeds if that is known."""
    title = f"{entry.plan.arch}\nbias factor {entry.bias_factor}"
    diverged = sum(run.status == "diverged" for run in entry.runs.values())
    if diverged:
        return f"{title}; {diverged} of {len(entry.runs)} diverged"
    exact = sorted(f.factor for f in entry.bias_factors if f.exact and f.factor is not None)
    if len(exact) < max(2, len(entry.runs)):
        return title
    return f"{title} ({exact[0]:.3g} to {exact[-1]:.3g})"


def _print_table(bands: analysis.AbstractBands, entries: list[Entry], file: Any) -> None:
    lowest, highest = (f"{band_name(bands.ranges[i])} cycles" for i in (0, -1))
    table = Table(
        "arch",
        "params",
        f"steps to {lowest}",
        f"to {highest}",
        "bias factor",
        "of each seed",
        "rank of the kernel",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for entry in entries:
        until = [run.steps_until() for run in entry.runs.values()]
        table.add_row(
            entry.plan.arch,
            f"{entry.plan.field.num_parameters:,}",
            *(_median([steps[band] for steps in until]) for band in (0, -1)),
            str(entry.bias_factor),
            "; ".join(str(factor) for factor in entry.bias_factors),
            f"{entry.kernel.effective_rank:.1f}",
        )
    Console(file=file).print(table)


def _median(steps: list[int | None]) -> str:
    middle = statistics.median_low(math.inf if step is None else step for step in steps)
    return f"{middle:,}" if math.isfinite(middle) else "never"
