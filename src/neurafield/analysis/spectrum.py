"""Spectral bias: the error of a field in each frequency band, over the steps of a fit."""

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
"""Relative error amplitude at which a band counts as learnt."""
_NOTHING = 1e-12
"""Share of a signal's energy below which a band contains only rounding errors."""


@dataclass(frozen=True)
class BiasFactor:
    """Ratio of the steps needed to learn the highest and the lowest band.

    Args:
        factor: Steps for the highest band, divided by steps for the lowest. None if the lowest is
            not learnt, or the signal has only one band.
        exact: False if the highest band was not learnt within the run: the factor is then a lower
            bound, the steps of the run divided by the steps for the lowest.
    """

    factor: float | None
    exact: bool

    def __str__(self) -> str:
        if self.factor is None:
            return "none"
        return f"{'' if self.exact else '> '}{self.factor:.3g}"


@dataclass(frozen=True)
class Learning:
    """Error and response of each band, at some steps of a fit, starting with the initial field.

    Amplitudes are relative to that of the signal in the band. Bands without signal have NaN.

    Args:
        steps: Steps of the measurements; the first is 0.
        error: Amplitude of the difference between field and signal: 1 for a field that is zero, 0
            for a perfect one.
        response: Amplitude of the field itself: 0 for none, 1 for that of the signal.
        status: Status of the fit at its end.
    """

    steps: tuple[int, ...]
    error: Float[np.ndarray, "records bands"]
    response: Float[np.ndarray, "records bands"]
    status: str

    def steps_until(self, level: float = HALF) -> list[int | None]:
        """First measured step of each band at which its error is at most `level`.

        None if there is none. A band that the initial field already matches counts as step 1.
        """
        reached = self.error <= level
        first = [int(column.argmax()) if column.any() else None for column in reached.T]
        return [None if record is None else max(1, self.steps[record]) for record in first]

    def bias_factor(self) -> BiasFactor:
        """Bias factor between the highest and the lowest band that the signal has.

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
    """Median over runs with different seeds; of two, the lower one.

    The median is a bound if any factor up to it is a bound, and None if any run has none.

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
    """Fit a field to a signal, and record the error of each band.

    The learning rate is constant, so that the step at which a band is learnt does not depend on the
    length of the run. Each step uses all samples if they fit into a batch.

    Args:
        field: Module from coordinates to values; it is trained in place.
        signal: Signal to fit.
        bands: Bands of the signal's grid.
        steps: Steps of the fit.
        lr: Learning rate of Adam.
        batch_size: Samples per step; None for all.
        micro_batch: Samples that pass through the field at a time.
        seed: Seed of the sampling.
        num_records: Number of measurements, log-spaced over the steps; each evaluates the field on
            all samples.
        callbacks: Called with a `Progress` after each step.

    Raises:
        SignalError: If the signal is constant.
        ValueError: If an argument is out of range.

    Reference:
        Rahaman et al., On the Spectral Bias of Neural Networks, ICML 2019, section 3, who plot the
        `response`. We use the `error` instead, which also detects a wrong phase.
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
    """Measures the field in each band at the requested steps of a fit."""

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
        # A fit that returned to a checkpoint passes the same steps again.
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
