"""Options of `neurafield analyze`."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.command import Command
from ..shared.values import count


def _add_options(parser: argparse.ArgumentParser) -> None:
    analyses = parser.add_subparsers(dest="analysis", required=True, metavar="ANALYSIS")
    _add_spectrum(
        analyses.add_parser(
            "spectrum",
            help="which frequencies are learned first",
            description="Fit architectures of one size and record the error in each band of "
            "frequencies; compute the spectrum of their neural tangent kernels. Writes two "
            "figures, and the numbers as JSON.",
        )
    )


def _add_spectrum(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "input",
        type=Path,
        nargs="?",
        metavar="INPUT",
        help="file to fit (default: a sum of ten sines, with 5 to 50 cycles across the box)",
    )
    add(
        "--archs",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"architectures, {options.ARCHS}",
    )
    add("--rising", action="store_true", help="sines whose amplitudes rise with their frequency")
    options.add_params(parser, "that of the first architecture")
    add("--steps", type=count, default=2000, metavar="N", help="steps per run (default: 2000)")
    options.add_seeds(parser, [0, 1, 2])
    options.add_lr(parser)
    options.add_threads(parser)
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="output folder (default: the name of INPUT and -spectrum, in the current folder)",
    )
    options.add_folder_force(parser)
    options.add_json(parser)


COMMAND = Command(
    name="analyze",
    summary="see what architectures learn first, and why",
    details="",
    add_options=_add_options,
    module=f"{__package__}.run",
)
