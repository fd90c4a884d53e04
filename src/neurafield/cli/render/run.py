"""`neurafield render`: from a field to a file, at any size."""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Shaped
from rich.console import Console

from ... import signals
from ..._files import check_can_write
from ...errors import ArgumentError
from ...field_file import FieldFile
from ..shared.command import DONE
from ..shared.inputs import at_lod, file_layout, load_field
from ..shared.progress import bar
from ..shared.shape_inputs import is_shape
from . import shape, shape_options
from .unused import check_unused


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then evaluate and write."""
    if arguments.out is None and arguments.turntable is None:
        raise ArgumentError(
            "render: expected --out FILE or, for a shape, --turntable M.mp4, got none. See "
            "neurafield render --help."
        )
    file = load_field(arguments.field)
    file_is_shape = is_shape(file)
    if arguments.lod is not None:
        file = at_lod(arguments.field, file, arguments.lod)
    return shape.run(arguments, file) if file_is_shape else _write(arguments, file)


def _write(arguments: argparse.Namespace, file: FieldFile) -> int:
    layout = file_layout(arguments.field, file)
    check_unused(arguments, shape_options.SHAPES, layout.kind, "a shape")
    layout = layout.resized(scale=arguments.scale, size=arguments.size, region=arguments.region)
    layout.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force)
    with bar(Console(stderr=True), "rendering") as advance:
        layout.write(arguments.out, file_slabs(file, layout, advance))
    size = " x ".join(map(str, layout.shape))
    print(f"{arguments.out}: {layout.kind} of {size}, {arguments.out.stat().st_size:,} bytes")
    return DONE


def file_slabs(
    file: FieldFile, layout: signals.AbstractLayout, advance: Callable[[float], None]
) -> Iterator[Shaped[np.ndarray, "..."]]:
    """Values of a field on a layout's grid, as the file stores them, part by part."""
    rows = 0
    for slab in signals.render(file.field, layout):
        yield layout.denormalise(slab)
        rows += len(slab)
        advance(rows / layout.shape[0])
