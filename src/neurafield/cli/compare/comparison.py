"""Runs of each architecture for `neurafield compare`, with mean and spread of their figures."""

import dataclasses
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from rich.console import Console

from ... import signals
from ...architectures import ARCHITECTURES, Plan
from ...fields.field import Field
from ...fit import Constraint, Progress, ProgressBar, fit, metrics
from ...tasks import measured_part
from ..shared.output import notice

TUNING = (1 / 3, 1.0, 3.0)
"""Factors on the learning rate that `--tune` tries."""

TUNING_SHARE = 4
"""Length of a run, in trials of a learning rate."""

_POINTS = 200


@dataclass(frozen=True)
class Bounds:
    """Bounds of each run; it ends at the first that it reaches.

    Args:
        steps: Number of steps; None for no limit.
        time: Seconds of fitting; None for no limit.
    """

    steps: int | None
    time: float | None

    def shortened(self) -> "Bounds":
        """Bounds of a trial of a learning rate."""
        return Bounds(
            self.steps and max(1, self.steps // TUNING_SHARE),
            self.time and self.time / TUNING_SHARE,
        )


@dataclass(frozen=True)
class Run:
    """One fit.

    Args:
        seed: Seed of the initial parameters and the sampling.
        psnr: PSNR of the whole signal, in dB; infinite for an exact reproduction.
        ssim: Mean structural similarity; None where it is not defined.
        steps: Number of steps.
        seconds: Seconds of fitting alone.
        status: Status of the run, as in `fit.Result`.
        curve: PSNR of recent batches over steps and over seconds.
    """

    seed: int
    psnr: float
    ssim: float | None
    steps: int
    seconds: float
    status: str
    curve: dict[str, list[float]]


@dataclass
class Entry:
    """The runs of an architecture.

    Args:
        arch: Name of the architecture.
        params: Number of trainable parameters.
        lr: Learning rate of the runs.
        batch_size: Samples per step; None for all.
        tried: PSNR at each learning rate that was tried; empty without a search.
        runs: One run per seed.
        view: Picture of the first run's field.
        bytes: Size of its file.
    """

    arch: str
    params: int
    lr: float
    batch_size: int | None
    tried: dict[float, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    view: Shaped[np.ndarray, "..."] | None = None
    bytes: int = 0

    @property
    def about(self) -> str:
        """Description of the architecture in a few words."""
        return ARCHITECTURES[self.arch].about

    @property
    def diverged(self) -> bool:
        """True if a run diverged."""
        return any(run.status == "diverged" for run in self.runs)

    def spread(self, name: str) -> tuple[float, float] | None:
        """Mean and standard deviation of a figure over the seeds; None where it is not defined."""
        values = [getattr(run, name) for run in self.runs]
        if any(value is None for value in values):
            return None
        if any(map(math.isnan, values)):
            return None
        if not all(math.isfinite(value) for value in values):
            return math.inf, 0.0
        return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0

    def as_json(self) -> dict[str, Any]:
        """All but the picture as JSON values; an infinite PSNR is null."""
        values = {
            "arch": self.arch,
            "about": self.about,
            "params": self.params,
            "bytes": self.bytes,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "tried": [{"lr": lr, "psnr": _plain(psnr)} for lr, psnr in self.tried.items()],
        }
        for name in ("psnr", "ssim", "seconds"):
            found = self.spread(name)
            values[name] = found and {"mean": _plain(found[0]), "std": found[1]}
        runs = [{**dataclasses.asdict(run), "psnr": _plain(run.psnr)} for run in self.runs]
        return {**values, "runs": runs}


def compare_one(
    plan: Plan,
    signal: signals.AbstractGridSignal[Any],
    *,
    seeds: list[int],
    bounds: Bounds,
    lr: float | None,
    tune: bool,
    should_stop: Callable[[], bool],
    keep: Callable[[Field, Entry], None],
) -> Entry | None:
    """Fit an architecture with every seed.

    Args:
        plan: Plan of the architecture.
        signal: Signal to fit.
        seeds: Seeds, one run each.
        bounds: Bounds of each run.
        lr: Learning rate; None takes that of the architecture.
        tune: True to try several learning rates first, with the first seed.
        should_stop: Function that is called before each step; true ends the run.
        keep: Function that is called with the first seed's field, once it is measured.

    Returns:
        The runs, or None if it was stopped before the first had finished.
    """
    rate = plan.lr if lr is None else lr
    entry = Entry(plan.arch, plan.field.num_parameters, rate, plan.batch_size)
    measured = measured_part(signal)

    def one(seed: int, rate: float, bounds: Bounds, title: str) -> tuple[Field, Run] | None:
        field = plan.with_seed(seed)
        curve: dict[str, list[float]] = {"steps": [], "seconds": [], "psnr": []}

        def record(progress: Progress) -> None:
            if progress.psnr is not None and math.isfinite(progress.psnr):
                curve["steps"].append(progress.step)
                curve["seconds"].append(round(progress.seconds, 4))
                curve["psnr"].append(round(progress.psnr, 3))

        with ProgressBar(Console(stderr=True), title=f"{title:<24}") as bar:
            result = fit(
                field,
                Constraint(signal=signal, batch_size=plan.batch_size),
                steps=bounds.steps,
                time=bounds.time,
                lr=rate,
                micro_batch=plan.micro_batch,
                seed=seed,
                callbacks=[bar, record],
                should_stop=should_stop,
            )
        if result.status == "interrupted":
            return None
        if result.status == "diverged":
            notice(f"{plan.arch}: {result.message}.")
        quality = metrics.evaluate(field, measured)
        return field, Run(
            seed=seed,
            psnr=quality.psnr,
            ssim=quality.ssim,
            steps=result.step,
            seconds=round(result.seconds, 3),
            status=result.status,
            curve={name: _thinned(values) for name, values in curve.items()},
        )

    for factor in TUNING if tune else ():
        rate = entry.lr * factor
        trial = one(seeds[0], rate, bounds.shortened(), f"{plan.arch}, lr {rate:.2g}")
        if trial is None:
            return None
        entry.tried[rate] = trial[1].psnr
    if entry.tried:
        entry.lr = max(entry.tried, key=lambda rate: entry.tried[rate])
    for seed in seeds:
        title = plan.arch if len(seeds) == 1 else f"{plan.arch}, seed {seed}"
        done = one(seed, entry.lr, bounds, title)
        if done is None:
            break
        entry.runs.append(done[1])
        if seed == seeds[0]:
            keep(done[0], entry)
    return entry if entry.runs else None


def _thinned(values: list[float]) -> list[float]:
    if len(values) <= _POINTS:
        return values
    # Denser at the first steps, where the curve changes most.
    chosen = np.unique(np.geomspace(1, len(values), _POINTS).round().astype(int) - 1)
    return [values[i] for i in chosen]


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def shown_part(signal: signals.AbstractGridSignal[Any]) -> signals.AbstractGridSignal[Any]:
    """The part that figures show: the middle frame of a clip or slice of a volume, else all."""
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
