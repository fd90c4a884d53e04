"""The figures of `neurafield analyze spectrum`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from ...analysis import HALF, KernelSpectrum, Learning
from ..shared.plots import new_figure, save_figure

COLUMNS = 5
"""Largest number of architectures in a row."""
# Okabe and Ito's colours, which are distinct for any colour vision; dashed from the eighth on.
COLOURS = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#0072B2", "#CC79A7")
DASHES = ("-", "--", ":", "-.")


def save_spectra(
    path: Path,
    ranges: Sequence[tuple[float, float]],
    fits: Mapping[str, tuple[str, Sequence[Learning]]],
    *,
    response: bool,
) -> None:
    """For each architecture a heat map of band by step, and a curve per band below.

    Args:
        path: Picture to write.
        ranges: Frequencies of the bands.
        fits: Title and runs of each architecture. The figure shows the mean of the longest runs;
            a run that diverged is shorter.
        response: True to colour by the share of each component that the field has, as in the
            figure of the spectral bias paper; False to colour by the remaining error.
    """
    columns = min(COLUMNS, len(fits))
    rows = -(-len(fits) // columns)
    figure = new_figure(1.3 + 2.7 * columns, 5.6 * rows)
    maps = []
    for i, (title, runs) in enumerate(fits.values()):
        row, column = divmod(i, columns)
        top = figure.add_subplot(2 * rows, columns, 2 * row * columns + column + 1)
        bottom = figure.add_subplot(
            2 * rows, columns, (2 * row + 1) * columns + column + 1, sharex=top
        )
        top.set_title(title, fontsize=11)
        steps, error, answer = _mean(runs)
        shown = answer if response else error
        maps.append((top, _heat_map(top, steps, shown, response=response)))
        _mark_half(top, steps, error)
        _curves(bottom, steps, error)
        for axes in (top, bottom):
            axes.set_xscale("log")
            axes.tick_params(labelsize=9)
        top.tick_params(labelbottom=False)
        _label_bands(top, ranges, first=column == 0)
        bottom.set_xlabel("step")
        if column == 0:
            top.set_ylabel("cycles across the box")
            bottom.set_ylabel("error of the band,\nrelative amplitude")
        else:
            bottom.tick_params(labelleft=False)
    label = "amplitude / the signal's" if response else "error / the signal's amplitude"
    colours = figure.colorbar(
        maps[0][1],
        ax=[axes for axes, _ in maps],
        extend="max" if response else "both",
        pad=0.01,
        shrink=0.9,
    )
    colours.set_label(label)
    bands = figure.colorbar(
        _band_colours(len(ranges)), ax=figure.axes[1 : 2 * len(fits) : 2], pad=0.01, shrink=0.9
    )
    bands.set_label("cycles across the box")
    bands.set_ticks(range(len(ranges)), labels=[band_name(limits) for limits in ranges])
    bands.ax.tick_params(labelsize=8)
    save_figure(figure, path)


def _mean(runs: Sequence[Learning]) -> tuple[Any, Any, Any]:
    """Steps, and mean error and response of the longest runs; NaN up to three steps."""
    longest = max(len(run.steps) for run in runs)
    runs = [run for run in runs if len(run.steps) == longest]
    steps = runs[0].steps
    more = max(0, 3 - longest)
    steps += tuple(steps[-1] + i for i in range(1, more + 1))
    means = [
        np.mean([getattr(run, name) for run in runs], axis=0) for name in ("error", "response")
    ]
    error, response = (np.pad(m, ((0, more), (0, 0)), constant_values=np.nan) for m in means)
    return np.array(steps), error, response


def _heat_map(
    axes: Any,
    steps: Int64[np.ndarray, " n"],
    shown: Float[np.ndarray, "n bands"],
    *,
    response: bool,
) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    # A logarithmic axis has no step 0, so the initial field is left out. Each cell lies around
    # its step.
    inner = np.sqrt(steps[1:-1] * steps[2:])
    edges = np.concatenate([[steps[1]], inner, [steps[-1]]])
    bands = np.arange(shown.shape[1] + 1) - 0.5
    norm = Normalize(0, 1) if response else LogNorm(0.01, 1)
    # Yellow is learned, dark is not.
    colours = "viridis" if response else "viridis_r"
    values = np.ma.masked_invalid(shown[1:].T)
    axes.set_facecolor("lightgrey")
    return axes.pcolormesh(edges, bands, values, cmap=colours, norm=norm)


def _mark_half(
    axes: Any, steps: Int64[np.ndarray, " n"], error: Float[np.ndarray, "n bands"]
) -> None:
    """A dot at the step at which a band is learned."""
    until = Learning(tuple(steps.tolist()), error, error, "").steps_until()
    dots = [(step, band) for band, step in enumerate(until) if step is not None]
    if dots:
        x, y = zip(*dots, strict=True)
        axes.plot(x, y, "o", color="white", markeredgecolor="black", markersize=4, clip_on=False)


def _curves(axes: Any, steps: Int64[np.ndarray, " n"], error: Float[np.ndarray, "n bands"]) -> None:
    colours = _band_colours(error.shape[1])
    for band, column in enumerate(error.T):
        axes.plot(steps[1:], column[1:], color=colours.to_rgba(band), linewidth=1.2)
    axes.axhline(HALF, color="grey", linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylim(0.008, 3)
    axes.grid(alpha=0.25)


def _band_colours(count: int) -> Any:
    """Dark for low frequencies, bright for high ones."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    # Plasma's end is too pale for lines on white.
    colours = ListedColormap(colormaps["plasma"](np.linspace(0, 0.88, count)))
    return ScalarMappable(BoundaryNorm(np.arange(count + 1) - 0.5, count), colours)


def _label_bands(axes: Any, ranges: Sequence[tuple[float, float]], *, first: bool) -> None:
    axes.set_yticks(range(len(ranges)), labels=[band_name(limits) for limits in ranges])
    axes.tick_params(labelleft=first)


def band_name(limits: tuple[float, float]) -> str:
    """Frequency of a band, or its lowest and highest."""
    low, high = (f"{limit:.0f}" if limit >= 10 else f"{limit:g}" for limit in limits)
    return low if low == high else f"{low}–{high}"


def lowest_decade(values: Float[np.ndarray, " n"]) -> float:
    """The power of ten below all positive values; at least 1e-8, below which all is rounding."""
    least = values[values > 0].min(initial=1.0)
    return float(max(10.0 ** np.floor(np.log10(least)), 1e-8))


def save_kernels(path: Path, kernels: Mapping[str, KernelSpectrum]) -> None:
    """Eigenvalues of each tangent kernel, and its learning rate for each frequency."""
    figure = new_figure(10, 4.2)
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    for i, (name, kernel) in enumerate(kernels.items()):
        style = {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": DASHES[i // len(COLOURS) % len(DASHES)],
            "label": f"{name} (effective rank {kernel.effective_rank:.1f})",
            "linewidth": 1.5,
        }
        eigenvalues = (kernel.eigenvalues / kernel.eigenvalues[0]).numpy()
        left.plot(np.arange(1, len(eigenvalues) + 1), eigenvalues, **style)
        rates = (kernel.rates / kernel.rates.max()).numpy()
        right.plot(kernel.frequencies.numpy(), rates, **style)
    left.set_title("Eigenvalues of the initial tangent kernel", fontsize=11)
    left.set_xlabel("index")
    left.set_ylabel("eigenvalue / the largest")
    right.set_title("Initial learning rate of a cosine", fontsize=11)
    right.set_xlabel("cycles across the box")
    right.set_ylabel("rate / rate of the fastest cosine")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        lines = [np.asarray(line.get_ydata(), dtype=float) for line in axes.lines]
        axes.set_ylim(lowest_decade(np.concatenate(lines)), 2)
        axes.grid(alpha=0.25)
    left.legend(fontsize=9, loc="lower left")
    save_figure(figure, path)
