"""Fields of shapes, as all commands read them."""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ...composition import AbstractComposition
from ...errors import ArgumentError, FieldFileError, SignalError
from ...field_file import FieldFile
from ...shapes import ShapeLayout, SignedDistance
from .inputs import check_dimensions

UDF_LEVEL = 0.01
"""Default level of an unsigned distance, whose zero has no inside and no normal."""


def is_shape(file: FieldFile) -> bool:
    """True for the field of a shape; every composition over three coordinates is one."""
    if file.signal is None:
        return isinstance(file.field, AbstractComposition) and file.field.in_dim == 3
    return file.signal.get("kind") == ShapeLayout.kind


def shape_layout(path: Path, file: FieldFile) -> ShapeLayout:
    """The layout of a shape's field; for a composition without one, the default layout.

    Raises:
        FieldFileError: If it is not the field of a shape, or its field has other dimensions.
    """
    if not is_shape(file):
        raise FieldFileError(
            f"{path}: expected the field of a shape, got one of another kind. Extract its surface "
            "in Python: neurafield.surfaces.extract(neurafield.load(path).field)."
        )
    if file.signal is None:
        return ShapeLayout()
    try:
        layout = ShapeLayout.from_spec(file.signal)
    except SignalError as error:
        raise FieldFileError(f"{path}: {error}") from error
    check_dimensions(path, file, layout)
    return layout


def distance_layout(path: Path, file: FieldFile) -> ShapeLayout:
    """The layout of a static shape whose field is a signed distance.

    Raises:
        FieldFileError: If it is not the field of a shape.
        ArgumentError: If it has another quantity, or moves.
    """
    layout = shape_layout(path, file)
    if not isinstance(layout.quantity, SignedDistance):
        raise ArgumentError(
            f"{path}: expected a field of signed distances, got {layout.quantity.name}. Fit it "
            "with --quantity sdf."
        )
    if layout.times is not None:
        raise ArgumentError(
            f"{path}: expected a static shape, got a moving shape. Mesh it at one time with "
            "neurafield mesh --at T, and fit that mesh."
        )
    return layout


def surface_level(layout: ShapeLayout, requested: float | None) -> float:
    """The value of the field on the surface: the requested one, or the default."""
    if requested is not None:
        return requested
    return 0.0 if layout.quantity.has_inside else UDF_LEVEL


def static_field(
    path: Path, file: FieldFile, layout: ShapeLayout, at: float | None
) -> Callable[[Tensor], Tensor]:
    """A field over space alone; for a moving shape, at one time.

    Args:
        path: Field file, for messages.
        file: Content of the field file.
        layout: Layout of the shape.
        at: Time for a moving shape, else None.

    Raises:
        ArgumentError: If a moving shape gets no time or a time outside its range, or a static
            shape gets a time.
    """
    if layout.times is None and at is None:
        return file.field
    if at is None:
        begin, end = layout.times or (0.0, 0.0)
        raise ArgumentError(
            f"{path}: expected --at T for a moving shape, from {begin:g} to {end:g}, got none."
        )
    try:
        return layout.at(file.field, at)
    except ValueError as error:
        raise ArgumentError(f"{path}: --{error}") from error
