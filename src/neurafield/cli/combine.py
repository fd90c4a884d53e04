"""`neurafield combine`: fields of shapes joined, intersected or cut."""

import argparse
from collections.abc import Callable
from pathlib import Path

from .. import composition
from .._files import check_can_write
from ..field_file import FieldFile, load, save
from ..shapes import ShapeLayout
from .main import DONE
from .shape_layout import shape_layout

OPERATIONS: dict[str, Callable[..., composition.AbstractComposition]] = {
    "union": composition.Union,
    "intersection": composition.Intersection,
    "difference": composition.Difference,
}


def run(arguments: argparse.Namespace) -> int:
    """Check everything, bring all fields into one frame, write what is made of them."""
    paths = arguments.fields
    if len(paths) < 2:
        raise ValueError(f"combine: expected two fields or more, got {paths[0]} alone.")
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    files = [load(path) for path in paths]
    frames = [_distances(path, file).frame for path, file in zip(paths, files, strict=True)]
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
    return DONE


def _distances(path: Path, file: FieldFile) -> ShapeLayout:
    """The layout of a still shape whose field is a signed distance."""
    layout = shape_layout(path, file)
    if layout.quantity.name != "sdf":
        raise ValueError(
            f"{path}: expected a field of signed distances, got {layout.quantity.name}. Fit it "
            "with --quantity sdf."
        )
    if layout.times is not None:
        raise ValueError(f"{path}: expected a shape that stands still, got one that moves.")
    return layout
