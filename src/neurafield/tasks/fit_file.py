"""From a file to a fitted field, in one call."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import ArgumentError
from ..fit import Callback
from ..shapes.files import SUFFIXES
from ._base import AbstractTask, Advance
from .result import FitResult
from .settings import Settings
from .shape import ShapeTask
from .signal import SignalTask
from .training import train


def fit_file(
    path: str | Path,
    *,
    arch: str | None = None,
    params: int | None = None,
    levels: bool | None = None,
    quantity: str | None = None,
    truncation: float | None = None,
    seed: int | None = None,
    lr: float | None = None,
    steps: int | None = None,
    time: float | None = None,
    target_psnr: float | None = None,
    threads: int | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
    on_measured: Advance | None = None,
) -> FitResult:
    """Fits a field to a file and measures it, as `neurafield fit` does.

    The run stops at `steps`, `time` or `target_psnr`, whichever comes first; without them after
    the number of steps that suits the input.

    Args:
        path: Picture, sound, video, volume, mesh or points. The suffix chooses the kind.
        arch: Name of the architecture, as `neurafield compare --list` prints them. None chooses
            by the kind of input: `"siren"` for sound, else `"hash"`.
        params: Number of parameters of the field, at least 1. None chooses by the input.
        levels: True to train every level of detail, False for only the last. None chooses by the
            architecture: True for `bacon` and `nglod`.
        quantity: Value of a shape's field: `"sdf"` (the default), `"tsdf"`, `"occupancy"` or
            `"udf"`.
        truncation: Distance at which `"tsdf"` is cut off (default 0.1). The longest edge of the
            shape's box is 1.8.
        seed: Seed of the initial parameters and of the sampling (default 0). Same input,
            settings, machine and number of threads: same field.
        lr: Learning rate. None takes that of the architecture.
        steps: Number of steps.
        time: Seconds of fitting.
        target_psnr: PSNR in dB; not for shapes.
        threads: Number of processor threads, for the whole process. None leaves it as it is.
        checkpoint: File that keeps the state of the run, so that it can be resumed. `save`
            deletes it.
        resume: True to continue from `checkpoint` if it exists, with the settings of that run.
        callbacks: Functions that are called with a `Progress` after each step.
        should_stop: Function that is called before each step; true ends the run.
        on_measured: Function that is called with the share of the measuring that is finished.

    Returns:
        The field, its figures of quality and how the run ended. A fit that diverges is reported
        as the status `"diverged"`. Interrupted and diverged fits are not measured.

    Raises:
        SignalError: If the file cannot be read.
        FieldFileError: If the checkpoint is damaged or belongs to another run.
        ArgumentError: If a setting is out of range or does not apply to the input.

    Example:
        >>> from PIL import Image as PillowImage
        >>> path = folder / "ramp.png"
        >>> PillowImage.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
        >>> result = fit_file(path, params=2000, steps=20)
        >>> result.status, result.steps, result.psnr > 15
        ('steps', 20, True)
        >>> result.save(folder / "ramp.field")
    """
    result = train(
        read_task(path),
        Settings(
            arch=arch,
            params=params,
            levels=levels,
            quantity=quantity,
            truncation=truncation,
            seed=seed,
            lr=lr,
            steps=steps,
            time=time,
            target_psnr=target_psnr,
            threads=threads,
        ),
        checkpoint=checkpoint,
        resume=resume,
        callbacks=callbacks,
        should_stop=should_stop,
    )
    return result.measured(on_measured) if result.finished else result


def read_task(path: str | Path) -> AbstractTask:
    """Reads an input of any kind; its suffix chooses the kind.

    Raises:
        SignalError: If the file cannot be read.
    """
    path = Path(path)
    if path.suffix == ".field" and path.exists():
        raise ArgumentError(
            f"{path}: expected a picture, sound, video, volume, mesh or points, got a field. Write "
            "it as a file with neurafield render; see its contents with neurafield info."
        )
    return ShapeTask(path) if path.suffix.lower() in SUFFIXES else SignalTask(path)
