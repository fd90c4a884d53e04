"""Figure of `neurafield solve`: solution, reference and error side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ...problems import Panel
from ..shared.plots import new_figure, save_figure


def save_panels(path: Path, panels: Sequence[Panel]) -> None:
    """Panels in a row; those of one scale share their colours; NaN is grey."""
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
    """Ends of the colour scale; a few extreme values at a source or a corner lie outside."""
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
    """A grey background, which hidden axes do not paint themselves."""
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, transform=axes.transAxes, color="lightgrey", zorder=-1)
