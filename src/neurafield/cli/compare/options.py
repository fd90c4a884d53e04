"""Options of `neurafield compare`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..shared import options
from ..shared.command import DONE, Command
from ..shared.values import count, positive


class _List(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from .architectures import print_architectures

        print_architectures()
        parser.exit(DONE)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--list", action=_List, help="print all architectures and exit")
    add("input", type=Path, metavar="INPUT", help="file to fit")
    add(
        "--archs",
        nargs="+",
        required=True,
        metavar="NAME",
        help=f"architectures: all, or names, {options.ARCHS}",
    )
    options.add_params(parser, "that of the first architecture")
    add(
        "--steps",
        type=count,
        metavar="N",
        help="stop each run after N steps (default, without --time: 1000)",
    )
    add("--time", type=positive, metavar="S", help="stop each run after S seconds of fitting")
    options.add_seeds(parser, [0])
    options.add_lr(parser)
    add(
        "--tune",
        action="store_true",
        help="first try the learning rate times 1/3, 1 and 3, each for a quarter of a run",
    )
    options.add_threads(parser)
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="output folder (default: the name of INPUT and -compare, in the current folder)",
    )
    options.add_folder_force(parser)


COMMAND = Command(
    name="compare",
    summary="fit several architectures of one size to a file, side by side",
    details="Writes a page (HTML, to open in a browser), tables (Markdown, JSON), pictures, curves "
    "of PSNR over steps and time, and the fields. Each run stops at --steps or --time, whichever "
    "comes first. Ctrl-C keeps the finished runs. Not for shapes.",
    add_options=_add_options,
    module=f"{__package__}.run",
)
