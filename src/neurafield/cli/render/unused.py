"""Refuses options that do not apply to the kind of field."""

import argparse
from collections.abc import Iterable

from ...errors import ArgumentError


def check_unused(
    arguments: argparse.Namespace, names: Iterable[str], kind: str, others: str
) -> None:
    """Require that none of these options was given.

    Args:
        arguments: Arguments of the command.
        names: Names of the options.
        kind: Kind of the field.
        others: Kinds of fields that the options are for.

    Raises:
        ArgumentError: If one was given.
    """
    for name in names:
        if getattr(arguments, name) is not None:
            raise ArgumentError(
                f"--{name}: expected a field of {others}, got one of {kind}. Leave it out; see "
                "neurafield render --help."
            )
