"""The solution of a problem: a field, figures and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..fields.field import Field


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
        figures: JSON values: the errors first, then steps and time.
        panels: Pictures: the solution, the reference if there is one, the error.
        signal: Description of the layout, if the field can be written as a signal or a shape.
        settings: JSON values for the field file: the arguments of the solver.
    """

    field: Field
    figures: Mapping[str, Any]
    panels: Sequence[Panel]
    signal: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
