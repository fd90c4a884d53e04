"""A command as the command line offers it, and the exit codes of all commands."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

DONE, UNEXPECTED, BAD_INPUT, NUMERICAL_FAILURE, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass(frozen=True)
class Command:
    """A command. Building one imports nothing heavy, so that `--help` answers at once.

    Args:
        name: Name on the command line.
        summary: One line for the list of commands, without a full stop.
        details: Further sentences of the command's own help.
        add_options: Function that adds the command's arguments and options to its parser.
        module: Name of the module whose `run(arguments) -> int` executes the command. It is
            imported only then.
    """

    name: str
    summary: str
    details: str
    add_options: Callable[[argparse.ArgumentParser], None]
    module: str
