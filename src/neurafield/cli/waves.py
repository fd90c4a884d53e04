"""`neurafield solve helmholtz` and `solve inversion`: waves, and what they went through."""

import argparse
from typing import Any

from ..problems import Recording, Solution, helmholtz, inversion


def solve_helmholtz(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """One solve: there are no steps to bound."""
    for bound in ("steps", "time"):
        if bound in common:
            raise ValueError(
                f"--{bound}: expected none for helmholtz, which is one solve. A smaller --width "
                "is faster and less exact."
            )
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
