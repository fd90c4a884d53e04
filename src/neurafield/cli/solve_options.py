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


PROBLEMS: dict[str, Problem] = {
    "poisson-image": Problem(
        "a picture from its gradients or its Laplacian",
        "What they leave open, an offset and a scale, is fixed by least squares.",
        _poisson_image,
    ),
}
"""All that `solve` knows."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """The options that every problem has."""
    add = parser.add_argument
    add("--out", type=Path, metavar="F.field", help="the field file; .png and .json go beside it")
    add("--steps", type=count, metavar="N", help="stop after N steps (default: by the problem)")
    add("--time", type=positive, metavar="S", help="stop after S seconds")
    add("--seed", type=seed, default=0, metavar="K", help="of parameters and sampling (default 0)")
    add("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    add("--force", action="store_true", help="overwrite existing outputs")
    add("--json", action="store_true", help="print one JSON object as the last line of output")
    # Suppressed: `solve --debug PROBLEM` has set it already.
    add("--debug", action="store_true", default=argparse.SUPPRESS, help="show a traceback")
