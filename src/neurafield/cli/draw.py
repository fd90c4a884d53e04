"""`neurafield render` of a shape: a picture of its surface."""

import argparse
import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8
from rich.console import Console

from .. import signals
from .._files import check_can_write
from ..cameras import Camera
from ..field_file import FieldFile
from ..geometry import Grid
from ..shapes import ShapeLayout
from ..surfaces.drawing import draw
from . import draw_options
from .main import DONE
from .progress import bar

REACH = 1.25
"""Of the ball that the camera has in view; shapes reach 0.9 along their longest axis."""


def run(arguments: argparse.Namespace, file: FieldFile) -> int:
    """Check everything, then trace and write."""
    layout = ShapeLayout.from_spec(file.signal or {})
    draw_options.refuse(arguments, draw_options.SIGNALS, "a shape", "a picture, sound, ...")
    height, width = arguments.size or (512, 512)
    fov = arguments.fov or 35.0
    camera = Camera.orbit(
        30.0 if arguments.azimuth is None else arguments.azimuth,
        20.0 if arguments.elevation is None else arguments.elevation,
        arguments.distance or REACH / math.sin(math.radians(fov) / 2),
        size=(height, width),
        fov=fov,
        up=arguments.up or "y",
    )
    picture = signals.ImageLayout(
        grid=Grid.centres((height, width)), channels=3, dtype="uint8", low=0.0, high=255.0
    )
    picture.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force)
    with bar(Console(stderr=True), "rendering") as advance:
        implicit = layout.quantity.implicit(file.field)

        def slabs() -> Iterator[UInt8[np.ndarray, "rows columns c"]]:
            done = 0
            for part in draw(implicit, camera, lipschitz=2.0):
                yield (part * 255).round().to(torch.uint8).numpy()
                done += len(part)
                advance(done / height)

        picture.write(arguments.out, slabs())
    print(f"{arguments.out}: shape, {height} x {width}, {arguments.out.stat().st_size:,} bytes")
    return DONE
