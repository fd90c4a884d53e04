"""A run of the training loop: its state, steps, checkpoints and roll-backs."""

import contextlib
import hashlib
import json
import math
import time as clock
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .._checks import check_count, check_positive
from ..fields import AbstractField
from ..maps import Identity
from ..signals import AbstractGridSignal
from .checkpoint import Checkpoint, Checkpointing, Position, Tally
from .evaluates_loss import evaluates_loss
from .limits import Limits
from .losses import mse
from .metrics import evaluate, psnr
from .objective import Objective
from .problem import Constraint, Problem, terms_of
from .progress import Progress
from .result import Result
from .trained import Trained, first_not_finite

BAD_STEPS_TO_ROLL_BACK = 10
ROLLBACKS_TO_GIVE_UP = 3
_SMOOTHING = 0.9
_CHANGING = ("params", "lr", "initial_lr")


class Run:
    """A fit in progress.

    A step whose loss or gradient is not finite is skipped. Ten in a row return to the last good
    checkpoint at half the learning rate; the third time the run ends as diverged.

    Args:
        field: Field to train.
        problem: Constraints and penalties.
        limits: Limits at which to stop.
        optimizer: Function that makes the optimizer of everything that is trained.
        lr: Learning rate, before the schedule.
        schedule: Function from the completed fraction of the run to a factor on the learning rate.
        seed: Seed of the sampling.
        micro_batch: Number of samples that pass through the field at a time.
        bfloat16: Mixed precision: products between hidden layers in bfloat16.
        checkpointing: Settings for saving and resuming; None to save nothing.

    Raises:
        ValueError: If an argument is out of range, or no parameter can be trained.
        FieldFileError: If the checkpoint to resume from is damaged or belongs to another run.
    """

    def __init__(
        self,
        field: nn.Module,
        problem: Problem,
        limits: Limits,
        *,
        optimizer: Callable[[nn.Module], torch.optim.Optimizer],
        lr: float,
        schedule: Callable[[float], float],
        seed: int,
        micro_batch: int,
        bfloat16: bool,
        checkpointing: Checkpointing | None,
    ) -> None:
        check_positive("fit", lr=lr)
        check_count("fit", micro_batch=micro_batch, high=2**40)
        check_count("fit", seed=seed, low=0, high=2**64)
        self.terms = terms_of("fit", problem)
        self.trained = Trained(field, self.terms)
        self.trained.check("fit")
        self.limits, self.lr, self.schedule, self.seed = limits, lr, schedule, seed
        self.micro_batch, self.bfloat16 = micro_batch, bfloat16
        if not callable(optimizer) or isinstance(optimizer, type):
            raise TypeError(
                "fit: expected a function from what is trained to an optimizer, got "
                f"{optimizer!r}. Write lambda trained: torch.optim.Adam(trained.parameters())."
            )
        self.optimizer = optimizer(self.trained)
        self.direct = _direct(self.terms)
        if limits.target_psnr is not None and self.direct is None:
            raise ValueError(
                "fit: expected one constraint on the values of a signal on a grid for "
                "target_psnr, got another problem. Stop by steps or time instead."
            )
        self.position, self.tally, self.loss = Position(), Tally(), math.nan
        self.rate, self.culprit = lr, None  # type: float, str | None
        self.checkpointing = checkpointing
        given = None if checkpointing is None else checkpointing.path
        self.path = None if given is None else Path(given)
        size = sum(p.numel() for p in self.trained.parameters())
        every = None if checkpointing is None else checkpointing.every
        self.every = max(50, size // 20_000) if every is None else every
        self.identity = self._identity()
        self._resume_or_begin()
        self.started = clock.perf_counter() - self.tally.seconds
        self.last_good = self.keep()

    def _resume_or_begin(self) -> None:
        if self.path is None or self.checkpointing is None:
            return
        if not self.checkpointing.resume:
            # A later resume must not find the checkpoint of an older run.
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            loaded = Checkpoint.load(self.path, self.identity, self.trained, self.optimizer)
            self.position = loaded.restore(self.trained, self.optimizer)
            self.tally = loaded.tally
            if self.tally.rollbacks >= ROLLBACKS_TO_GIVE_UP:
                # It diverged, and resuming is only useful at another learning rate.
                self.tally.rollbacks, self.tally.lr_factor = 0, 1.0

    def ended(self, should_stop: Callable[[], bool] | None) -> str | None:
        """Status of a run that has ended, or None while it continues.

        It depends on the state only, so that a resumed run ends in the same way.
        """
        limits = self.limits
        if self.tally.rollbacks >= ROLLBACKS_TO_GIVE_UP:
            return "diverged"
        if should_stop is not None and should_stop():
            self.keep(or_fail=True)
            return "interrupted"
        status = None
        if limits.time is not None and self.tally.seconds >= limits.time:
            status = "time"
        elif limits.target_psnr is not None and self._reached(limits.target_psnr):
            self.tally.seconds = clock.perf_counter() - self.started
            status = "target_psnr"
        elif limits.steps is not None and self.position.step >= limits.steps:
            status = "steps"
        if status is not None:
            self.keep()
        return status

    def step(self) -> Progress:
        """Takes one step, or skips it if its loss or gradient is not finite."""
        # Optimizers that find the step length themselves start from 1.
        searches = evaluates_loss(self.optimizer)
        rate = self.tally.lr_factor * (1.0 if searches else self.lr * self.schedule(self.fraction))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_factor", 1.0)
        self.optimizer.zero_grad(set_to_none=True)
        objective = Objective(
            self.trained,
            self.terms,
            seed=self.seed,
            step=self.position.step,
            micro_batch=self.micro_batch,
            bfloat16=self.bfloat16,
        )
        values = objective.add_gradients()
        culprit = first_not_finite(values, self.terms, self.trained)
        self.position.step += 1
        if culprit is None:
            if searches:
                self.optimizer.step(objective)
            else:
                self.optimizer.step()
            self.tally.bad_in_a_row = 0
            self.loss = objective.total(values)
            if self.direct is not None:
                self._smooth(values[self.direct.name], exact=self.direct.batch_size is None)
            if not torch.nn.utils.get_total_norm(self.trained.flat).isfinite():
                culprit, self.tally.bad_in_a_row = "a parameter", BAD_STEPS_TO_ROLL_BACK
        else:
            self.tally.bad_in_a_row += 1
            self.tally.skipped += 1
        self.tally.seconds = clock.perf_counter() - self.started
        self.rate, self.culprit = rate, culprit
        return self._progress(values)

    def settle(self) -> None:
        """Saves a checkpoint when one is due, or returns to the last one after ten bad steps."""
        if self.tally.bad_in_a_row == BAD_STEPS_TO_ROLL_BACK:
            self.position = self.last_good.restore(self.trained, self.optimizer)
            self.tally.rollbacks += 1
            self.tally.lr_factor /= 2
            self.tally.bad_in_a_row = 0
            self.last_good = self.keep(or_fail=self.tally.rollbacks == ROLLBACKS_TO_GIVE_UP)
        elif self.position.step % self.every == 0 and self.tally.bad_in_a_row == 0:
            self.last_good = self.keep()

    def keep(self, *, or_fail: bool = False) -> Checkpoint:
        """Takes a checkpoint, and writes it if there is a path.

        Args:
            or_fail: True to raise an error if the file cannot be written. The default is a
                warning, since a full disk must not end a healthy run: the older checkpoint is
                still there, and space may be free again by the end.
        """
        taken = Checkpoint.take(self.trained, self.optimizer, self.position, self.tally)
        if self.path is not None and self.checkpointing is not None:
            try:
                taken.save(self.path, self.identity, self.checkpointing.settings)
            except OSError as error:
                if or_fail:
                    raise
                _warn_of_lost_checkpoint(self.path, error)
        return taken

    def result(self, status: str) -> Result:
        """Result of the run."""
        message = ""
        if status == "diverged":
            # Steps that are taken but leave NaN in a parameter are undone one by one.
            often = "" if self.culprit == "a parameter" else ", ten steps in a row"
            message = (
                f"{self.culprit} was not finite{often} at the third learning rate in turn; the "
                f"field is back at step {self.position.step}. Check the data, or lower the "
                f"learning rate below {self.rate:.2g}"
            )
        return Result(
            status=status,
            step=self.position.step,
            seconds=self.tally.seconds,
            loss=self.loss,
            skipped=self.tally.skipped,
            rollbacks=self.tally.rollbacks,
            message=message,
            unknowns=self.trained.snapshot(),
        )

    @property
    def fraction(self) -> float:
        """Completed fraction of the run, in [0, 1]."""
        return self.limits.fraction(step=self.position.step, seconds=self.tally.seconds)

    def _identity(self) -> dict[str, Any]:
        """JSON values that determine every batch and gradient, and must be equal to resume.

        Limits and the learning rate may change between the parts of a run.
        """
        return {
            "input": [
                term.signal.fingerprint() for term in self.terms if isinstance(term, Constraint)
            ],
            "architecture": _description(self.trained.field),
            "seed": self.seed,
            "problem": [term.identity for term in self.terms],
            "optimizer": [
                type(self.optimizer).__name__,
                *(
                    [
                        len(group["params"]),
                        *(f"{k}={v}" for k, v in group.items() if k not in _CHANGING),
                    ]
                    for group in self.optimizer.param_groups
                ),
            ],
            "micro-batch": self.micro_batch,
            "precision": "bfloat16" if self.bfloat16 else "float32",
        }

    def _smooth(self, value: float, *, exact: bool) -> None:
        weight = 0.0 if exact or self.position.smoothed_mse < 0 else _SMOOTHING
        self.position.smoothed_mse = weight * self.position.smoothed_mse + (1 - weight) * value

    def _reached(self, target_psnr: float) -> bool:
        """True if the target PSNR is reached: estimated from the batches, then measured."""
        at = self.position
        suspected = at.smoothed_mse >= 0 and psnr(at.smoothed_mse) >= target_psnr
        if self.direct is None or not suspected or at.step < at.next_check:
            return False
        assert isinstance(self.direct.signal, AbstractGridSignal)
        if evaluate(self.trained.field, self.direct.signal).psnr >= target_psnr:
            return True
        at.next_check = at.step + max(10, at.step // 20)
        return False

    def _progress(self, values: dict[str, float]) -> Progress:
        mse_now = self.position.smoothed_mse
        return Progress(
            step=self.position.step,
            fraction=self.fraction,
            seconds=self.tally.seconds,
            loss=self.loss,
            terms=values,
            psnr=psnr(mse_now) if mse_now >= 0 else None,
            learning_rate=self.rate,
            skipped=self.tally.skipped,
            rollbacks=self.tally.rollbacks,
            culprit=self.culprit,
            unknowns=self.trained.scalars(),
        )


def _description(field: nn.Module) -> str:
    """A hash of the class, hyper-parameters and parts of a field: of everything but parameters."""
    texts = [repr(field)]
    for module in field.modules():
        if isinstance(module, AbstractField):
            # A field that a file cannot describe is identified by its printed form.
            with contextlib.suppress(TypeError, ValueError):
                texts.append(json.dumps(module.hyperparams()))
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def _direct(terms: list[Any]) -> Constraint | None:
    """The constraint whose loss gives the PSNR of a signal, if there is exactly one."""
    direct = [
        term
        for term in terms
        if isinstance(term, Constraint)
        and isinstance(term.map, Identity)
        and term.loss is mse
        and isinstance(term.signal, AbstractGridSignal)
    ]
    return direct[0] if len(direct) == 1 else None


def _warn_of_lost_checkpoint(path: Path, error: OSError) -> None:
    warnings.warn(
        f"{path}: the checkpoint cannot be written ({error.strerror}); the run continues, and a "
        "crash would lose what came after the last one.",
        stacklevel=3,
    )
