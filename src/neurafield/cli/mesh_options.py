"""What `neurafield mesh` takes."""

import argparse
from pathlib import Path

from .values import cells, finite, level, threads

SUMMARY = "write the surface of a shape's field as a triangle mesh"
DETAILS = (
    "In the units of the shape that the field was fitted to, with normals. The suffix of M "
    "chooses the format: .ply, .obj, .stl, .off, .glb."
)


def add(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    own = parser.add_argument
    own("field", type=Path, metavar="F.field", help="the field file")
    own("--out", type=Path, required=True, metavar="M", help="the mesh to write")
    own(
        "--resolution",
        type=cells,
        default=512,
        metavar="N",
        help="cells along each axis of the box, of which the shape fills 0.9, 2 to 4096 (default "
        "512)",
    )
    own(
        "--level",
        type=finite,
        metavar="V",
        help="the surface where the field is V, in the field's own value: of distances in "
        "coordinates where the longest edge is 1.8 (default 0; for unsigned distance 0.01, a shell "
        "on both sides)",
    )
    own("--at", type=finite, metavar="T", help="the time, for a shape that moves")
    own(
        "--lod",
        type=level,
        metavar="L",
        help="read the field at level of detail L, 0 the coarsest (default: all of it)",
    )
    own(
        "--closed",
        action="store_true",
        help="close a body that reaches out of the box (default: open there)",
    )
    own("--threads", type=threads, metavar="T", help="processor threads (default: all cores)")
    own("--force", action="store_true", help="overwrite an existing output")
    own("--json", action="store_true", help="print one JSON object as the last line of output")
