"""A problem as `neurafield solve` offers it."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...problems import Solution


@dataclass(frozen=True)
class Problem:
    """A problem. Building one imports nothing heavy; `solve` imports what it needs.

    Args:
        name: Name on the command line.
        summary: One line for the list of problems, without a full stop.
        details: Further sentences of the problem's own help.
        add_options: Function that adds the problem's own arguments and options.
        solve: Function from the arguments of the command, and the keyword arguments that all
            problems have, to a solution.
    """

    name: str
    summary: str
    details: str
    add_options: Callable[[argparse.ArgumentParser], None]
    solve: "Callable[[argparse.Namespace, dict[str, Any]], Solution]"
