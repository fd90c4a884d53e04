"""`neurafield combine`: fields of shapes joined, intersected or cut."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from .. import composition
from .._files import check_can_write
from ..field_file import save
from ..geometry import Frame
from ..geometry.frame import FILLED
from ..shapes import ShapeLayout
from .field_input import load_field
from .main import DONE
from .shape_layout import distance_layout

OPERATIONS: dict[str, Callable[..., composition.AbstractComposition]] = {
    "union": composition.Union,
    "intersection": composition.Intersection,
    "difference": composition.Difference,
}
CELLS = 512
"""Along each axis, as `neurafield mesh` has them."""


def run(arguments: argparse.Namespace) -> int:
    """Check everything, bring all fields into one frame, write what is made of them."""
    paths = arguments.fields
    if len(paths) < 2:
        raise ValueError(f"combine: expected two fields or more, got {paths[0]} alone.")
    if arguments.out.suffix != ".field":
        raise ValueError(
            f"{arguments.out}: expected a name that ends in .field, for the field goes there."
        )
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    files = [load_field(path) for path in paths]
    frames = [distance_layout(path, file).frame for path, file in zip(paths, files, strict=True)]
    # What is not in the first is not in an intersection or a difference.
    union = arguments.operation == "union"
    frame = composition.common_frame(frames) if union else frames[0]
    parts = [
        composition.in_frame(file.field, own, frame)
        for file, own in zip(files, frames, strict=True)
    ]
    whole = OPERATIONS[arguments.operation](*parts, smooth=(arguments.smooth or 0) / frame.scale)
    save(arguments.out, whole, signal=ShapeLayout(frame=frame).spec())
    print(
        f"{arguments.out}: {arguments.operation} of {len(paths)} fields, "
        f"{whole.num_parameters:,} parameters, {arguments.out.stat().st_size:,} bytes"
    )
    for path, own in zip(paths, frames, strict=True):
        _warn_of(path, own, frame)
    if not union:
        _warn_apart(arguments, frames)
    return DONE


def _warn_of(path: Path, own: Frame, frame: Frame) -> None:
    """Say so if a shape is smaller than a cell of what is made of it."""
    cells = FILLED * own.scale / frame.scale * CELLS
    if cells < 1:
        print(
            f"neurafield: {path}: is {cells:.2g} cells long in the box of the result at "
            f"--resolution {CELLS}, so a mesh or a picture of that will not show it. The shapes "
            "are too far apart, or too different in size.",
            file=sys.stderr,
        )


def _warn_apart(arguments: argparse.Namespace, frames: list[Frame]) -> None:
    """Say so if the box of a shape does not meet that of the first."""
    first, *others = frames
    for path, own in zip(arguments.fields[1:], others, strict=True):
        gaps = (abs(a - b) for a, b in zip(first.centre, own.centre, strict=True))
        if max(gaps) > first.scale + own.scale:
            means = "is empty" if arguments.operation == "intersection" else "cuts nothing off"
            print(
                f"neurafield: {path}: does not meet {arguments.fields[0]}, so the "
                f"{arguments.operation} {means}.",
                file=sys.stderr,
            )
