"""The field file that a command is given."""

from pathlib import Path

from ..errors import FieldFileError
from ..field_file import FieldFile, load
from ..shapes import SUFFIXES, ShapeLayout
from ..signals import AbstractLayout


def load_field(path: Path) -> FieldFile:
    """Read a field file; of what is plainly none, say what it is.

    Raises:
        FieldFileError: If it is missing, a mesh or points, or cannot be read as a field file.
    """
    if not path.exists():
        raise FieldFileError(f"{path}: no such file. Check the spelling and the folder.")
    if path.suffix.lower() in SUFFIXES:
        raise FieldFileError(
            f"{path}: is a mesh or points, not a field; neurafield fit {path} makes one."
        )
    return load(path)


def check_maps(path: Path, file: FieldFile, layout: AbstractLayout | ShapeLayout) -> None:
    """Require a field of the dimensions that its file tells.

    Raises:
        FieldFileError: If it has others.
    """
    if (layout.in_dim, layout.channels) != (file.field.in_dim, file.field.out_dim):
        raise FieldFileError(
            f"{path}: the field maps {file.field.in_dim} coordinates to {file.field.out_dim} "
            f"values, its {layout.kind} {layout.in_dim} to {layout.channels}."
        )
