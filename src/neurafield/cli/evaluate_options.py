"""What `neurafield evaluate` takes, apart from what it does, so that --help stays fast."""

import argparse
from pathlib import Path

from .values import cells, count, positive, seed, threads

SUMMARY = "measure how well a field, or a mesh, gives a shape or a signal"
DETAILS = (
    "Of shapes: Chamfer-L1 (the mean of the mean distances to and from the reference), normal "
    "consistency, IoU of the insides and the F-score; distances are fractions of the largest edge "
    "of the reference's box. IoU is null where there is no inside. Against points: the mean "
    "distance from them, normal consistency if they have normals, and the part that is near. Of "
    "pictures, sound, video and volumes: PSNR and, for pictures and video, SSIM."
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    option = parser.add_argument
    option("given", type=Path, metavar="GIVEN", help="a field file, or a mesh")
    option(
        "--against",
        type=Path,
        required=True,
        metavar="TRUTH",
        help="a mesh or points in the same units; for a field of a picture, ... the file it was "
        "fitted to",
    )
    option(
        "--resolution",
        type=cells,
        metavar="N",
        help="cells along each axis, with which a field's surface is found, 2 to 4096 (default "
        "256)",
    )
    option(
        "--points",
        type=count,
        metavar="N",
        help="drawn on each surface, and in the box for IoU (default 100,000); not against points",
    )
    option(
        "--distance",
        type=positive,
        metavar="D",
        help="within which a point counts for the F-score and recall (default 0.01)",
    )
    option("--seed", type=seed, metavar="K", help="of the points (default 0)")
    option("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    option("--json", action="store_true", help="print one JSON object")
