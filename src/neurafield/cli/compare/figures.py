"""Figures of `neurafield compare`: curves of the PSNR, and pictures with their errors."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from ..shared.plots import new_figure, save_figure

_COLUMNS = 6
"""Largest number of pictures in a row."""


def save_curves(
    path: Path, curves: dict[str, dict[str, list[float]]], colours: dict[str, str]
) -> None:
    """PSNR over steps and over time, one line per architecture, the best first in the legend."""
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
    """The truth and the rendering of each architecture, with the error below."""
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
