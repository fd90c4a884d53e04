"""Progress reports and their callbacks: progress bar, JSON log, TensorBoard."""

import json
import math
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import rich.progress
from rich.console import Console

from .._checks import check_count
from ..errors import NeurafieldError

MAX_UNKNOWNS = 3
"""Maximum number of unknowns that the progress bar shows."""


@dataclass(frozen=True)
class Progress:
    """The state of a fit after a step.

    Args:
        step: Number of steps done.
        fraction: Completed fraction of the run, by steps or by time, in [0, 1].
        seconds: Time spent fitting, over all resumed parts.
        loss: Weighted sum of the terms.
        terms: Values of the terms, unweighted.
        psnr: PSNR in dB, smoothed over steps; None unless the problem is one signal's values.
        learning_rate: Learning rate of this step.
        skipped: Number of steps skipped so far because a loss or gradient was not finite.
        rollbacks: Number of returns to a checkpoint so far.
        culprit: Name of the value that was not finite, if this step was skipped.
        unknowns: Values of the scalar unknowns that are trained with the field.
    """

    step: int
    fraction: float
    seconds: float
    loss: float
    terms: dict[str, float]
    psnr: float | None
    learning_rate: float
    skipped: int
    rollbacks: int
    culprit: str | None = None
    unknowns: dict[str, float] = field(default_factory=dict)


Callback = Callable[[Progress], None]


class ProgressBar:
    """A progress bar on the terminal, with step, PSNR or loss, steps per second and time left.

    It appears with the first report, so that nothing is drawn before an error in the settings.
    """

    def __init__(self, console: Console | None = None, *, title: str = "fitting") -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.TaskProgressColumn(),
            rich.progress.TextColumn("step {task.fields[step]}"),
            rich.progress.TextColumn("{task.fields[quality]}"),
            rich.progress.TextColumn("{task.fields[speed]}"),
            rich.progress.TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task = self._bar.add_task(title, total=1.0, step=0, quality="", speed="")
        self._first: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        if self._first is None:
            self._first = progress
            self._bar.start()
        seconds = progress.seconds - self._first.seconds
        speed = f"{(progress.step - self._first.step) / seconds:.1f} steps/s" if seconds else ""
        if progress.psnr is None:
            quality = f"loss {progress.loss:.3g}"
        else:
            quality = f"PSNR {progress.psnr:.2f} dB"
        shown = list(progress.unknowns.items())[:MAX_UNKNOWNS]
        quality = "  ".join([quality, *(f"{name} {value:.4g}" for name, value in shown)])
        self._bar.update(
            self._task,
            completed=progress.fraction,
            step=progress.step,
            quality=quality,
            speed=speed,
        )

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._first is not None:
            self._bar.stop()


class JsonLines:
    """A log with one JSON object per line; a resumed run continues the same file.

    Args:
        path: Log file, appended to.
        every: Steps between lines.
    """

    def __init__(self, path: str | Path, *, every: int = 10) -> None:
        check_count(self, every=every, high=2**40)
        self.every = every
        self._file: TextIO | None = open(path, "a+", encoding="utf-8")  # noqa: SIM115
        # A killed run may have left half a line, which the next line must not continue.
        self._file.seek(max(0, self._file.seek(0, os.SEEK_END) - 1))
        if self._file.read(1) not in ("", "\n"):
            self._file.write("\n")

    def __call__(self, progress: Progress) -> None:
        if self._file is None or (progress.step % self.every and not progress.culprit):
            return
        try:
            self._file.write(json.dumps(_finite(asdict(progress)), allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            # A full disk must not end a healthy run.
            warnings.warn(f"{self._file.name}: the log ends here ({error.strerror}).", stacklevel=2)
            self._file = None

    def __enter__(self) -> "JsonLines":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def _finite(value: Any) -> Any:
    """Replaces NaN and infinity, which JSON cannot express, by None."""
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


class TensorBoard:
    """Writes curves for TensorBoard. Needs the extra: `pip install 'neurafield[tensorboard]'`.

    Args:
        folder: Folder that TensorBoard reads.
        every: Steps between points.
    """

    def __init__(self, folder: str | Path, *, every: int = 10) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise NeurafieldError(
                f"{folder}: needs the package tensorboard, which is not installed. "
                "Run: pip install 'neurafield[tensorboard]'."
            ) from error
        check_count(self, every=every, high=2**40)
        self.every = every
        self._writer: Any = SummaryWriter(str(folder))

    def __call__(self, progress: Progress) -> None:
        if progress.step % self.every:
            return
        scalars = {"loss": progress.loss, "learning_rate": progress.learning_rate}
        scalars |= {f"terms/{name}": value for name, value in progress.terms.items()}
        scalars |= {f"unknowns/{name}": value for name, value in progress.unknowns.items()}
        if progress.psnr is not None:
            scalars["psnr"] = progress.psnr
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, progress.step)

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()
