"""`neurafield solve wave`: a pulse, and what becomes of it."""

import argparse
from typing import Any

from ..problems import Solution, wave


def solve(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """One solve: there are no steps to bound."""
    for bound in ("steps", "time"):
        if bound in common:
            raise ValueError(
                f"--{bound}: expected none for wave, which is one solve. A smaller --width is "
                "faster and less exact."
            )
    return wave(sigma=arguments.sigma, duration=arguments.duration, width=arguments.width, **common)
