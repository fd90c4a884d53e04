"""Outcome of fitting a field to a file."""

import dataclasses
import functools
import importlib.metadata
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import architectures
from ..field_file import save
from ..fields.field import Field
from ..fit import Result
from ._base import AbstractTask, Advance
from .settings import Settings


@dataclass(frozen=True)
class FitResult:
    """Outcome of `fit_file`: the field, its figures of quality, and how the run ended.

    Args:
        task: Input of the fit.
        plan: Plan whose field was trained.
        settings: Settings of the run, with all defaults filled in.
        ended: Outcome of the training loop.
        figures: Figures of quality as JSON values: `psnr` in dB (None for an exact
            reproduction), `ssim`, `mse` and `measured`, the share of the samples that was
            measured; for shapes `surface_error` and `iou`. Empty before measuring.
        checkpoint: File that keeps the state of the run, if there is one.
    """

    task: AbstractTask
    plan: architectures.Plan
    settings: Settings
    ended: Result
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    checkpoint: Path | None = None

    @property
    def field(self) -> Field:
        """The fitted field."""
        return self.plan.field

    @property
    def arch(self) -> str:
        """Name of the architecture."""
        return self.plan.arch

    @property
    def status(self) -> str:
        """Reason for the end: `"steps"`, `"time"`, `"target_psnr"`, `"interrupted"`, `"diverged"`.

        The field of a diverged run is that of the last good checkpoint.
        """
        return self.ended.status

    @property
    def finished(self) -> bool:
        """True unless the run was interrupted or diverged."""
        return self.status not in ("interrupted", "diverged")

    @property
    def message(self) -> str:
        """A sentence on a diverged fit: which term was not finite, and what helps; else ""."""
        return self.ended.message

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.ended.step

    @property
    def seconds(self) -> float:
        """Seconds of fitting, over all resumed parts."""
        return self.ended.seconds

    @property
    def psnr(self) -> float | None:
        """PSNR in dB, infinite for an exact reproduction; None for shapes and before measuring."""
        if "psnr" not in self.figures:
            return None
        return math.inf if self.figures["psnr"] is None else float(self.figures["psnr"])

    @property
    def ssim(self) -> float | None:
        """Mean structural similarity, for pictures and video."""
        return self.figures.get("ssim")

    @property
    def mse(self) -> float | None:
        """Mean squared error of values in [-1, 1], for signals on a grid."""
        return self.figures.get("mse")

    @property
    def iou(self) -> float | None:
        """Intersection over union of the insides, in [0, 1], for shapes that have one."""
        return self.figures.get("iou")

    @property
    def surface_error(self) -> float | None:
        """Mean absolute error of the distance near the surface, in coordinates, for shapes."""
        return self.figures.get("surface_error")

    @property
    def notices(self) -> list[str]:
        """Sentences about the input, such as that a mesh is open."""
        return self.task.notices(self.settings)

    @property
    def summary(self) -> str:
        """Figures, size and effort in one line."""
        return summary_line(self.task, self.about, seconds=self.seconds)

    @property
    def warning(self) -> str:
        """A sentence about poor figures or a missed target, and what helps; "" if all is well."""
        target = self.settings.target_psnr
        if target is not None and self.psnr is not None and self.psnr < target:
            return f"the fit stopped before {target:g} dB. Allow more steps or time."
        return self.task.warning(dict(self.figures))

    @functools.cached_property
    def about(self) -> dict[str, Any]:
        """Settings and figures as the field file keeps them, under `fit`."""
        settings = self.settings
        # No times, so that equal runs leave equal bytes.
        values = {
            "input": self.task.path.name,
            "input_sha256": self.task.fingerprint(),
            "arch": self.arch,
            "params": self.field.num_parameters,
            "levels": settings.levels,
            "quantity": settings.quantity,
            "truncation": settings.truncation,
            "seed": settings.seed,
            "lr": settings.lr,
            "batch_size": self.plan.batch_size,
            "steps": self.steps,
            "skipped": self.ended.skipped,
            "neurafield": importlib.metadata.version("neurafield"),
        }
        for name in ("quantity", "truncation"):
            if values[name] is None:
                del values[name]
        return {**values, **self.figures}

    def measured(self, advance: Advance | None = None) -> "FitResult":
        """The same result with its figures of quality.

        Args:
            advance: Function that is called with the finished share of the work, from 0 to 1.
        """
        figures = self.task.measure(self.field, self.settings, advance)
        return dataclasses.replace(self, figures=figures)

    def save(self, path: str | Path) -> None:
        """Writes the field file, all or nothing; then deletes the checkpoint of a finished run.

        Args:
            path: File to write, by convention with the suffix `.field`. An existing one is
                replaced.

        Raises:
            OSError: If the file cannot be written.
        """
        save(
            path,
            self.field,
            signal=self.task.spec(self.settings),
            fit=self.about,
            unknowns=self.ended.unknowns,
        )
        if self.checkpoint is not None and self.finished:
            self.checkpoint.unlink(missing_ok=True)


def summary_line(task: AbstractTask, about: Mapping[str, Any], *, seconds: float | None) -> str:
    """Figures, size and effort of a fit in one line.

    Args:
        task: Input of the fit.
        about: Settings and figures as the field file keeps them.
        seconds: Seconds of fitting; None if they are unknown.
    """
    parts = [
        *task.summary(dict(about)),
        f"{about['params']:,} parameters",
        f"{about['steps']:,} steps",
    ]
    if seconds is not None:
        parts.append(f"{seconds:.1f} s")
    return ", ".join(parts)
