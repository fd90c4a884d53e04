"""Options of `neurafield evaluate`."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.command import Command
from ..shared.values import cells, count, positive


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("given", type=Path, metavar="GIVEN", help="field file or mesh")
    add(
        "--against",
        type=Path,
        required=True,
        metavar="TRUTH",
        help="reference: a mesh or points in the same units; for a field of a picture, sound, ... "
        "the file to which it was fitted",
    )
    add(
        "--resolution",
        type=cells,
        metavar="N",
        help="cells along each axis for extracting the surface of a field, from 2 to 4096 "
        "(default: 256)",
    )
    add(
        "--points",
        type=count,
        metavar="N",
        help="random points on each surface, and in the box for IoU (default: 100,000); not for a "
        "reference of points",
    )
    add(
        "--distance",
        type=positive,
        metavar="D",
        help="largest distance at which a point counts for the F-score and recall (default: 0.01)",
    )
    options.add_seed(parser, of="the random points")
    options.add_threads(parser)
    add("--json", action="store_true", help="print one JSON object")


COMMAND = Command(
    name="evaluate",
    summary="measure a field or a mesh against a reference",
    details="Shapes: Chamfer-L1 (mean of the mean distances to and from the reference), normal "
    "consistency, IoU of the insides, and F-score. Distances are fractions of the longest edge of "
    "the reference's box. IoU is null where there is no inside. Against points: mean distance from "
    "the points, normal consistency if they have normals, and recall, the share of points that are "
    "near. Pictures, sound, video and volumes: PSNR and, for pictures and video, SSIM.",
    add_options=_add_options,
    module=f"{__package__}.run",
)
