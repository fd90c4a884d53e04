"""`neurafield solve`: from a problem to a field, a figure and the errors."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from .. import __version__
from .._files import check_can_write, write_atomically
from ..errors import NeurafieldError
from ..field_file import save
from ..fit import ProgressBar
from ..problems import Solution
from . import evolution, poisson_image, waves
from .main import DONE, INTERRUPTED
from .plots import require_matplotlib, save_panels

Runner = Callable[[argparse.Namespace, dict[str, Any]], Solution]
"""From the command's arguments, and those that all problems have, to a solution."""

RUNNERS: dict[str, Runner] = {
    "poisson-image": poisson_image.solve,
    "helmholtz": waves.solve_helmholtz,
    "inversion": waves.solve_inversion,
    "wave": waves.solve_wave,
    "mean-curvature": evolution.solve_mean_curvature,
    "transport": evolution.solve_transport,
    "morph": evolution.solve_morph,
}
"""What runs each problem of `solve_options.PROBLEMS`."""


def run(arguments: argparse.Namespace) -> int:
    """Solve, and leave NAME.field, NAME.png and NAME.json."""
    out = arguments.out or _default_out(arguments)
    if out.suffix != ".field":
        raise ValueError(f"{out}: expected a name that ends in .field, for the field goes there.")
    figure, report = out.with_suffix(".png"), out.with_suffix(".json")
    given = (getattr(arguments, name, None) for name in ("input", "second"))
    inputs = [path for path in given if path is not None]
    for path in (out, figure, report):
        check_can_write(path, force=arguments.force, inputs=inputs)
    require_matplotlib("solve")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    asked = {name: getattr(arguments, name) for name in ("seed", "time", "steps")}
    common = {name: value for name, value in asked.items() if value is not None}
    console = Console(stderr=True)
    with ProgressBar(console) as bar:
        solution = RUNNERS[arguments.problem](arguments, {**common, "callbacks": [bar]})
    figures = {"problem": arguments.problem, **solution.figures}
    about = {**solution.settings, **figures, "neurafield": __version__}
    # Times would make the bytes of equal runs differ.
    about.pop("seconds", None)
    save(out, solution.field, signal=solution.signal, fit=about)
    save_panels(figure, solution.panels)
    text = json.dumps(figures, indent=2)
    write_atomically(report, text.encode() + b"\n")
    print(summary(out, figures), file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps({**figures, "file": str(out), "figure": str(figure)}))
    if figures.get("status") != "interrupted":
        return DONE
    print(
        f"neurafield: interrupted at step {figures['steps']}; {out} holds what was found by then.",
        file=sys.stderr,
    )
    return INTERRUPTED


def summary(out: Path, figures: dict[str, Any]) -> str:
    """The figures in one line."""
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
        raise NeurafieldError(f"{source}: expected a file, got a folder.")
    return Path(f"{source.stem}-{arguments.problem}.field")
