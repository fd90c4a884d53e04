"""What `neurafield render` takes for some kinds of fields only."""

import argparse
from pathlib import Path

from .values import angle, count, finite, half_turn, positive, side_samples

SIGNALS = ("scale", "region")
"""Options, by their names in the arguments, of pictures, sound, videos and volumes."""
SHAPES = (
    *("azimuth", "elevation", "distance", "fov", "up", "samples", "background", "level"),
    *("at", "turntable", "frames"),
)
"""Those of shapes."""


def add(parser: argparse.ArgumentParser) -> None:
    """The options of shapes; without one of them its default is for `draw` to say."""
    own = parser.add_argument_group("shapes only").add_argument
    own(
        "--azimuth",
        type=finite,
        metavar="A",
        help="where to look from, in degrees around the shape (default 30; 0 looks along -z, with "
        "--up z along +y)",
    )
    own("--elevation", type=half_turn, metavar="E", help="degrees above the horizon (default 20)")
    own(
        "--distance",
        type=positive,
        metavar="D",
        help="of the camera; the shape's longest side "
        "is 1.8 (default: by --fov, so that the shape fits)",
    )
    own("--fov", type=angle, metavar="F", help="degrees across the shorter side (default 35)")
    own("--up", choices=("y", "z"), help="the axis that points up (default y)")
    own("--samples", type=side_samples, metavar="S", help="S x S rays where edges are (default 2)")
    own("--background", choices=("white", "transparent"), help="default white")
    own(
        "--level",
        type=finite,
        metavar="V",
        help="draw where the field is V, in the field's own value: of distances in coordinates "
        "where the longest edge is 1.8 (default 0; 0.01 for unsigned distance)",
    )
    own("--at", type=finite, metavar="T", help="the time, for a shape that moves")
    own(
        "--turntable",
        type=Path,
        metavar="M.mp4",
        help="write a turn around the shape; of one that moves through its times, without --at",
    )
    own("--frames", type=count, metavar="N", help="of the turn (default 72)")


def refuse(arguments: argparse.Namespace, names: tuple[str, ...], kind: str, others: str) -> None:
    """Require that none of these options was given.

    Raises:
        ValueError: If one was, saying what it is for.
    """
    for name in names:
        if getattr(arguments, name) is not None:
            raise ValueError(
                f"--{name}: expected a field of {others}, got one of {kind}. Leave it out; see "
                "neurafield render --help."
            )
