"""`neurafield combine`: fields of shapes joined, intersected or cut."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .shared import options
from .shared.command import DONE, Command
from .shared.output import notice
from .shared.values import positive

if TYPE_CHECKING:
    from ..geometry import Frame

OPERATIONS = {"union": "Union", "intersection": "Intersection", "difference": "Difference"}
"""Class in `composition` for each operation."""
CELLS = 512
"""Cells along each axis that `neurafield mesh` takes by default."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "fields",
        type=Path,
        nargs="+",
        metavar="F.field",
        help="two or more fields of signed distances; for a difference, the shape that is kept "
        "comes first",
    )
    add("--with", dest="operation", choices=OPERATIONS, required=True, help="set operation")
    add(
        "--smooth",
        type=positive,
        metavar="W",
        help="blend where distances differ by less than W, in the units of the shapes; edges move "
        "by at most W/6 (default: sharp edges)",
    )
    add("--out", type=Path, required=True, metavar="C.field", help="field file to write")
    options.add_force(parser)


COMMAND = Command(
    name="combine",
    summary="join, intersect or cut shapes: fields in, a field out",
    details="Shapes keep their positions in their own units. The result has the frame of the first "
    "shape; a union has a frame around all shapes. Nothing is fitted again: the result contains "
    "all of the fields.",
    add_options=_add_options,
    module=__name__,
)


def run(arguments: argparse.Namespace) -> int:
    """Check everything, bring all fields into one frame, write their combination."""
    from .. import composition
    from .._files import check_can_write
    from ..errors import ArgumentError
    from ..field_file import save
    from ..shapes import ShapeLayout
    from .shared.inputs import load_field
    from .shared.shape_inputs import distance_layout

    paths = arguments.fields
    if len(paths) < 2:
        raise ArgumentError(f"combine: expected two or more fields, got only {paths[0]}.")
    if arguments.out.suffix != ".field":
        raise ArgumentError(
            f"{arguments.out}: expected a name that ends in .field. Choose another --out."
        )
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    files = [load_field(path) for path in paths]
    frames = [distance_layout(path, file).frame for path, file in zip(paths, files, strict=True)]
    # An intersection or a difference lies inside the first shape.
    is_union = arguments.operation == "union"
    frame = composition.common_frame(frames) if is_union else frames[0]
    parts = [
        composition.in_frame(file.field, own, frame)
        for file, own in zip(files, frames, strict=True)
    ]
    combined = getattr(composition, OPERATIONS[arguments.operation])
    whole = combined(*parts, smooth=(arguments.smooth or 0) / frame.scale)
    save(arguments.out, whole, signal=ShapeLayout(frame=frame).spec())
    print(
        f"{arguments.out}: {arguments.operation} of {len(paths)} fields, "
        f"{whole.num_parameters:,} parameters, {arguments.out.stat().st_size:,} bytes"
    )
    for path, own in zip(paths, frames, strict=True):
        _notice_if_tiny(path, own, frame)
    if not is_union:
        _notice_if_apart(arguments.operation, paths, frames)
    return DONE


def _notice_if_tiny(path: Path, own: "Frame", frame: "Frame") -> None:
    """Print a notice if a shape is smaller than a cell of a mesh of the result."""
    from ..geometry.frame import FILLED

    cells = FILLED * own.scale / frame.scale * CELLS
    if cells < 1:
        notice(
            f"{path}: is only {cells:.2g} cells long in the box of the result at --resolution "
            f"{CELLS}, so a mesh or a picture of the result will not show it. The shapes are too "
            "far apart, or their sizes differ too much."
        )


def _notice_if_apart(operation: str, paths: Sequence[Path], frames: Sequence["Frame"]) -> None:
    """Print a notice if the box of a shape does not meet that of the first."""
    first, *others = frames
    for path, own in zip(paths[1:], others, strict=True):
        gaps = (abs(a - b) for a, b in zip(first.centre, own.centre, strict=True))
        if max(gaps) > first.scale + own.scale:
            effect = "is empty" if operation == "intersection" else "cuts nothing off"
            notice(f"{path}: does not meet {paths[0]}, so the {operation} {effect}.")
