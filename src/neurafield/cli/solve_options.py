"""The options of `neurafield solve`, problem by problem. Nothing heavy is imported here."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .values import count, positive, seed, threads


@dataclass(frozen=True)
class Problem:
    """A problem as the command line offers it.

    Args:
        summary: One line for the list.
        details: What else its help says.
        add: Adds its own options.
    """

    summary: str
    details: str
    add: Callable[[argparse.ArgumentParser], None]


def _poisson_image(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="PHOTO", help="the picture whose derivatives are given")
    add(
        "--from",
        dest="source",
        choices=("gradient", "laplacian"),
        default="gradient",
        help="what of it is given (default: gradient)",
    )
    add(
        "--derivatives",
        choices=("spline", "filter"),
        default="spline",
        help="of the spline through the pixels (default), or by SIREN's filters, which blur",
    )
    add(
        "--arch",
        default="spline",
        choices=("spline", "siren", "fourier", "positional"),
        help="the field (default: spline, solved by least squares; the others are trained)",
    )
    add("--size", type=count, nargs=2, metavar=("H", "W"), help="scale the picture first")


def _waves(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--wavenumber", type=positive, default=20.0, metavar="K", help="2 pi / wavelength (20)")
    add("--pml", type=positive, default=5.0, metavar="A", help="strength of the layer (5)")
    add("--width", type=count, metavar="N", help="hidden units (default: by the wave number)")
    add("--points", type=count, metavar="N", help="where the equation holds (default: 4 a unit)")


def _helmholtz(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--velocity",
        choices=("uniform", "square", "circle"),
        default="uniform",
        help="1 everywhere, or 2 in a square or a circle in the middle (default: uniform)",
    )
    parser.add_argument(
        "--source", type=float, nargs=2, metavar=("X", "Y"), help="where (default: the paper's)"
    )
    _waves(parser)


def _inversion(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="RECORDING", help="source, receivers, rec_val: .npz or .mat")
    _waves(parser)
    add("--region", type=positive, default=0.38, metavar="R", help="unknown in |x|, |y| < R (0.38)")
    add(
        "--roughness",
        type=positive,
        default=1e-3,
        metavar="M",
        help="how much smoothness counts against the fit; more for more noise (default 0.001)",
    )


def _wave(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--sigma",
        type=positive,
        default=5e-4**0.5,
        metavar="S",
        help="spread of the pulse (0.0224)",
    )
    add("--duration", type=positive, default=0.2, metavar="T", help="the last time (0.2)")
    add("--width", type=count, metavar="N", help="hidden units (default: by the pulse)")


def _mean_curvature(parser: argparse.ArgumentParser) -> None:
    _evolution(parser)
    parser.add_argument(
        "--duration",
        type=positive,
        metavar="T",
        help="the last time, in squares of the shape's units (default: until a ball of the same "
        "volume has half of its radius)",
    )


def _transport(parser: argparse.ArgumentParser) -> None:
    _evolution(parser)
    parser.add_argument(
        "--field",
        choices=("rotation", "vortex"),
        default="rotation",
        help="a quarter turn around y (default), or a swirl around z that turns back at half time",
    )


def _morph(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="A", help="the first shape: a mesh, or a field of one")
    add("second", type=Path, metavar="B", help="the second one, in the same place")
    _evolution_plan(parser)


def _evolution(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="SHAPE", help="a mesh, or a field of one")
    _evolution_plan(parser)


def _evolution_plan(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--width", type=count, default=40, metavar="N", help="hidden units in each layer (40)")
    add("--points", type=count, default=2500, metavar="N", help="of a step (2500)")


PROBLEMS: dict[str, Problem] = {
    "poisson-image": Problem(
        "a picture from its gradients or its Laplacian",
        "What they leave open, an offset and a scale, is fixed by least squares.",
        _poisson_image,
    ),
    "helmholtz": Problem(
        "the wave of a small source in an open medium",
        "On [-1, 1]^2 with an absorbing layer beyond 1/2. One least-squares solve, no steps.",
        _helmholtz,
    ),
    "inversion": Problem(
        "a medium from waves recorded around it",
        "Squared slowness inside a ring of receivers, from a uniform medium on.",
        _inversion,
    ),
    "wave": Problem(
        "the wave after a pulse",
        "In (t, x, y) at speed 1, from rest. One least-squares solve, no steps.",
        _wave,
    ),
    "mean-curvature": Problem(
        "a shape that becomes round and shrinks",
        "A field over (x, y, z, time); mesh and render take --at T.",
        _mean_curvature,
    ),
    "transport": Problem(
        "a shape that a velocity carries along",
        "A field over (x, y, z, time); mesh and render take --at T.",
        _transport,
    ),
    "morph": Problem(
        "a shape that becomes another",
        "A field over (x, y, z, time); mesh and render take --at T.",
        _morph,
    ),
}
"""All that `solve` knows."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every problem has."""
    add = parser.add_argument
    add("--out", type=Path, metavar="F.field", help="the field file; .png and .json go beside it")
    add("--steps", type=count, metavar="N", help="stop after N steps (default: by the problem)")
    add("--time", type=positive, metavar="S", help="stop after S seconds")
    add("--seed", type=seed, metavar="K", help="of parameters and sampling (default 0)")
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add("--force", action="store_true", help="overwrite existing outputs")
    add("--json", action="store_true", help="print one JSON object as the last line of output")
    # Suppressed: `solve --debug PROBLEM` has set it already.
    add("--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback")
