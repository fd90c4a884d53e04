"""Options of `neurafield render`."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.command import Command
from ..shared.values import count, positive
from . import shape_options


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_field(parser)
    add("--out", type=Path, metavar="FILE", help="picture, sound, ... to write")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--scale", type=positive, metavar="X", help="scale factor; not for shapes")
    size.add_argument(
        "--size",
        type=count,
        nargs="+",
        metavar="N",
        help="size of the result: H W; volumes: D H W; sound: number of samples (default: the "
        "original size; shapes: 512 512)",
    )
    add(
        "--region",
        type=float,
        nargs="+",
        metavar="R",
        help="render only a part, in samples of the original: R0 R1 C0 C1; sound: S0 S1; not for "
        "shapes",
    )
    options.add_lod(parser)
    options.add_force(parser)
    shape_options.add(parser)


COMMAND = Command(
    name="render",
    summary="write a field as a picture, sound, video or volume, at any size",
    details="The suffix of FILE chooses the format. Video keeps its frames and changes its rows "
    "and columns; sound changes its sample rate. A shape is drawn as a picture of its surface or, "
    "with --turntable, as a film of a turn around it.",
    add_options=_add_options,
    module=f"{__package__}.run",
)
