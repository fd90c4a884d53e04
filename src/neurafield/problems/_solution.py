"""What solving a problem leaves."""

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
        figures: JSON values: the errors first, then what it took.
        panels: Of the figure: the solution, the reference if there is one, the error.
        signal: Description of the file that the field can be drawn to, if it is a signal's.
        settings: JSON values: what it was made with, for the field file.
    """

    field: Field
    figures: Mapping[str, Any]
    panels: Sequence[Panel]
    signal: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
