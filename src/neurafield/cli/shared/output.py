"""Output of the commands: results on standard output, notices on standard error."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def notice(text: str) -> None:
    """Print a sentence on standard error."""
    print(f"neurafield: {text}", file=sys.stderr)


def report(text: str, *, as_json: Mapping[str, Any] | None = None) -> None:
    """Print results.

    Args:
        text: Results for people, on standard output.
        as_json: Results for programs, if they were requested: one line of JSON on standard
            output. The text then goes to standard error.
    """
    print(text, file=sys.stdout if as_json is None else sys.stderr)
    if as_json is not None:
        print(json.dumps(as_json))


def notice_interrupted(steps: int, out: Path) -> None:
    """Tell that a solver was interrupted and its state was written."""
    notice(f"interrupted at step {steps}; {out} holds the result so far.")
