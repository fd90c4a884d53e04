"""Options of `neurafield render` that apply to some kinds of fields only."""

import argparse
from pathlib import Path

from ..shared import options
from ..shared.values import angle, count, finite, half_turn, positive, side_samples

SIGNALS = ("scale", "region")
"""Names of the options for pictures, sound, video and volumes."""
SHAPES = (
    *("azimuth", "elevation", "distance", "fov", "up", "samples", "background", "level"),
    *("at", "turntable", "frames"),
)
"""Names of the options for shapes."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options for shapes. Their defaults are None, so that a given one is noticed."""
    group = parser.add_argument_group("shapes only")
    own = group.add_argument
    own(
        "--azimuth",
        type=finite,
        metavar="A",
        help="direction of the camera around the shape, in degrees (default: 30; 0 looks along -z, "
        "with --up z along +y)",
    )
    own(
        "--elevation",
        type=half_turn,
        metavar="E",
        help="degrees of the camera above the horizon (default: 20)",
    )
    own(
        "--distance",
        type=positive,
        metavar="D",
        help="distance of the camera; the longest edge of the shape's box is 1.8 (default: so that "
        "the shape fits)",
    )
    own(
        "--fov",
        type=angle,
        metavar="F",
        help="field of view across the shorter side, in degrees (default: 35)",
    )
    own("--up", choices=("y", "z"), help="axis that points up (default: y)")
    own(
        "--samples",
        type=side_samples,
        metavar="S",
        help="antialiasing: S x S rays per pixel at edges (default: 2)",
    )
    own("--background", choices=("white", "transparent"), help="background (default: white)")
    options.add_surface(group, "drawn", "0.01")
    own(
        "--turntable",
        type=Path,
        metavar="M.mp4",
        help="write a film of a turn around the shape; without --at, a moving shape goes through "
        "its times",
    )
    own("--frames", type=count, metavar="N", help="number of frames of the film (default: 72)")
