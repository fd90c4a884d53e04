"""`neurafield render` for shapes: a picture of the surface, a film of a turn around it."""

import argparse
import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8
from rich.console import Console

from ... import signals
from ..._files import check_can_write
from ...errors import ArgumentError
from ...field_file import FieldFile
from ...geometry import Camera, Grid
from ...shapes import ShapeLayout
from ...shapes.writing import SUFFIXES as MESHES
from ...surfaces import RenderSurface, draw
from ...surfaces.drawing import check_reach
from ..shared.command import DONE
from ..shared.output import notice
from ..shared.progress import bar
from ..shared.shape_inputs import shape_layout, static_field, surface_level
from . import shape_options
from .unused import check_unused

AZIMUTH, ELEVATION, FOV, SIZE, FRAMES = 30.0, 20.0, 35.0, (512, 512), 72
LEAST = 0.1
"""Smallest radius of the ball that is kept in view."""
REACH = 0.2
"""Largest distance at which surfaces darken a point (ambient occlusion)."""
RATE = 24
"""Frames per second."""

Part = UInt8[np.ndarray, "rows columns c"]


def run(arguments: argparse.Namespace, file: FieldFile) -> int:
    """Check everything, then trace and write."""
    layout = shape_layout(arguments.field, file)
    file.field.requires_grad_(False)
    check_unused(arguments, shape_options.SIGNALS, "a shape", "a picture, sound, ...")
    transparent = arguments.background == "transparent"
    picture, film = _layouts(arguments, transparent)
    for output in (arguments.out, arguments.turntable):
        if output is not None:
            check_can_write(output, force=arguments.force)
    surface_at = _surfaces(arguments, file, layout)
    camera_at = _cameras(
        arguments, max(surface_at(turn).distance_grid.radius for turn in (0.0, 0.5, 1.0))
    )
    check_reach(camera_at(0.0))
    samples = arguments.samples or 2
    covered = []

    def parts(turn: float) -> Iterator[Part]:
        for part in draw(
            surface_at(turn), camera_at(turn), samples=samples, transparent=transparent
        ):
            values = (part * 255).round().to(torch.uint8)
            covered.append(bool((values[..., 3] > 0 if transparent else values < 255).any()))
            yield values.numpy()

    frames = film.shape[0] if film else 0
    with bar(Console(stderr=True), "rendering") as advance:
        if picture is not None:
            whole = 1 / (frames + 1)
            picture.write(arguments.out, _counted(parts(0.0), picture.shape[0], whole, advance))
        if film is not None:
            whole = frames / (frames + 1 if picture else frames)
            turned = (np.concatenate(list(parts(k / frames)))[None] for k in range(frames))
            film.write(
                arguments.turntable,
                _counted(turned, frames, whole, lambda x: advance(1 - whole + x)),
            )
    for made, output in ((picture, arguments.out), (film, arguments.turntable)):
        if made is not None:
            size = " x ".join(map(str, made.shape))
            print(f"{output}: {made.kind} of {size}, {output.stat().st_size:,} bytes")
    if not any(covered):
        notice(
            f"{arguments.field}: no part of the surface is in view. See --distance, --azimuth and "
            "--level."
        )
    return DONE


def _cameras(arguments: argparse.Namespace, radius: float) -> Callable[[float], Camera]:
    """Cameras by the share of the turn; a ball of the radius is in view."""
    size = tuple(arguments.size or SIZE)
    azimuth = AZIMUTH if arguments.azimuth is None else arguments.azimuth
    elevation = ELEVATION if arguments.elevation is None else arguments.elevation
    fov = arguments.fov or FOV
    distance = arguments.distance or max(LEAST, radius) / math.sin(math.radians(fov) / 2)
    up: Literal["y", "z"] = arguments.up or "y"

    def camera_at(turn: float) -> Camera:
        return Camera.orbit(azimuth + 360 * turn, elevation, distance, size=size, fov=fov, up=up)

    return camera_at


def _layouts(
    arguments: argparse.Namespace, transparent: bool
) -> tuple[signals.ImageLayout | None, signals.VideoLayout | None]:
    """Layouts of the picture and of the film, None for one that is not requested."""
    size = tuple(arguments.size or SIZE)
    if len(size) != 2:
        raise ArgumentError(f"--size: expected H W for a shape, got {' '.join(map(str, size))}.")
    picture = film = None
    if arguments.out is not None:
        _check_is_picture(arguments)
        picture = signals.ImageLayout(
            grid=Grid.centres(size),
            channels=4 if transparent else 3,
            dtype="uint8",
            low=0.0,
            high=255.0,
        )
        picture.check_writable(arguments.out)
    if arguments.turntable is not None:
        frames = arguments.frames or FRAMES
        if transparent:
            raise ArgumentError("--background: expected white for a film, got transparent.")
        film = signals.VideoLayout(
            grid=Grid.centres((frames, *size)),
            channels=3,
            dtype="uint8",
            low=0.0,
            high=255.0,
            frame_rate=str(RATE),
        )
        film.check_writable(arguments.turntable)
    elif arguments.frames is not None:
        raise ArgumentError("--frames: expected --turntable M.mp4 with it, got none.")
    return picture, film


def _check_is_picture(arguments: argparse.Namespace) -> None:
    suffix = arguments.out.suffix.lower()
    if suffix in MESHES:
        raise ArgumentError(
            f"{arguments.out}: expected a picture to write, got a mesh. Use neurafield mesh "
            f"{arguments.field} --out {arguments.out}."
        )
    if suffix in signals.VideoLayout.suffixes:
        raise ArgumentError(
            f"{arguments.out}: expected a picture to write, got a film. Use --turntable "
            f"{arguments.out} instead of --out."
        )


def _surfaces(
    arguments: argparse.Namespace, file: FieldFile, layout: ShapeLayout
) -> Callable[[float], RenderSurface]:
    """Surfaces by the share of the turn; a moving shape goes through its times."""
    if layout.times is None or arguments.at is not None or arguments.out is not None:
        static = static_field(arguments.field, file, layout, arguments.at)
        surface = _surface(static, layout, arguments.level)
        return lambda turn: surface
    begin, end = layout.times

    def moving(turn: float) -> RenderSurface:
        return _surface(
            layout.at(file.field, begin + (end - begin) * turn), layout, arguments.level
        )

    return moving


def _surface(
    field: Callable[[torch.Tensor], torch.Tensor], layout: ShapeLayout, level: float | None
) -> RenderSurface:
    kind = layout.quantity
    return RenderSurface.of(
        kind.implicit(field),
        level=kind.sign * surface_level(layout, level),
        rise=kind.slope,
        reach=min(REACH, kind.reach),
    )


def _counted(
    parts: Iterator[Part], count: int, whole: float, advance: Callable[[float], None]
) -> Iterator[Part]:
    """The parts, while the share of rows or frames that are done is reported."""
    done = 0
    for part in parts:
        yield part
        done += len(part)
        advance(whole * done / count)
