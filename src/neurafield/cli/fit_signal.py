"""`neurafield fit` of samples on a grid: pictures, sound, video, volumes."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from torch import nn

from .. import architectures, signals
from ..fit import Constraint, Problem, metrics
from ..maps import LevelOfDetail
from .fit_task import AbstractTask, Advance, Settings

MEASURED_SAMPLES = 2**21
"""Clips and volumes with more samples are measured on evenly spaced frames or slices."""


class SignalTask(AbstractTask):
    """A signal on a grid, read from a file."""

    figures = ("psnr", "ssim", "mse")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.signal = signals.load(path)

    def fingerprint(self) -> str:
        return self.signal.fingerprint()

    def completed(self, settings: Settings) -> Settings:
        for name in ("quantity", "truncation"):
            if getattr(settings, name) is not None:
                raise ValueError(
                    f"{self.path}: expected a mesh or points for --{name}, got "
                    f"{self.signal.layout.kind}. Leave the option out."
                )
        return settings

    def plan(self, settings: Settings) -> architectures.Plan:
        return architectures.plan(
            self.signal.layout.extent,
            settings.arch,
            num_parameters=settings.params,
            seed=settings.seed,
            signal=self.signal,
        )

    def problem(self, plan: architectures.Plan, settings: Settings) -> Problem:
        whole = Constraint(signal=self.signal, batch_size=plan.batch_size)
        return at_every_level(whole, plan) if settings.levels else whole

    def spec(self, settings: Settings) -> dict[str, Any]:
        return self.signal.layout.spec()

    def measure(
        self, field: nn.Module, settings: Settings, advance: Advance | None
    ) -> dict[str, Any]:
        measured = measured_part(self.signal)
        quality = metrics.evaluate(field, measured, on_progress=advance)
        return {
            "mse": quality.mse,
            "psnr": quality.psnr if math.isfinite(quality.psnr) else None,
            "ssim": quality.ssim,
            "measured": measured.num_samples / self.signal.num_samples,
        }

    def summary(self, figures: dict[str, Any]) -> list[str]:
        parts = [f"PSNR {figures['psnr']:.2f} dB" if "psnr" in figures else "exact"]
        if "ssim" in figures:
            parts.append(f"SSIM {figures['ssim']:.4f}")
        if "measured" in figures:
            parts[-1] += f" (of {figures['measured']:.1%} of it, evenly spaced)"
        return parts


def at_every_level(whole: Constraint, plan: architectures.Plan) -> Problem:
    """A constraint besides at each coarser level of detail, all with the same weight.

    Raises:
        ValueError: If the architecture has one level only.
    """
    num_coarser = plan.field.num_lods - 1
    if not num_coarser:
        raise ValueError(
            f"fit: expected an architecture with levels of detail for --levels, got {plan.arch}. "
            "Take hash, nglod or bacon."
        )
    coarser = [
        dataclasses.replace(whole, map=LevelOfDetail(lod), name=f"level {lod}")
        for lod in range(num_coarser)
    ]
    return [*coarser, whole]


def measured_part(
    signal: signals.AbstractGridSignal[Any],
) -> signals.AbstractGridSignal[Any]:
    """What PSNR and SSIM are taken of: everything, or evenly spaced frames of a long clip."""
    num_slices = signal.layout.shape[0]
    wanted = max(1, MEASURED_SAMPLES * num_slices // signal.num_samples)
    if signal.layout.kind not in ("video", "volume") or wanted >= num_slices:
        return signal
    step = -(-num_slices // wanted)
    return signal.slices(range((num_slices - 1) % step // 2, num_slices, step))
