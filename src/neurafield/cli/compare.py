"""`neurafield compare`: several architectures of one size, on one signal, side by side."""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from .. import architectures, signals, system
from .._files import write_atomically
from ..field_file import save
from ..fields.field import Field
from .compare_page import page
from .comparison import Bounds, Entry, compare_one, shown_part, view
from .fit_signal import measured_part
from .interruption import interruption
from .main import DONE, INTERRUPTED, NUMERICAL_FAILURE
from .page_chart import colours
from .plots import require_matplotlib, save_curves, save_pictures

BUDGET_TOLERANCE = 0.05
_STEPS = 1000
_HEADINGS = ("architecture", "parameters", "PSNR, dB", "SSIM", "seconds", "steps", "lr", "bytes")


@dataclass
class Report:
    """What is known of a comparison so far; see `compare.json`.

    Args:
        facts: About all runs.
        entries: In the order of the names.
        left_out: Architectures that `all` names but the budget does not allow, with the reason.
    """

    facts: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def ranked(self) -> list[Entry]:
        """The best first."""
        return sorted(self.entries, key=lambda e: -(e.spread("psnr") or (0.0, 0.0))[0])

    def title(self) -> str:
        """Signal and budget."""
        shape = self.facts["shape"]
        size = " x ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]:,} samples"
        return f"{self.facts['input']}, {size}: {self.facts['params']:,} parameters each"

    def notes(self) -> list[str]:
        """What one must know to read the table, a sentence each."""
        seeds = self.facts["seeds"]
        notes = [
            f"Parameters: {self.facts['params']:,} asked for, met by each within "
            f"{BUDGET_TOLERANCE:.0%}. Seconds are of fitting alone, bytes of the field's file.",
            f"One run, seed {seeds[0]}."
            if len(seeds) == 1
            else f"Mean ± standard deviation over {len(seeds)} runs, seeds "
            f"{', '.join(map(str, seeds))}.",
        ]
        if any(entry.tried for entry in self.entries):
            notes.append(
                "Learning rate: the best of three, x 1/3, 1 and 3, by the PSNR after a quarter of "
                "a run with the first seed; * where it is the lowest or highest, and a further one "
                "(--lr) may be better still."
            )
        elif self.facts["lr"] is None:
            notes.append("Learning rate: each architecture's default.")
        if (self.facts["steps"] or self.facts["usual_steps"]) < self.facts["usual_steps"] / 4:
            notes.append(
                f"Few steps: neurafield fit takes up to {self.facts['usual_steps']:,} on this "
                "signal, and the order may be another then."
            )
        if self.facts["measured"] < 1:
            notes.append(f"PSNR and SSIM of {self.facts['measured']:.1%}, evenly spaced.")
        if self.facts["interrupted"]:
            notes.append("Interrupted: what had finished is here.")
        notes += [f"Left out: {name}: {reason}" for name, reason in self.left_out.items()]
        return notes

    def rows(self) -> list[list[str]]:
        """The table's cells, the best first."""
        return [cells(entry) for entry in self.ranked()]


def run(arguments: argparse.Namespace) -> int:
    """Fit each in turn; a folder with tables, a page, pictures, curves and fields is left."""
    folder = arguments.out or Path(f"{arguments.input.stem}-compare")
    check_folder(folder, arguments.force)
    require_matplotlib()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    for option, values in (("--archs", arguments.archs), ("--seeds", arguments.seeds)):
        if len(set(values)) < len(values):
            raise ValueError(f"{option}: expected different ones, got {' '.join(map(str, values))}")
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
            # At once, so that a crash leaves what was found until then.
            if report.entries:
                _write_tables(folder, report)
            if interrupted():
                break
    if not report.entries:
        if created:
            folder.rmdir()
        raise KeyboardInterrupt("interrupted before a run was done; nothing was written.")
    _write_figures(folder, report, signal)
    _print_table(report)
    print(f"{folder}: compare.html, compare.md, compare.json, pictures and curves, and the fields")
    if report.facts["interrupted"]:
        done = f"{len(report.entries)} of {len(plans)} architectures"
        print(f"neurafield: interrupted; {folder} holds {done}.", file=sys.stderr)
        return INTERRUPTED
    return NUMERICAL_FAILURE if any(entry.diverged for entry in report.entries) else DONE


def print_architectures() -> None:
    """All names, what they stand for, and which signals they serve."""
    table = Table("name", "axes", "lr", "what it is", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for name, arch in architectures.ARCHITECTURES.items():
        table.add_row(name, " ".join(map(str, arch.dims)), f"{arch.lr:.2g}", arch.about)
    console = Console(file=sys.stdout)
    console.print(table)
    console.print("Axes: 1 of sound, 2 of pictures, 3 of video and volumes. lr: learning rate.")


def check_folder(folder: Path, force: bool) -> None:
    """Require a folder that may be written into.

    Raises:
        OSError: If it is a file, or has files in it and `force` is false, or its parent is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected a folder, got a file. Choose another --out")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(f"{folder}: has files in it. Give --force to write among them.")
    if not folder.parent.is_dir():
        raise NotADirectoryError(f"{folder}: the folder {folder.parent} does not exist.")


def _plans(
    arguments: argparse.Namespace, signal: signals.AbstractGridSignal[Any]
) -> tuple[int, list[architectures.Plan], dict[str, str]]:
    """The budget, a plan of that size for each name, and which of `all` there is none for."""
    extent, everything = signal.layout.extent, arguments.archs == ["all"]
    if "all" in arguments.archs and not everything:
        raise ValueError("--archs: expected all by itself, or names; got both.")
    names = architectures.serving(extent) if everything else arguments.archs
    budget = arguments.params or (
        architectures.plan(
            extent, None if everything else names[0], signal=signal
        ).field.num_parameters
    )
    plans, left_out = [], {}
    for name in names:
        try:
            plan = architectures.plan(
                extent, name, num_parameters=budget, seed=arguments.seeds[0], signal=signal
            )
            if abs(plan.field.num_parameters / budget - 1) > BUDGET_TOLERANCE:
                raise ValueError(
                    f"{budget} parameters: {name} comes no closer than "
                    f"{plan.field.num_parameters}. Choose more with --params"
                )
            plans.append(plan)
        except ValueError as error:
            if not everything:
                raise
            left_out[name] = str(error)
    if not plans:
        raise ValueError(f"--params: no architecture meets {budget}. Choose more.")
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
        "tolerance": BUDGET_TOLERANCE,
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


def _write_tables(folder: Path, report: Report) -> None:
    values = {
        **report.facts,
        "left_out": report.left_out,
        "architectures": [entry.as_json() for entry in report.entries],
    }
    write_atomically(folder / "compare.json", (json.dumps(values, indent=1) + "\n").encode())
    # A file's name may hold what Markdown would read as its own.
    title = "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in report.title())
    lines = [
        f"# {title}",
        "",
        f"| {' | '.join(_HEADINGS)} |",
        "|---" + "|--:" * (len(_HEADINGS) - 1) + "|",
        *(f"| {' | '.join(row)} |" for row in report.rows()),
        "",
        *(f"- {note}" for note in report.notes()),
        "",
    ]
    write_atomically(folder / "compare.md", "\n".join(lines).encode())


def _write_figures(folder: Path, report: Report, signal: signals.AbstractGridSignal[Any]) -> None:
    shown = shown_part(signal)
    truth = view(shown.layout, torch.cat(list(shown.slabs())))
    ranked = report.ranked()
    views = {entry.arch: entry.view for entry in ranked if entry.view is not None}
    html = page(
        title=report.title(),
        notes=report.notes(),
        machine=report.facts["machine"],
        headings=_HEADINGS,
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


def _print_table(report: Report) -> None:
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in report.rows():
        table.add_row(*row)
    console = Console(file=sys.stdout)
    # A terminal may be narrower: a figure cut in the middle is worse than a long line.
    for column, heading in zip(table.columns, _HEADINGS, strict=True):
        column.no_wrap = True
        column.min_width = max(len(heading), *(len(str(cell)) for cell in column.cells))
    print(report.title())
    console.print(table, soft_wrap=True, crop=False)
    for note in report.notes():
        print(note)


def cells(entry: Entry) -> list[str]:
    """An architecture's row, a text for each heading."""
    edge = entry.tried and entry.lr in (min(entry.tried), max(entry.tried))
    return [
        entry.arch + (" (diverged)" if entry.diverged else ""),
        f"{entry.params:,}",
        _figure(entry, "psnr", ".2f"),
        _figure(entry, "ssim", ".4f"),
        _figure(entry, "seconds", ".1f"),
        f"{max(run.steps for run in entry.runs):,}",
        f"{entry.lr:.2g}{'*' if edge else ''}",
        f"{entry.bytes:,}",
    ]


def _figure(entry: Entry, name: str, form: str) -> str:
    found = entry.spread(name)
    if found is None:
        return "–"
    if found[0] == float("inf"):
        return "exact"
    mean = format(found[0], form)
    return mean if len(entry.runs) == 1 else f"{mean} ± {format(found[1], form)}"
