"""The solution of a problem: a field, figures and pictures."""

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
        title: Title of the picture.
        values: Values of shape `(height, width)`, or colours `(height, width, 3)` in [0, 1].
        scale: Name of the colour scale; panels with the same name share their range.
        signed: True if zero is the middle of the colour scale.
    """

    title: str
    values: Shaped[np.ndarray, "..."]
    scale: str = "values"
    signed: bool = False


@dataclass(frozen=True)
class Solution:
    """A problem's solution.

    Args:
        field: Field that solves the problem.
        figures: JSON values: the errors first, then status, steps and seconds. The status
            `"diverged"` comes with a `message` and without errors or panels.
        panels: Pictures: the solution, the reference if there is one, the error.
        signal: Description of the layout, if the field can be written as a signal or a shape.
        settings: JSON values for the field file: the arguments of the solver.
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
