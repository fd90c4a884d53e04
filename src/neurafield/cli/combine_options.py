"""What `neurafield combine` takes."""

import argparse
from pathlib import Path

from .values import positive

OPERATIONS = ("union", "intersection", "difference")
SUMMARY = "join, intersect or cut shapes: fields in, a field out"
DETAILS = (
    "Shapes keep their places in their own units. The result is in the frame of the first, or, of "
    "a union, in one that holds all. Nothing is fitted anew: it holds all of the fields."
)


def add(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    own = parser.add_argument
    own(
        "fields",
        type=Path,
        nargs="+",
        metavar="F.field",
        help="fields of signed distances, two or more; of a difference what is kept, then the rest",
    )
    own("--with", dest="operation", choices=OPERATIONS, required=True, help="how they are combined")
    own(
        "--smooth",
        type=positive,
        metavar="W",
        help="blend where distances differ by less than W, in the units of the shapes; edges move "
        "by W/6 at most (default: sharp)",
    )
    own("--out", type=Path, required=True, metavar="C.field", help="the field file to write")
    own("--force", action="store_true", help="overwrite an existing output")
