"""What solving a problem leaves."""

import time as clock
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..fields.field import Field
from ..fit import Result


@dataclass(frozen=True)
class Panel:
    """One picture of a figure.

    Args:
        title: What it shows.
        values: Numbers of shape `(height, width)`, or colours `(height, width, 3)` in [0, 1].
        scale: Panels of one name share their range of colours.
        signed: Whether zero is the middle of the colours.
    """

    title: str
    values: Shaped[np.ndarray, "..."]
    scale: str = "values"
    signed: bool = False


@dataclass(frozen=True)
class Solution:
    """A problem's solution.

    Args:
        field: That solves it.
        figures: JSON values: the errors first, then status, steps and seconds. The status
            `"diverged"` comes with a `message` and without errors or panels.
        panels: Of the figure: the solution, the reference if there is one, the error.
        signal: Description of the file that the field can be drawn to, if it is a signal's.
        settings: JSON values: what it was made with, for the field file.
    """

    field: Field
    figures: Mapping[str, Any]
    panels: Sequence[Panel]
    signal: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def diverged(field: Field, result: Result, started: float) -> Solution:
    """The outcome of a fit that diverged; its field is that of the last good checkpoint.

    Args:
        field: Field that was fitted.
        result: Outcome of the fit.
        started: Reading of `time.perf_counter` at the start.
    """
    figures = {
        "status": result.status,
        "message": result.message,
        "steps": result.step,
        "seconds": round(clock.perf_counter() - started, 2),
    }
    return Solution(field=field, figures=figures, panels=())
