"""`neurafield compare`: several architectures of one size, on one signal, side by side."""

import argparse
from pathlib import Path
from typing import Any

import torch

from ... import architectures, signals, system
from ..._files import write_atomically
from ...errors import ArgumentError
from ...field_file import save
from ...fields.field import Field
from ...tasks import measured_part
from ..shared.budget import TOLERANCE, check_different, plan_of_size
from ..shared.command import DONE, INTERRUPTED, NUMERICAL_FAILURE
from ..shared.folders import check_folder
from ..shared.interruption import interruption
from ..shared.output import notice
from ..shared.plots import require_matplotlib
from ..shared.threads import use_threads
from .comparison import Bounds, Entry, compare_one, shown_part, view
from .figures import save_curves, save_pictures
from .page import page
from .page_chart import colours
from .report import HEADINGS, Report, cells

_STEPS = 1000
"""Steps of each run, if neither steps nor time are given."""


def run(arguments: argparse.Namespace) -> int:
    """Fit each in turn; write a folder with tables, a page, pictures, curves and fields."""
    folder = arguments.out or Path(f"{arguments.input.stem}-compare")
    check_folder(folder, force=arguments.force)
    require_matplotlib("compare")
    use_threads(arguments.threads)
    check_different("--archs", arguments.archs)
    check_different("--seeds", arguments.seeds)
    signal = signals.load(arguments.input)
    budget, plans, left_out = _plans(arguments, signal)
    bounds = Bounds(arguments.steps, arguments.time)
    if bounds == Bounds(None, None):
        bounds = Bounds(_STEPS, None)
    created = not folder.exists()
    folder.mkdir(exist_ok=True)
    report = Report(_facts(arguments, signal, budget, plans, bounds), left_out=left_out)
    shown = shown_part(signal).layout

    def keep(field: Field, entry: Entry) -> None:
        entry.view = view(shown, torch.cat(list(signals.render(field, shown))))
        skipped = ("runs", "bytes")
        about = {name: value for name, value in entry.as_json().items() if name not in skipped}
        path = folder / f"{entry.arch}.field"
        save(path, field, signal=signal.layout.spec(), fit=about)
        entry.bytes = path.stat().st_size

    with interruption() as interrupted:
        for plan in plans:
            entry = compare_one(
                plan,
                signal,
                seeds=arguments.seeds,
                bounds=bounds,
                lr=arguments.lr,
                tune=arguments.tune,
                should_stop=interrupted,
                keep=keep,
            )
            report.entries += [entry] if entry else []
            report.facts["interrupted"] = interrupted()
            # Written after each architecture, so that a crash loses only the current one.
            if report.entries:
                report.write_tables(folder)
            if interrupted():
                break
    if not report.entries:
        if created:
            folder.rmdir()
        raise KeyboardInterrupt(
            "interrupted before the first run had finished; nothing was written."
        )
    _write_figures(folder, report, signal)
    report.print_table()
    print(
        f"{folder}: compare.html, compare.md, compare.json, pictures.png, curves.png and the fields"
    )
    if report.facts["interrupted"]:
        done = f"{len(report.entries)} of {len(plans)} architectures"
        notice(f"interrupted; {folder} contains {done}.")
        return INTERRUPTED
    return NUMERICAL_FAILURE if any(entry.diverged for entry in report.entries) else DONE


def _plans(
    arguments: argparse.Namespace, signal: signals.AbstractGridSignal[Any]
) -> tuple[int, list[architectures.Plan], dict[str, str]]:
    """The budget, a plan per name, and the names of `all` that cannot meet the budget."""
    extent, everything = signal.layout.extent, arguments.archs == ["all"]
    if "all" in arguments.archs and not everything:
        raise ArgumentError("--archs: expected either all or names, got both.")
    names = architectures.serving(extent) if everything else arguments.archs
    budget = arguments.params or (
        architectures.plan(
            extent, None if everything else names[0], signal=signal
        ).field.num_parameters
    )
    plans, left_out = [], {}
    for name in names:
        try:
            plans.append(plan_of_size(signal, name, budget, seed=arguments.seeds[0]))
        except ArgumentError as error:
            if not everything:
                raise
            left_out[name] = str(error)
    if not plans:
        raise ArgumentError(f"--params: no architecture meets {budget}. Choose more.")
    return budget, plans, left_out


def _facts(
    arguments: argparse.Namespace,
    signal: signals.AbstractGridSignal[Any],
    budget: int,
    plans: list[architectures.Plan],
    bounds: Bounds,
) -> dict[str, Any]:
    return {
        "input": arguments.input.name,
        "kind": signal.layout.kind,
        "shape": signal.layout.shape,
        "params": budget,
        "tolerance": TOLERANCE,
        "steps": bounds.steps,
        "usual_steps": max(plan.steps for plan in plans),
        "time": bounds.time,
        "seeds": arguments.seeds,
        "lr": arguments.lr,
        "tuned": arguments.tune,
        "measured": measured_part(signal).num_samples / signal.num_samples,
        "interrupted": False,
        "machine": system.describe(),
    }


def _write_figures(folder: Path, report: Report, signal: signals.AbstractGridSignal[Any]) -> None:
    shown = shown_part(signal)
    truth = view(shown.layout, torch.cat(list(shown.slabs())))
    ranked = report.ranked()
    views = {entry.arch: entry.view for entry in ranked if entry.view is not None}
    html = page(
        title=report.title(),
        notes=report.notes(),
        machine=report.facts["machine"],
        headings=HEADINGS,
        rows=report.rows(),
        entries=ranked,
        truth=truth,
        kind=report.facts["kind"],
    )
    write_atomically(folder / "compare.html", html.encode())
    curves = {e.arch: e.runs[0].curve for e in ranked}
    save_curves(folder / "curves.png", curves, colours(curves))
    titles = {e.arch: f"{e.arch}\n{cells(e)[2]} dB" for e in ranked}
    save_pictures(
        folder / "pictures.png",
        report.facts["kind"],
        truth,
        {titles[name]: seen for name, seen in views.items()},
    )
