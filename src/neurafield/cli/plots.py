"""Figures, with matplotlib: drawn to files, never to a screen."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from .._files import atomic_path
from ..errors import NeurafieldError
from ..problems import Panel

_COLUMNS = 6
"""Pictures in a row, at most."""


def save_curves(
    path: Path, curves: dict[str, dict[str, list[float]]], colours: dict[str, str]
) -> None:
    """PSNR over steps and over time, a line an architecture, the best first in the legend."""
    figure = new_figure(13, 5)
    for column, unit in enumerate(("steps", "seconds")):
        axes = figure.add_subplot(1, 2, column + 1)
        for name, curve in curves.items():
            label = name if column == 0 else None
            axes.plot(curve[unit], curve["psnr"], label=label, linewidth=1, color=colours[name])
        axes.set_xscale("log")
        axes.set_xlabel(unit)
        axes.set_ylabel("PSNR of recent batches, dB")
        axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize="small", ncols=1 + len(curves) // 24)
    save_figure(figure, path)


def save_pictures(
    path: Path,
    kind: str,
    truth: Shaped[np.ndarray, "..."],
    views: dict[str, Shaped[np.ndarray, "..."]],
) -> None:
    """The truth and each architecture's rendering; below it where and how much it errs."""
    named = [("original", truth), *views.items()]
    columns = min(_COLUMNS, len(named))
    rows = -(-len(named) // columns)
    figure = new_figure(3 * columns, (6 if kind != "audio" else 4) * rows)
    for number, (name, image) in enumerate(named):
        row, column = divmod(number, columns)
        top = figure.add_subplot(2 * rows, columns, 2 * row * columns + column + 1)
        top.set_title(name)
        bottom = figure.add_subplot(2 * rows, columns, (2 * row + 1) * columns + column + 1)
        if kind == "audio":
            top.plot(image, linewidth=0.3)
            bottom.plot(image - truth, linewidth=0.3, color="tab:red")
            top.set_ylim(-1, 1)
            bottom.set_ylim(-1, 1)
            continue
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if image.ndim == 2 else {}
        top.imshow(image, **grey)
        top.axis("off")
        bottom.axis("off")
        if number == 0:
            text = "error:\nblack none,\nlight yellow 20 %\nof the range or more"
            bottom.text(0.5, 0.5, text, ha="center", va="center", transform=bottom.transAxes)
            continue
        error = np.abs(image - truth)
        bottom.imshow(error if error.ndim == 2 else error.mean(-1), cmap="magma", vmin=0, vmax=0.2)
    save_figure(figure, path)


def save_panels(path: Path, panels: Sequence[Panel]) -> None:
    """A problem's panels in a row; those of one scale share their colours; what is NaN is grey."""
    figure = new_figure(4 * len(panels), 4)
    for column, panel in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), column + 1)
        axes.set_title(panel.title)
        axes.axis("off")
        if panel.values.ndim == 3:
            axes.imshow(panel.values.clip(0, 1))
            continue
        alike = [p.values[np.isfinite(p.values)] for p in panels if p.scale == panel.scale]
        low, high = _limits(np.concatenate(alike), panel)
        colours = "RdBu_r" if panel.signed else "gray" if panel.scale == "values" else "magma"
        shown = np.ma.masked_invalid(panel.values)
        axes.add_patch(_background(axes))
        image = axes.imshow(shown, cmap=colours, vmin=low, vmax=high)
        beyond = {(False, False): "neither", (False, True): "max"}
        ends = bool((shown < low).any()), bool((shown > high).any())
        figure.colorbar(image, ax=axes, shrink=0.8, extend=beyond.get(ends, "both"))
    save_figure(figure, path)


def _limits(values: Shaped[np.ndarray, " n"], panel: Panel) -> tuple[float, float]:
    """Where the colours end. A few extremes, a source or a corner, must not hide all the rest."""
    if not len(values):
        return 0.0, 1.0
    if panel.signed:
        high = float(np.percentile(np.abs(values), 99.5)) or float(np.abs(values).max()) or 1.0
        return -high, high
    if panel.scale == "values":
        low, high = float(values.min()), float(values.max())
    else:
        low, high = 0.0, float(np.percentile(values, 99.5)) or float(values.max())
    return low, high if high > low else low + 1.0


def _background(axes: Any) -> Any:
    """Grey behind a picture, which an axes without axes does not paint itself."""
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, transform=axes.transAxes, color="lightgrey", zorder=-1)


def require_matplotlib(command: str = "compare") -> None:
    """Require the package before hours are spent on what it shall draw.

    Raises:
        NeurafieldError: If it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise NeurafieldError(
            f"{command}: needs the package matplotlib. Run: pip install 'neurafield[plot]'."
        )


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write it, all or nothing."""
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
