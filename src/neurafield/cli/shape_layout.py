"""What a field file says of a shape, as every command on shapes asks it."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ..composition import AbstractComposition
from ..errors import FieldFileError, SignalError
from ..field_file import FieldFile
from ..shapes import ShapeLayout, SignedDistance
from .field_input import check_maps

UDF_LEVEL = 0.01
"""What is drawn of an unsigned distance, whose zero has no inside and no normal."""


def is_shape(file: FieldFile) -> bool:
    """Whether a field file is of a shape, as each composition of places is."""
    if file.signal is None:
        return isinstance(file.field, AbstractComposition) and file.field.in_dim == 3
    return file.signal.get("kind") == ShapeLayout.kind


def shape_layout(path: Path, file: FieldFile) -> ShapeLayout:
    """What a field file says of its shape; of a composition it may leave that to be said here.

    Raises:
        FieldFileError: If it is of no shape, or its field of other dimensions.
    """
    if not is_shape(file):
        raise FieldFileError(
            f"{path}: expected the field of a shape, got one of another kind. Its surface, in "
            "Python: neurafield.surfaces.extract(neurafield.load(path).field)."
        )
    if file.signal is None:
        return ShapeLayout()
    try:
        layout = ShapeLayout.from_spec(file.signal)
    except SignalError as error:
        raise FieldFileError(f"{path}: {error}") from error
    check_maps(path, file, layout)
    return layout


def distance_layout(path: Path, file: FieldFile) -> ShapeLayout:
    """The layout of a still shape whose field is a signed distance.

    Raises:
        FieldFileError: If it is of no shape.
        ValueError: If it is of another quantity, or moves.
    """
    layout = shape_layout(path, file)
    if not isinstance(layout.quantity, SignedDistance):
        raise ValueError(
            f"{path}: expected a field of signed distances, got {layout.quantity.name}. Fit it "
            "with --quantity sdf."
        )
    if layout.times is not None:
        raise ValueError(
            f"{path}: expected a shape that stands still, got a moving shape. Mesh it at a time "
            "with neurafield mesh --at T, and fit that."
        )
    return layout


def surface_level(layout: ShapeLayout, asked: float | None) -> float:
    """The value at which a shape has its surface, unless another is asked for."""
    if asked is not None:
        return asked
    return 0.0 if layout.quantity.has_inside else UDF_LEVEL


def still_field(
    path: Path, file: FieldFile, layout: ShapeLayout, at: float | None
) -> Callable[[Tensor], Tensor]:
    """A field over places alone: of a moving shape at a time.

    Raises:
        ValueError: If it moves and there is no time, or the time is none of its own.
    """
    if layout.times is None and at is None:
        return file.field
    if at is None:
        begin, end = layout.times or (0.0, 0.0)
        raise ValueError(
            f"{path}: expected --at T for a shape that moves, from {begin:g} to {end:g}, got none."
        )
    try:
        return layout.at(file.field, at)
    except ValueError as error:
        raise ValueError(f"{path}: --{error}") from error
