"""Inputs of the commands: field files and pictures."""

import dataclasses
from pathlib import Path

from ... import signals
from ...errors import ArgumentError, FieldFileError, SignalError
from ...field_file import FieldFile, load
from ...shapes import SUFFIXES, ShapeLayout
from .output import notice


def load_field(path: Path) -> FieldFile:
    """Read a field file.

    Raises:
        FieldFileError: If it is missing, a mesh or points, or cannot be read as a field file.
    """
    if not path.exists():
        raise FieldFileError(f"{path}: no such file. Check the spelling and the folder.")
    if path.suffix.lower() in SUFFIXES:
        raise FieldFileError(
            f"{path}: expected a field file, got a mesh or points. Fit a field first: neurafield "
            f"fit {path}."
        )
    return load(path)


def load_picture(path: Path) -> signals.Image:
    """Read a picture.

    Raises:
        SignalError: If the file is no picture, or cannot be read.
    """
    picture = signals.load(path)
    if not isinstance(picture, signals.Image):
        raise SignalError(f"{path}: expected a picture, got {picture.layout.kind}.")
    return picture


def file_layout(path: Path, file: FieldFile) -> signals.AbstractLayout:
    """The layout of the signal to which a field file was fitted.

    Raises:
        FieldFileError: If it was fitted to no signal, or its field does not match the layout.
    """
    if file.signal is None:
        raise FieldFileError(
            f"{path}: expected a field of a picture, sound, video, volume or shape, got one that "
            "names no signal. Evaluate it in Python: neurafield.load(path).field(x). To render "
            "fields of your own, save them with signal=signal.layout.spec(), or for shapes with "
            "signal=shapes.ShapeLayout().spec()."
        )
    try:
        layout = signals.layout_from_spec(file.signal)
    except SignalError as error:
        raise FieldFileError(f"{path}: {error}") from error
    check_dimensions(path, file, layout)
    return layout


def check_dimensions(
    path: Path, file: FieldFile, layout: signals.AbstractLayout | ShapeLayout
) -> None:
    """Require a field with the dimensions of its layout.

    Raises:
        FieldFileError: If the dimensions differ.
    """
    if (layout.in_dim, layout.channels) != (file.field.in_dim, file.field.out_dim):
        raise FieldFileError(
            f"{path}: expected a field from {layout.in_dim} coordinates to {layout.channels} "
            f"values for its {layout.kind}, got one from {file.field.in_dim} to "
            f"{file.field.out_dim}."
        )


def at_lod(path: Path, file: FieldFile, lod: int) -> FieldFile:
    """A field file whose field is at a level of detail.

    Prints a notice if the level was not trained by itself.

    Raises:
        ArgumentError: If there is no such level.
    """
    num_lods = file.field.num_lods
    if lod >= num_lods:
        found = f"{num_lods} levels, 0 to {num_lods - 1}" if num_lods > 1 else "one level, 0"
        raise ArgumentError(
            f"{path}: expected a level of detail that the field has ({found}), got {lod}."
        )
    if lod < num_lods - 1 and not file.fit.get("levels"):
        notice(
            f"{path}: the coarse levels were not trained by themselves. Fit with --levels for that."
        )
    return dataclasses.replace(file, field=file.field.at_lod(lod))
