"""`neurafield render`: from a field to a file, at any size."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from rich.console import Console

from .. import signals
from .._files import check_can_write
from ..errors import FieldFileError, SignalError
from ..field_file import FieldFile
from . import draw, draw_options
from .field_input import check_maps, load_field
from .interruption import ended_as_interrupted
from .main import DONE
from .progress import bar
from .shape_layout import is_shape


@ended_as_interrupted()
def run(arguments: argparse.Namespace) -> int:
    """Check everything, then evaluate and write."""
    if arguments.out is None and arguments.turntable is None:
        raise ValueError(
            "render: expected --out FILE, or, of a shape, --turntable M.mp4. See neurafield render "
            "--help."
        )
    file = load_field(arguments.field)
    shape = is_shape(file)
    if arguments.lod is not None:
        file = at_lod(arguments.field, file, arguments.lod)
    return draw.run(arguments, file) if shape else _write(arguments, file)


def _write(arguments: argparse.Namespace, file: FieldFile) -> int:
    layout = file_layout(arguments.field, file)
    draw_options.refuse(arguments, draw_options.SHAPES, f"{layout.kind}", "a shape")
    layout = layout.resized(scale=arguments.scale, size=arguments.size, region=arguments.region)
    layout.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force)
    with bar(Console(stderr=True), "rendering") as advance:
        layout.write(arguments.out, file_slabs(file, layout, advance))
    size = " x ".join(map(str, layout.shape))
    print(f"{arguments.out}: {layout.kind} of {size}, {arguments.out.stat().st_size:,} bytes")
    return DONE


def file_layout(path: Path, file: FieldFile) -> signals.AbstractLayout:
    """The layout of the signal that a field file was fitted to."""
    if file.signal is None:
        raise FieldFileError(
            f"{path}: holds a field that is not of a picture, sound, video, volume or shape, so "
            "there is no file to draw it to. In Python, neurafield.load(path).field(x) has its "
            "values; fields fitted to a signal are saved with signal=signal.layout.spec(), those "
            "of a shape with signal=shapes.ShapeLayout().spec()."
        )
    try:
        layout = signals.layout_from_spec(file.signal)
    except SignalError as error:
        raise FieldFileError(f"{path}: {error}") from error
    check_maps(path, file, layout)
    return layout


def at_lod(path: Path, file: FieldFile, lod: int) -> FieldFile:
    """A field file read at a level of detail, with a notice if none but the last was trained."""
    num_lods = file.field.num_lods
    if lod >= num_lods:
        found = f"{num_lods} levels, 0 to {num_lods - 1}" if num_lods > 1 else "one level, 0"
        raise ValueError(f"{path}: expected a level of detail that it has ({found}), got {lod}.")
    if lod < num_lods - 1 and not file.fit.get("levels"):
        print(
            f"neurafield: {path}: its coarse levels were not trained to be seen alone; fit with "
            "--levels for that.",
            file=sys.stderr,
        )
    return dataclasses.replace(file, field=file.field.at_lod(lod))


def file_slabs(
    file: FieldFile, layout: signals.AbstractLayout, advance: Callable[[float], None]
) -> Iterator[Shaped[np.ndarray, "..."]]:
    """File values of a field on a layout's grid, part by part."""
    rows = 0
    for slab in signals.render(file.field, layout):
        yield layout.denormalise(slab)
        rows += len(slab)
        advance(rows / layout.shape[0])
