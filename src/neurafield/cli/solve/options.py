"""Options of `neurafield solve`, and the table of its problems."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.command import Command
from ..shared.values import count
from .evolution import MEAN_CURVATURE, MORPH, TRANSPORT
from .poisson_image import POISSON_IMAGE
from .problem import Problem
from .waves import HELMHOLTZ, INVERSION, WAVE

PROBLEMS: dict[str, Problem] = {
    problem.name: problem
    for problem in (
        *(POISSON_IMAGE, HELMHOLTZ, INVERSION, WAVE),
        *(MEAN_CURVATURE, TRANSPORT, MORPH),
    )
}
"""All problems by name."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    problems = parser.add_subparsers(dest="problem", required=True, metavar="PROBLEM")
    for name, problem in PROBLEMS.items():
        summary = f"{problem.summary[0].upper()}{problem.summary[1:]}. {problem.details}"
        own = problems.add_parser(name, help=problem.summary, description=summary)
        problem.add_options(own)
        _add_common(own)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--out",
        type=Path,
        metavar="F.field",
        help="field file to write; a .png and a .json are written next to it (default: named after "
        "the input and the problem, in the current folder)",
    )
    add("--steps", type=count, metavar="N", help="stop after N steps (default: by the problem)")
    options.add_time(parser)
    options.add_seed(parser)
    options.add_threads(parser)
    options.add_force(parser)
    options.add_json(parser)
    # Suppressed, since `solve --debug PROBLEM` has set it already.
    add(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show a traceback on failure",
    )


COMMAND = Command(
    name="solve",
    summary="solve a problem with derivatives: pictures from gradients, waves, moving shapes",
    details="Writes the field, a figure (solution, reference, error) and the errors as JSON.",
    add_options=_add_options,
    module=f"{__package__}.run",
)
