"""Training of a field on an input that was read."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..fit import Callback, Checkpointing, fit
from ._base import AbstractTask
from .result import FitResult
from .settings import Settings


def train(
    task: AbstractTask,
    settings: Settings,
    *,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> FitResult:
    """Fits a field to an input that was read. The result is not measured yet.

    Args:
        task: Input.
        settings: Settings of the run.
        checkpoint: File that keeps the state of the run.
        resume: True to continue from `checkpoint` if it exists.
        callbacks: Functions that are called with a `Progress` after each step.
        should_stop: Function that is called before each step; true ends the run.

    Raises:
        FieldFileError: If the checkpoint is damaged or belongs to another run.
        ArgumentError: If a setting is out of range or does not apply to the input.
    """
    path = None if checkpoint is None else Path(checkpoint)
    if resume and path is not None and path.exists():
        settings = settings.resumed(path)
    if settings.seed is None:
        settings = dataclasses.replace(settings, seed=0)
    settings = task.with_defaults(settings)
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    plan = task.plan(settings)
    is_unbounded = settings.steps is None and settings.time is None
    settings = dataclasses.replace(
        settings,
        arch=plan.arch,
        levels=plan.trains_levels if settings.levels is None else settings.levels,
        lr=plan.lr if settings.lr is None else settings.lr,
        steps=plan.steps if is_unbounded else settings.steps,
    )
    assert settings.lr is not None
    assert settings.seed is not None
    ended = fit(
        plan.field,
        task.problem(plan, settings),
        steps=settings.steps,
        time=settings.time,
        target_psnr=settings.target_psnr,
        lr=settings.lr,
        micro_batch=plan.micro_batch,
        seed=settings.seed,
        checkpointing=Checkpointing(
            path=path, resume=resume, settings=dataclasses.asdict(settings)
        ),
        callbacks=callbacks,
        should_stop=should_stop,
    )
    return FitResult(task=task, plan=plan, settings=settings, ended=ended, checkpoint=path)
