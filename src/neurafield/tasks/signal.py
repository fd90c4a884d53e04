"""Task for samples on a grid: pictures, sound, video, volumes."""

import math
from pathlib import Path
from typing import Any

from torch import nn

from .. import architectures, signals
from ..errors import ArgumentError
from ..fit import Constraint, Problem, metrics
from ._base import AbstractTask, Advance
from .levels import at_every_level
from .settings import Settings

MEASURED_SAMPLES = 2**21
"""Largest number of samples of a clip or volume that is measured whole."""


class SignalTask(AbstractTask):
    """Fits a field to a signal on a grid.

    Args:
        path: Picture, sound, video or volume.

    Raises:
        SignalError: If the file cannot be read.
    """

    figures = ("psnr", "ssim", "mse")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.signal = signals.load(path)

    def fingerprint(self) -> str:
        return self.signal.fingerprint()

    def with_defaults(self, settings: Settings) -> Settings:
        for name in ("quantity", "truncation"):
            if getattr(settings, name) is not None:
                raise ArgumentError(
                    f"{self.path}: expected a mesh or points for {name}, got "
                    f"{self.signal.layout.kind}. Leave {name} out."
                )
        return settings

    def plan(self, settings: Settings) -> architectures.Plan:
        return architectures.plan(
            self.signal.layout.extent,
            settings.arch,
            num_parameters=settings.params,
            seed=0 if settings.seed is None else settings.seed,
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
        if "psnr" not in figures:
            return ["not measured"]
        psnr, ssim = figures["psnr"], figures.get("ssim")
        parts = ["exact" if psnr is None else f"PSNR {psnr:.2f} dB"]
        if ssim is not None:
            parts.append(f"SSIM {ssim:.4f}")
        measured = figures.get("measured", 1)
        if measured < 1:
            parts[-1] += f" (measured on {measured:.1%} of it, evenly spaced)"
        return parts


def measured_part(
    signal: signals.AbstractGridSignal[Any],
) -> signals.AbstractGridSignal[Any]:
    """The part on which PSNR and SSIM are measured.

    Returns:
        The signal itself, or evenly spaced frames or slices of a clip or volume with more than
        `MEASURED_SAMPLES` samples.
    """
    num_slices = signal.layout.shape[0]
    wanted = max(1, MEASURED_SAMPLES * num_slices // signal.num_samples)
    if signal.layout.kind not in ("video", "volume") or wanted >= num_slices:
        return signal
    step = -(-num_slices // wanted)
    return signal.slices(range((num_slices - 1) % step // 2, num_slices, step))
