"""`neurafield solve helmholtz`, `inversion` and `wave`: waves and the media they pass through."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.values import count, positive
from .problem import Problem

if TYPE_CHECKING:
    from ...problems import Solution


def _add_helmholtz(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--velocity",
        choices=("uniform", "square", "circle"),
        default="uniform",
        help="velocity of the medium: 1 everywhere, or 2 in a square or a circle in the middle "
        "(default: uniform)",
    )
    add(
        "--source",
        type=float,
        nargs=2,
        metavar=("X", "Y"),
        help="position of the source (default: that of the SIREN paper)",
    )
    _add_common(parser)


def _add_inversion(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "input",
        type=Path,
        metavar="RECORDING",
        help="a .npz or .mat file with the arrays source, receivers and rec_val",
    )
    _add_common(parser)
    add(
        "--region",
        type=positive,
        default=0.38,
        metavar="R",
        help="the medium is unknown where |x|, |y| < R (default: 0.38)",
    )
    add(
        "--roughness",
        type=positive,
        default=1e-3,
        metavar="M",
        help="weight of the smoothness of the medium; more for noisier recordings (default: 0.001)",
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--wavenumber",
        type=positive,
        default=20.0,
        metavar="K",
        help="2 pi / wavelength (default: 20)",
    )
    add(
        "--pml",
        type=positive,
        default=5.0,
        metavar="A",
        help="strength of the absorbing layer (default: 5)",
    )
    add("--width", type=count, metavar="N", help="hidden units (default: by the wavenumber)")
    add(
        "--points",
        type=count,
        metavar="N",
        help="number of points of the equation (default: 4 per hidden unit)",
    )


def _add_wave(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--sigma",
        type=positive,
        default=5e-4**0.5,
        metavar="S",
        help="standard deviation of the pulse (default: 0.0224)",
    )
    add("--duration", type=positive, default=0.2, metavar="T", help="last time (default: 0.2)")
    add("--width", type=count, metavar="N", help="hidden units (default: by the pulse)")


def solve_helmholtz(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """The wave of a point source."""
    from ...problems import helmholtz

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


def solve_inversion(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """The medium from a recording."""
    from ...problems import inversion
    from ...signals import Recording

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


def solve_wave(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """The wave after a pulse."""
    from ...problems import wave

    _refuse_bounds("wave", common)
    return wave(sigma=arguments.sigma, duration=arguments.duration, width=arguments.width, **common)


def _refuse_bounds(problem: str, common: dict[str, Any]) -> None:
    """Refuse bounds on steps or time for a problem that is solved in one step."""
    from ...errors import ArgumentError

    for bound in ("steps", "time"):
        if bound in common:
            raise ArgumentError(
                f"--{bound}: expected none for {problem}, which is one least-squares solve. A "
                "smaller --width is faster and less accurate."
            )


HELMHOLTZ = Problem(
    name="helmholtz",
    summary="the wave of a point source in an open medium",
    details="On [-1, 1]^2, with an absorbing layer outside [-1/2, 1/2]^2. One least-squares solve "
    "without steps, so --steps and --time do not apply.",
    add_options=_add_helmholtz,
    solve=solve_helmholtz,
)
INVERSION = Problem(
    name="inversion",
    summary="a medium from waves recorded around it",
    details="Finds the squared slowness inside a ring of receivers; starts from a uniform medium.",
    add_options=_add_inversion,
    solve=solve_inversion,
)
WAVE = Problem(
    name="wave",
    summary="the wave after a pulse",
    details="In (t, x, y), at speed 1, starting from rest. One least-squares solve without steps, "
    "so --steps and --time do not apply.",
    add_options=_add_wave,
    solve=solve_wave,
)
