"""`neurafield compare`: several architectures of one size, on one signal, side by side."""

import argparse
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from rich.console import Console
from rich.table import Table

from .. import architectures, signals, system
from .._files import write_atomically
from ..field_file import save
from ..fit import Constraint, Progress, ProgressBar, fit, metrics
from .fit import measured_part
from .main import DONE, NUMERICAL_FAILURE
from .plots import require_matplotlib, save_curves, save_pictures

BUDGET_TOLERANCE = 0.05


@dataclass
class Entry:
    """One architecture's run: its row in the table, and what the figures are drawn from."""

    row: dict[str, Any]
    seconds: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    view: Shaped[np.ndarray, "..."] | None = None


def run(arguments: argparse.Namespace) -> int:
    """Fit each in turn; a folder with a table, pictures, curves and fields is left."""
    folder = arguments.out or Path(f"{arguments.input.stem}-compare")
    check_folder(folder, arguments.force)
    require_matplotlib()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if len(set(arguments.archs)) < len(arguments.archs):
        raise ValueError(f"--archs: expected different names, got {' '.join(arguments.archs)}")
    signal = signals.load(arguments.input)
    budget = arguments.params or (
        architectures.plan(signal.layout, arguments.archs[0]).field.num_parameters
    )
    plans = [
        architectures.plan(signal.layout, arch, num_parameters=budget, seed=arguments.seed)
        for arch in arguments.archs
    ]
    for plan in plans:
        if abs(plan.field.num_parameters / budget - 1) > BUDGET_TOLERANCE:
            raise ValueError(
                f"{budget} parameters: {plan.arch} comes no closer than "
                f"{plan.field.num_parameters}. Choose more with --params"
            )
    folder.mkdir(exist_ok=True)
    entries = [_run_one(plan, signal, folder, arguments) for plan in plans]
    rows = [entry.row for entry in entries]
    _write(folder, arguments, signal, budget, rows)
    save_curves(folder / "curves.png", {e.row["arch"]: (e.seconds, e.psnr) for e in entries})
    truth = view(signal.layout, torch.cat(list(shown_part(signal).slabs())))
    save_pictures(
        folder / "pictures.png",
        signal.layout.kind,
        truth,
        {f"{e.row['arch']}\n{_decibel(e.row['psnr'])}": e.view for e in entries},
    )
    _print_table(rows)
    print(f"{folder}: compare.md, compare.json, pictures.png, curves.png and the fields")
    return NUMERICAL_FAILURE if any(row["status"] == "diverged" for row in rows) else DONE


def check_folder(folder: Path, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected a folder, got a file. Choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(f"{folder}: has files in it. Give --force to write among them.")
    if not folder.parent.is_dir():
        raise NotADirectoryError(f"{folder}: the folder {folder.parent} does not exist.")


def _run_one(
    plan: architectures.Plan,
    signal: signals.AbstractGridSignal[Any],
    folder: Path,
    arguments: argparse.Namespace,
) -> Entry:
    entry = Entry({})

    def record(progress: Progress) -> None:
        if progress.psnr is not None and math.isfinite(progress.psnr):
            entry.seconds.append(progress.seconds)
            entry.psnr.append(progress.psnr)

    with ProgressBar(Console(stderr=True), title=f"{plan.arch:<10}") as bar:
        result = fit(
            plan.field,
            Constraint(signal=signal, batch_size=plan.batch_size),
            steps=arguments.steps,
            lr=plan.lr,
            micro_batch=plan.micro_batch,
            seed=arguments.seed,
            callbacks=[bar, record],
        )
    measured = measured_part(signal)
    quality = metrics.evaluate(plan.field, measured)
    entry.row = {
        "arch": plan.arch,
        "params": plan.field.num_parameters,
        "psnr": quality.psnr if math.isfinite(quality.psnr) else None,
        "ssim": quality.ssim,
        "measured": measured.num_samples / signal.num_samples,
        "steps": result.step,
        "seconds": round(result.seconds, 2),
        "lr": plan.lr,
        "batch_size": plan.batch_size,
        "status": result.status,
    }
    save(
        folder / f"{plan.arch}.field", plan.field, signal=signal.layout.spec(), fit=dict(entry.row)
    )
    shown = shown_part(signal).layout
    entry.view = view(shown, torch.cat(list(signals.render(plan.field, shown))))
    if result.status == "diverged":
        print(f"neurafield: {plan.arch}: {result.message}.", file=sys.stderr)
    return entry


def shown_part(signal: signals.AbstractGridSignal[Any]) -> signals.AbstractGridSignal[Any]:
    """What a figure shows: the middle frame of a clip or slice of a volume, else everything."""
    layout = signal.layout
    if layout.kind in ("image", "audio"):
        return signal
    middle = layout.shape[0] // 2
    return signal.slices(range(middle, middle + 1))


def view(layout: signals.AbstractLayout, values: torch.Tensor) -> Shaped[np.ndarray, "..."]:
    """A picture, frame or slice in [0, 1], or one channel of a sound in [-1, 1]."""
    array = values.clamp(-1, 1).numpy()
    if layout.kind == "audio":
        return array[:, 0]
    if layout.kind != "image":
        array = array[0]
    array = (array + 1) / 2
    return array[..., :3] if array.shape[-1] >= 3 else array[..., 0]


def _write(
    folder: Path,
    arguments: argparse.Namespace,
    signal: signals.AbstractGridSignal[Any],
    budget: int,
    rows: list[dict[str, Any]],
) -> None:
    report = {
        "input": arguments.input.name,
        "shape": signal.layout.shape,
        "params": budget,
        "seed": arguments.seed,
        "runs": rows,
        "machine": system.describe(),
    }
    write_atomically(folder / "compare.json", (json.dumps(report, indent=2) + "\n").encode())
    lines = [
        "| architecture | parameters | PSNR | SSIM | steps | seconds |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows]
    size = " x ".join(map(str, signal.layout.shape))
    title = f"# {arguments.input.name}, {size}, {budget:,} parameters"
    write_atomically(folder / "compare.md", "\n".join([title, "", *lines, ""]).encode())


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("architecture", "parameters", "PSNR", "SSIM", "steps", "seconds")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(*_cells(row))
    Console(file=sys.stdout).print(table)


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        row["arch"] + (" (diverged)" if row["status"] == "diverged" else ""),
        f"{row['params']:,}",
        _decibel(row["psnr"]),
        "" if row["ssim"] is None else f"{row['ssim']:.4f}",
        f"{row['steps']:,}",
        f"{row['seconds']:.1f}",
    ]


def _decibel(value: float | None) -> str:
    return "exact" if value is None else f"{value:.2f} dB"
