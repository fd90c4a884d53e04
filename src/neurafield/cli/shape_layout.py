"""What a field file says of a shape, as every command on shapes asks it."""

from pathlib import Path

from ..errors import FieldFileError, SignalError
from ..field_file import FieldFile
from ..shapes import ShapeLayout


def shape_layout(path: Path, file: FieldFile) -> ShapeLayout:
    """What a field file says of its shape.

    Raises:
        FieldFileError: If it is of no shape, or its field of other dimensions.
    """
    if file.signal is None or file.signal.get("kind") != ShapeLayout.kind:
        raise FieldFileError(
            f"{path}: expected the field of a shape, got one of another kind. Its surface, in "
            "Python: neurafield.surfaces.extract(neurafield.load(path).field)."
        )
    try:
        layout = ShapeLayout.from_spec(file.signal)
    except SignalError as error:
        raise FieldFileError(f"{path}: {error}") from error
    if (layout.in_dim, layout.channels) != (file.field.in_dim, file.field.out_dim):
        raise FieldFileError(
            f"{path}: the field maps {file.field.in_dim} coordinates to {file.field.out_dim} "
            f"values, its shape {layout.in_dim} to {layout.channels}."
        )
    return layout
