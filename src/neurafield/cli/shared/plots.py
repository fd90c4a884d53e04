"""Figures by matplotlib, which are written to files and never shown on a screen."""

import importlib.util
from pathlib import Path
from typing import Any

from ..._files import atomic_path
from ...errors import NeurafieldError


def require_matplotlib(command: str) -> None:
    """Require the package before hours are spent on what it has to draw.

    Raises:
        NeurafieldError: If it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise NeurafieldError(
            f"{command}: needs the package matplotlib. Run: pip install 'neurafield[plot]'."
        )


def new_figure(width: float, height: float) -> Any:
    """A matplotlib figure with a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure, all or nothing."""
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
