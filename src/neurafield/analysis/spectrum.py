"""Which frequencies a fit learns first: a field's error in each band, over the steps."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count
from ..errors import SignalError
from ..fit import Callback, Constraint, Progress, fit, schedule
from ..signals import AbstractGridSignal, render
from .bands import AbstractBands

HALF = 0.5
"""A band is learnt once its error's amplitude is this part of its own."""
_NOTHING = 1e-12
"""Part of a signal's energy below which a band holds rounding only."""


@dataclass(frozen=True)
class BiasFactor:
    """How many times later the highest band is learnt than the lowest.

    Args:
        factor: Steps until the highest, divided by steps until the lowest. None if not even the
            lowest is learnt, or the signal has only one band.
        exact: False if the highest was not learnt within the run: then the factor is at least
            this, the whole run by the steps until the lowest.
    """

    factor: float | None
    exact: bool

    def __str__(self) -> str:
        if self.factor is None:
            return "none"
        return f"{'' if self.exact else '> '}{self.factor:.3g}"


@dataclass(frozen=True)
class Learning:
    """What a fit had made of each band, at some of its steps, the initial field first.

    Amplitudes are relative to the signal's own in the band. A band in which the signal has
    nothing has NaN.

    Args:
        steps: At which it was measured; the first is 0.
        error: Of the difference between field and signal: 1 for a field that is zero there, 0 for
            a perfect one.
        response: Of the field itself: 0 for none, 1 for as much as the signal has.
        status: How the fit ended.
    """

    steps: tuple[int, ...]
    error: Float[np.ndarray, "records bands"]
    response: Float[np.ndarray, "records bands"]
    status: str

    def steps_until(self, level: float = HALF) -> list[int | None]:
        """For each band the first measured step at which its error is at most `level`.

        None where that was never so. A band that the initial field has already counts as
        learnt at step 1.
        """
        reached = self.error <= level
        first = [int(column.argmax()) if column.any() else None for column in reached.T]
        return [None if record is None else max(1, self.steps[record]) for record in first]

    def bias_factor(self) -> BiasFactor:
        """How much later the highest band is learnt than the lowest, of those the signal has.

        Example:
            >>> error = np.array([[1.0, 1.0], [0.4, 1.0], [0.1, 0.5]])
            >>> str(Learning((0, 10, 500), error, 1 - error, "steps").bias_factor())
            '50'
            >>> str(Learning((0, 10, 500), error + 0.05, 1 - error, "steps").bias_factor())
            '> 50'
        """
        held = np.flatnonzero(np.isfinite(self.error[0]))
        until = self.steps_until()
        if len(held) < 2 or (lowest := until[held[0]]) is None:
            return BiasFactor(None, exact=True)
        highest = until[held[-1]]
        if highest is None:
            return BiasFactor(self.steps[-1] / lowest, exact=False)
        return BiasFactor(highest / lowest, exact=True)


def median_factor(factors: Sequence[BiasFactor]) -> BiasFactor:
    """The median over runs with different seeds; the lower one of two.

    It is a bound, too, where a factor that is only a bound is among those up to it; and there is
    none if a run has none.

    Example:
        >>> str(median_factor([BiasFactor(8, True), BiasFactor(5, False), BiasFactor(20, True)]))
        '> 8'
    """
    known = [f.factor for f in factors if f.factor is not None]
    if not known or len(known) < len(factors):
        return BiasFactor(None, exact=True)
    middle = statistics.median_low(known)
    below = [f for f in factors if f.factor is not None and f.factor <= middle]
    return BiasFactor(middle, exact=all(f.exact for f in below))


def learn(
    field: nn.Module,
    signal: AbstractGridSignal[Any],
    bands: AbstractBands,
    *,
    steps: int,
    lr: float,
    batch_size: int | None = None,
    micro_batch: int = 8192,
    seed: int = 0,
    num_records: int = 50,
    callbacks: Sequence[Callback] = (),
) -> Learning:
    """Fit a field to a signal, and follow each band.

    The learning rate stays the same throughout, so that when a band is learnt does not depend on
    how long the run was meant to be. All samples are in each step if they are no more than a batch.

    Args:
        field: From coordinates to values; it is trained in place.
        signal: What it is fitted to.
        bands: Of the signal's grid.
        steps: Of the fit.
        lr: Learning rate of Adam.
        batch_size: Samples a step; None for all.
        micro_batch: Samples that pass through the field at a time.
        seed: Of the sampling.
        num_records: Measurements, evenly spaced in the logarithm of the step; each evaluates the
            field on all samples.
        callbacks: Called with a `Progress` after each step.

    Raises:
        SignalError: If the signal is constant.
        ValueError: If a number is out of range.

    Reference:
        Rahaman et al., On the Spectral Bias of Neural Networks, ICML 2019, section 3, who plot the
        `response`. We tell what is learnt by the `error`, which a component of the wrong phase
        does not please.
    """
    check_count("learn", steps=steps, high=2**40)
    check_count("learn", num_records=num_records, low=2)
    recorder = _Recorder(field, signal, bands, _spread(steps, num_records))
    if batch_size is not None and batch_size >= signal.num_samples:
        batch_size = None
    result = fit(
        field,
        Constraint(signal=signal, batch_size=batch_size),
        steps=steps,
        lr=lr,
        schedule=schedule.constant,
        seed=seed,
        micro_batch=micro_batch,
        callbacks=[*callbacks, recorder],
    )
    return recorder.learning(result.status)


def _spread(steps: int, count: int) -> frozenset[int]:
    return frozenset(round(step) for step in np.geomspace(1, steps, count).tolist())


class _Recorder:
    """Measures the field in each band when the fit has come to the steps asked for."""

    def __init__(
        self,
        field: nn.Module,
        signal: AbstractGridSignal[Any],
        bands: AbstractBands,
        steps: frozenset[int],
    ) -> None:
        self._field, self._layout, self._bands, self._at = field, signal.layout, bands, steps
        self._signal = torch.cat(list(signal.slabs()))
        self._energy = bands.energy(self._signal)
        if not self._energy.sum() > _NOTHING * self._signal.double().square().sum():
            raise SignalError("learn: expected a signal that varies, got a constant one.")
        self._energy[self._energy < _NOTHING * self._energy.sum()] = math.nan
        self._steps: list[int] = []
        self._error: list[Tensor] = []
        self._response: list[Tensor] = []
        self._measure(0)

    def __call__(self, progress: Progress) -> None:
        # A fit that went back to a checkpoint comes by the same steps again.
        if progress.step in self._at and progress.step > self._steps[-1]:
            self._measure(progress.step)

    def _measure(self, step: int) -> None:
        values = torch.cat(list(render(self._field, self._layout)))
        self._steps.append(step)
        self._error.append((self._bands.energy(values - self._signal) / self._energy).sqrt())
        self._response.append((self._bands.energy(values) / self._energy).sqrt())

    def learning(self, status: str) -> Learning:
        error, response = (torch.stack(rows).numpy() for rows in (self._error, self._response))
        return Learning(tuple(self._steps), error, response, status)
