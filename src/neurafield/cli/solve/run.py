"""`neurafield solve`: from a problem to a field, a figure and the errors."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ... import __version__
from ..._files import check_can_write, write_atomically
from ...errors import ArgumentError
from ...field_file import save
from ...fit import ProgressBar
from ...problems import Solution
from ..shared.command import DONE, INTERRUPTED, NUMERICAL_FAILURE
from ..shared.output import notice, notice_interrupted, report
from ..shared.plots import require_matplotlib
from ..shared.threads import use_threads
from .figures import save_panels
from .options import PROBLEMS


def run(arguments: argparse.Namespace) -> int:
    """Solve, and write NAME.field, NAME.png and NAME.json."""
    out = arguments.out or _default_out(arguments)
    if out.suffix != ".field":
        raise ArgumentError(f"{out}: expected a name that ends in .field. Choose another --out.")
    figure, summary = out.with_suffix(".png"), out.with_suffix(".json")
    given = (getattr(arguments, name, None) for name in ("input", "second"))
    inputs = [path for path in given if path is not None]
    for path in (out, figure, summary):
        check_can_write(path, force=arguments.force, inputs=inputs)
    require_matplotlib("solve")
    use_threads(arguments.threads)
    bounds = {name: getattr(arguments, name) for name in ("seed", "time", "steps")}
    common = {name: value for name, value in bounds.items() if value is not None}
    with ProgressBar(Console(stderr=True)) as bar:
        solution = PROBLEMS[arguments.problem].solve(arguments, {**common, "callbacks": [bar]})
    figures = {"problem": arguments.problem, **solution.figures}
    if figures.get("status") == "diverged":
        if arguments.json:
            print(json.dumps(figures))
        notice(f"{arguments.problem}: {figures['message']}. Nothing was written.")
        return NUMERICAL_FAILURE
    _write(out, solution, figures)
    report(
        summary_line(out, figures),
        as_json={**figures, "file": str(out), "figure": str(figure)} if arguments.json else None,
    )
    if figures.get("status") != "interrupted":
        return DONE
    notice_interrupted(figures["steps"], out)
    return INTERRUPTED


def _write(out: Path, solution: Solution, figures: Mapping[str, Any]) -> None:
    about = {**solution.settings, **figures, "neurafield": __version__}
    # No times, so that equal runs leave equal bytes.
    about.pop("seconds", None)
    save(out, solution.field, signal=solution.signal, fit=about)
    save_panels(out.with_suffix(".png"), solution.panels)
    write_atomically(out.with_suffix(".json"), json.dumps(figures, indent=2).encode() + b"\n")


def summary_line(out: Path, figures: Mapping[str, Any]) -> str:
    """The numbers among the figures in one line."""
    parts = [
        f"{name.replace('_', ' ')} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
        if isinstance(value, float | int) and not isinstance(value, bool)
    ]
    return f"{out}: {', '.join(parts)}; see {out.with_suffix('.png')}"


def _default_out(arguments: argparse.Namespace) -> Path:
    source = getattr(arguments, "input", None)
    if source is None:
        return Path(f"{arguments.problem}.field")
    if not source.name:
        raise ArgumentError(f"{source}: expected a file, got a folder.")
    return Path(f"{source.stem}-{arguments.problem}.field")
