"""The one training loop of the library."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ..kernels import dispatch
from .adam import default_optimizer
from .checkpoint import Checkpointing
from .limits import Limits
from .problem import Problem
from .progress import Callback
from .result import Result
from .run import Run
from .schedule import cosine


def fit(
    field: nn.Module,
    problem: Problem,
    *,
    steps: int | None = 1000,
    time: float | None = None,
    target_psnr: float | None = None,
    limits: Limits | None = None,
    lr: float = 1e-4,
    schedule: Callable[[float], float] = cosine,
    seed: int = 0,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] = default_optimizer,
    micro_batch: int = 8192,
    bfloat16: bool = False,
    checkpointing: Checkpointing | None = None,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    """Train a field, and the unknowns of a problem, until the problem is solved.

    Args:
        field: Any module from coordinates to values; its parameters are changed in place.
        problem: A constraint or a penalty, or a list of them.
        steps: Number of steps after which to stop; None for no limit.
        time: Seconds after which to stop.
        target_psnr: PSNR in dB at which to stop: suspected from the batches, then measured on all
            samples. For a problem with one constraint on the values of a signal on a grid,
            whatever other terms there are.
        limits: Limits of the run, in place of `steps`, `time` and `target_psnr`.
        lr: Learning rate, before the schedule.
        schedule: Factor on the learning rate, from the part of `steps` or `time` that is done.
        seed: Seed of the sampling. Same field, problem, seed, machine and threads: same bytes.
        optimizer: Function that makes the optimizer of what is trained (`Trained`). Every group
            gets the learning rate of the schedule, times the group's `"lr_factor"` if it has one.
            Optimizers that find the length of a step themselves (`EvaluatesLoss`: `lbfgs`,
            `gauss_newton`) leave `lr` and `schedule` aside.
        micro_batch: Samples that pass through the field at a time; a batch is cut into such
            parts. It bounds the memory of activations (coordinates and targets of the whole batch,
            about 50 bytes per sample, are made first), and 8,192 fits the caches.
        bfloat16: Whether factors of products between hidden layers are rounded to bfloat16, for
            speed on processors that have such products; parameters, sums and losses stay float32.
            Other processors use float32, and a `KernelNotice` says so.
        checkpointing: Where and how often to save the run, and whether to resume it.
        callbacks: Functions called with a `Progress` after each step.
        should_stop: Function called before each step; if it returns true, a checkpoint is saved
            and the run ends.

    Returns:
        How it ended. A step whose loss or gradient is not finite is skipped; ten in a row return
        to the last good checkpoint at half the learning rate; the third time the run ends as
        `"diverged"`.

    Raises:
        ValueError: If nothing limits the run, or an argument is out of range.
        FieldFileError: If the checkpoint is damaged or belongs to another run.

    Example:
        >>> picture = Image.from_array(np.zeros((8, 8), np.uint8))
        >>> result = fit(Siren(2, 1, width=16, depth=1), Constraint(signal=picture), steps=5)
        >>> result.status, result.step
        ('steps', 5)
    """
    dispatch.requested()  # A wrong request of the environment is refused before files are written.
    if limits is None:
        limits = Limits(steps=steps, time=time, target_psnr=target_psnr)
    elif (steps, time, target_psnr) != (1000, None, None):
        raise ValueError("fit: expected limits, or steps, time and target_psnr, got both.")
    run = Run(
        field,
        problem,
        limits,
        optimizer=optimizer,
        lr=lr,
        schedule=schedule,
        seed=seed,
        micro_batch=micro_batch,
        bfloat16=bfloat16,
        checkpointing=checkpointing,
    )
    while (status := run.ended(should_stop)) is None:
        progress = run.step()
        for callback in callbacks:
            callback(progress)
        run.settle()
    return run.result(status)
