"""`neurafield solve helmholtz`, `inversion` and `wave`: waves, and what they went through."""

import argparse
from typing import Any

from ..problems import Solution, helmholtz, inversion, wave
from ..signals import Recording


def solve_helmholtz(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """The wave of a small source."""
    _refuse_bounds("helmholtz", common)
    return helmholtz(
        wavenumber=arguments.wavenumber,
        velocity=arguments.velocity,
        source=None if arguments.source is None else tuple(arguments.source),
        pml=arguments.pml,
        width=arguments.width,
        num_points=arguments.points,
        **common,
    )


def solve_inversion(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """Read the recording, solve."""
    return inversion(
        Recording.load(arguments.input),
        wavenumber=arguments.wavenumber,
        pml=arguments.pml,
        region=arguments.region,
        roughness=arguments.roughness,
        width=arguments.width,
        num_points=arguments.points,
        **common,
    )


def solve_wave(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """A pulse, and what becomes of it."""
    _refuse_bounds("wave", common)
    return wave(sigma=arguments.sigma, duration=arguments.duration, width=arguments.width, **common)


def _refuse_bounds(problem: str, common: dict[str, Any]) -> None:
    """One solve has no steps to bound."""
    for bound in ("steps", "time"):
        if bound in common:
            raise ValueError(
                f"--{bound}: expected none for {problem}, which is one solve. A smaller --width "
                "is faster and less exact."
            )
