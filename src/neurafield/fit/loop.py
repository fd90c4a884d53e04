"""The one training loop of the library."""

import hashlib
import math
import time as clock
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._checks import check_count, check_positive
from ..kernels import dispatch
from ..maps import Identity
from ..signals import AbstractGridSignal
from .adam import default_optimizer
from .checkpoint import Checkpoint, RunState
from .gauss_newton import GaussNewton
from .losses import mse
from .metrics import evaluate, psnr
from .problem import Constraint, Problem
from .progress import Callback, Progress
from .schedule import cosine
from .step import Objective, first_not_finite

BAD_STEPS_TO_ROLL_BACK = 10
ROLLBACKS_TO_GIVE_UP = 3
SEARCHING = (torch.optim.LBFGS, GaussNewton)
"""Optimizers that evaluate the loss several times a step and find its length themselves."""
_SMOOTHING = 0.9
_CHANGING = ("params", "lr", "initial_lr")


@dataclass(frozen=True)
class Result:
    """How a fit ended. The field itself was changed in place.

    Args:
        status: `"steps"`, `"time"` or `"target_psnr"` (what stopped it), `"interrupted"`, or
            `"diverged"`; the field is then as at the last good checkpoint.
        step: Steps done.
        seconds: Time spent, over all resumed parts.
        loss: Of the last good step; NaN if there was none, as in a run resumed at its end.
        skipped: Steps skipped because a loss or gradient was not finite.
        rollbacks: Returns to a checkpoint.
        message: One sentence, for a fit that diverged: which term, and what to do.
    """

    status: str
    step: int
    seconds: float
    loss: float
    skipped: int
    rollbacks: int
    message: str = ""


def fit(
    field: nn.Module,
    problem: Problem,
    *,
    steps: int | None = 1000,
    time: float | None = None,
    target_psnr: float | None = None,
    lr: float = 1e-4,
    schedule: Callable[[float], float] = cosine,
    seed: int = 0,
    optimizer: Callable[[nn.Module], torch.optim.Optimizer] = default_optimizer,
    micro_batch: int = 8192,
    bfloat16: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: int | None = None,
    resume: bool = False,
    settings: dict[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Result:
    """Train a field until it satisfies its constraints.

    Args:
        field: Any module from coordinates to values; its parameters are changed in place.
        problem: A constraint or a list of them.
        steps: Stop after so many; None for no limit.
        time: Stop after so many seconds.
        target_psnr: Stop once the field reproduces its signal this well, in dB: suspected from
            the batches, then measured on all samples. For a problem with one constraint on the
            values of a signal on a grid, whatever others there are.
        lr: Learning rate, before the schedule.
        schedule: Factor on the learning rate, from the part of `steps` or `time` that is done.
        seed: Of the sampling. Same field, problem, seed, machine and threads: same bytes.
        optimizer: Makes the optimizer of the field. Every group gets the learning rate of the
            schedule, times the group's `"lr_factor"` if it has one. `lbfgs` and `gauss_newton`
            find the length of a step themselves; `lr` and `schedule` are not for them.
        micro_batch: Samples that pass through the field at a time; a batch is cut into such
            parts. Bounds the memory of activations (coordinates and targets of the whole batch,
            some 50 bytes a sample, are made first), and 8,192 fits the caches.
        bfloat16: Round what goes into products between hidden layers to bfloat16, for speed on
            processors that have such products; parameters, sums and losses stay float32. On
            others float32 is used, and a `KernelNotice` says so.
        checkpoint: File to go on from after a crash.
        checkpoint_every: Steps between checkpoints; None for 50, or more for a field of over a
            million parameters, so that they stay cheap.
        resume: Go on from `checkpoint` if it exists.
        settings: JSON values kept in the checkpoint for whoever resumes.
        callbacks: Called with a `Progress` after each step.
        should_stop: Requested after each step; true saves a checkpoint and ends the run.

    Returns:
        How it ended. A step whose loss or gradient is not finite is skipped; ten in a row go
        back to the last good checkpoint at half the learning rate; the third time that is needed
        the run ends as `"diverged"`.

    Raises:
        ValueError: If nothing bounds the run, or an argument is out of range.
        FieldFileError: If the checkpoint is damaged or belongs to another run.

    Example:
        >>> picture = Image.from_array(np.zeros((8, 8), np.uint8))
        >>> result = fit(Siren(2, 1, width=16, depth=1), Constraint(signal=picture), steps=5)
        >>> result.status, result.step
        ('steps', 5)
    """
    dispatch.requested()  # What the environment asks for is refused before anything is written.
    constraints = [problem] if isinstance(problem, Constraint) else list(problem)
    _check_arguments(constraints, steps, time, target_psnr, lr, micro_batch, checkpoint_every)
    if not any(parameter.requires_grad for parameter in field.parameters()):
        raise ValueError("fit: expected a field with parameters to train, got none.")
    if checkpoint_every is None:
        checkpoint_every = max(50, sum(p.numel() for p in field.parameters()) // 20_000)
    chosen = optimizer(field)
    searches = isinstance(chosen, SEARCHING)
    direct = _direct(constraints)
    if target_psnr is not None and direct is None:
        raise ValueError(
            "fit: expected one constraint on the values of a signal on a grid for target_psnr, "
            "got another problem. Stop by steps or time instead."
        )
    identity = _identity(field, constraints, chosen, seed, micro_batch, bfloat16)
    path = None if checkpoint is None else Path(checkpoint)
    state = RunState()
    if path is not None and resume and path.exists():
        loaded = Checkpoint.load(path, identity, field)
        state = loaded.restore(field, chosen)
        if state.rollbacks >= ROLLBACKS_TO_GIVE_UP:
            # It diverged; whoever goes on from there chose another learning rate.
            state.rollbacks, state.lr_factor = 0, 1.0
    started = clock.perf_counter() - state.seconds
    loss = math.nan

    def finish(status: str, message: str = "") -> Result:
        return Result(
            status, state.step, state.seconds, loss, state.skipped, state.rollbacks, message
        )

    def keep(*, or_fail: bool = False) -> Checkpoint:
        taken = Checkpoint.take(field, chosen, state)
        if path is not None:
            try:
                taken.save(path, identity, settings or {})
            except OSError as error:
                # A full disk must not end a run that is well: an older checkpoint is still there,
                # and there may be room again by the end.
                if or_fail:
                    raise
                _warn_of_lost_checkpoint(path, error)
        return taken

    if path is not None and not resume:
        # An older run's checkpoint must never be resumed instead of this one's.
        path.unlink(missing_ok=True)
    last_good = keep()
    while True:
        # All that ends a run is asked here, of the state alone, so that a resumed one asks the
        # same.
        if should_stop is not None and should_stop():
            keep(or_fail=True)
            return finish("interrupted")
        if time is not None and state.seconds >= time:
            keep()
            return finish("time")
        if target_psnr is not None and _reached(state, field, direct, target_psnr):
            state.seconds = clock.perf_counter() - started
            keep()
            return finish("target_psnr")
        if steps is not None and state.step >= steps:
            keep()
            return finish("steps")

        fraction = _fraction(state, steps, time)
        # Who searches for a step's length starts from the whole one.
        rate = state.lr_factor * (1.0 if searches else lr * schedule(fraction))
        for group in chosen.param_groups:
            group["lr"] = rate * group.get("lr_factor", 1.0)
        chosen.zero_grad(set_to_none=True)
        objective = Objective(
            field,
            constraints,
            seed=seed,
            step=state.step,
            micro_batch=micro_batch,
            bfloat16=bfloat16,
        )
        terms = objective.add_gradients()
        culprit = first_not_finite(terms, field)
        state.step += 1
        if culprit is None:
            if searches:
                chosen.step(objective)
            else:
                chosen.step()
            state.bad_in_a_row = 0
            loss = objective.total(terms)
            if direct is not None:
                _smooth(state, terms[direct.name], direct.batch_size is None)
            if not torch.nn.utils.get_total_norm(list(field.parameters())).isfinite():
                culprit, state.bad_in_a_row = "a parameter", BAD_STEPS_TO_ROLL_BACK
        else:
            state.bad_in_a_row += 1
            state.skipped += 1
        state.seconds = clock.perf_counter() - started
        _tell(callbacks, state, _fraction(state, steps, time), loss, terms, rate, culprit)

        if state.bad_in_a_row == BAD_STEPS_TO_ROLL_BACK:
            skipped, rollbacks, seconds = state.skipped, state.rollbacks + 1, state.seconds
            factor = state.lr_factor / 2
            state = last_good.restore(field, chosen)
            state.skipped, state.rollbacks, state.seconds = skipped, rollbacks, seconds
            state.lr_factor, state.bad_in_a_row = factor, 0
            last_good = keep(or_fail=rollbacks == ROLLBACKS_TO_GIVE_UP)
            if rollbacks == ROLLBACKS_TO_GIVE_UP:
                return finish(
                    "diverged",
                    f"{culprit} was not finite, ten steps in a row at the third learning rate in "
                    f"turn; the field is back at step {state.step}. Check the data, or lower "
                    f"the learning rate below {rate:.2g}",
                )
        elif state.step % checkpoint_every == 0 and state.bad_in_a_row == 0:
            last_good = keep()


def _check_arguments(
    constraints: list[Constraint],
    steps: int | None,
    time: float | None,
    target_psnr: float | None,
    lr: float,
    micro_batch: int,
    checkpoint_every: int | None,
) -> None:
    if not constraints:
        raise ValueError("fit: expected at least one constraint, got an empty list.")
    names = [constraint.name for constraint in constraints]
    if len(set(names)) < len(names):
        raise ValueError(f"fit: expected constraints with different names, got {names}.")
    if steps is None and time is None and target_psnr is None:
        raise ValueError("fit: expected steps, time or target_psnr, got none of them.")
    if steps is not None:
        check_count("fit", steps=steps, low=0, high=2**40)
    bounds = {"time": time, "target_psnr": target_psnr}
    check_positive("fit", lr=lr, **{k: v for k, v in bounds.items() if v is not None})
    check_count("fit", micro_batch=micro_batch, high=2**40)
    if checkpoint_every is not None:
        check_count("fit", checkpoint_every=checkpoint_every, high=2**40)


def _direct(constraints: list[Constraint]) -> Constraint | None:
    """The constraint from whose loss the PSNR of a signal can be told, if there is just one."""
    direct = [
        constraint
        for constraint in constraints
        if isinstance(constraint.map, Identity)
        and constraint.loss is mse
        and isinstance(constraint.signal, AbstractGridSignal)
    ]
    return direct[0] if len(direct) == 1 else None


def _identity(
    field: nn.Module,
    constraints: list[Constraint],
    optimizer: torch.optim.Optimizer,
    seed: int,
    micro_batch: int,
    bfloat16: bool,
) -> dict[str, Any]:
    # What every batch and every gradient depend on. Bounds and the learning rate may change
    # between the parts of a run; these may not. The field is told by its printed form, which
    # holds the hyper-parameters.
    printed = hashlib.sha256(repr(field).encode()).hexdigest()
    return {
        "input": [constraint.signal.fingerprint() for constraint in constraints],
        "architecture": printed,
        "seed": seed,
        "problem": [
            [
                c.name,
                c.weight,
                c.batch_size,
                c.refine,
                c.map.fingerprint(),
                getattr(c.loss, "__name__", ""),
            ]
            for c in constraints
        ],
        "optimizer": [type(optimizer).__name__]
        + [
            [len(group["params"]), *(f"{k}={v}" for k, v in group.items() if k not in _CHANGING)]
            for group in optimizer.param_groups
        ],
        "micro-batch": micro_batch,
        "precision": "bfloat16" if bfloat16 else "float32",
    }


def _fraction(state: RunState, steps: int | None, time: float | None) -> float:
    by_steps = state.step / steps if steps else 0.0
    by_time = state.seconds / time if time else 0.0
    return min(1.0, max(by_steps, by_time))


def _smooth(state: RunState, value: float, exact: bool) -> None:
    first = exact or state.smoothed_mse < 0
    weight = 0.0 if first else _SMOOTHING
    state.smoothed_mse = weight * state.smoothed_mse + (1 - weight) * value


def _tell(
    callbacks: Sequence[Callback],
    state: RunState,
    fraction: float,
    loss: float,
    terms: dict[str, float],
    rate: float,
    culprit: str | None,
) -> None:
    quality = psnr(state.smoothed_mse) if state.smoothed_mse >= 0 else None
    progress = Progress(
        step=state.step,
        fraction=fraction,
        seconds=state.seconds,
        loss=loss,
        terms=terms,
        psnr=quality,
        learning_rate=rate,
        skipped=state.skipped,
        rollbacks=state.rollbacks,
        culprit=culprit,
    )
    for callback in callbacks:
        callback(progress)


def _reached(
    state: RunState,
    field: nn.Module,
    direct: Constraint | None,
    target_psnr: float,
) -> bool:
    suspected = state.smoothed_mse >= 0 and psnr(state.smoothed_mse) >= target_psnr
    if direct is None or not suspected or state.step < state.next_check:
        return False
    assert isinstance(direct.signal, AbstractGridSignal)
    if evaluate(field, direct.signal).psnr >= target_psnr:
        return True
    state.next_check = state.step + max(10, state.step // 20)
    return False


def _warn_of_lost_checkpoint(path: Path, error: OSError) -> None:
    warnings.warn(
        f"{path}: the checkpoint cannot be written ({error.strerror}); the run goes on, and a "
        "crash would lose what came after the last one.",
        stacklevel=3,
    )
