"""`neurafield evaluate`: a field or a mesh against a reference."""

import argparse
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor

from ... import shapes, signals, surfaces
from ...errors import ArgumentError, SignalError
from ...field_file import FieldFile
from ...fit import metrics
from ...geometry import Frame
from ...shapes import Mesh, PointCloud, measures
from ..shared.command import DONE
from ..shared.inputs import file_layout, load_field
from ..shared.progress import bar
from ..shared.shape_inputs import is_shape, shape_layout
from ..shared.threads import use_threads

RESOLUTION = 256
AT_ONCE = 2**16
"""Largest number of points at which a field is evaluated together."""
_SHAPE_OPTIONS = ("resolution", "points", "distance", "seed")

Function = Callable[[Tensor], Tensor]


def run(arguments: argparse.Namespace) -> int:
    """Read the given file, whatever its kind, and measure it."""
    use_threads(arguments.threads)
    if arguments.given.suffix.lower() in shapes.SUFFIXES:
        _refuse(arguments, ("resolution",), "a mesh")
        facts = _of_mesh(arguments, _read_mesh(arguments.given))
    else:
        file = load_field(arguments.given)
        if is_shape(file):
            facts = _of_shape(arguments, file)
        else:
            _refuse(arguments, _SHAPE_OPTIONS, "a field of a picture, sound, video or volume")
            facts = _of_signal(arguments, file)
    if arguments.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name}: {_text(value)}" for name, value in facts.items()))
    return DONE


def _of_mesh(arguments: argparse.Namespace, mesh: Mesh) -> dict[str, Any]:
    reference = _read_truth(arguments)
    if not isinstance(reference, Mesh):
        return _against_points(arguments, mesh, reference)
    generator = _generator(arguments)
    inside = no_inside = None
    if shapes.has_inside(mesh, generator=generator):
        inside = shapes.inside_of(mesh)
    else:
        no_inside = f"{arguments.given} is open"
    return _measured(arguments, mesh, reference, inside, no_inside, generator)


def _of_shape(arguments: argparse.Namespace, file: FieldFile) -> dict[str, Any]:
    layout = shape_layout(arguments.given, file)
    if layout.times is not None:
        raise SignalError(
            f"{arguments.given}: expected a static shape, got a moving shape. Mesh it at one "
            "time with neurafield mesh --at T, and evaluate that mesh."
        )
    reference = _read_truth(arguments)
    implicit = layout.quantity.implicit(file.field)
    resolution = arguments.resolution or RESOLUTION
    unsigned = not layout.quantity.has_inside
    # A shell, two cells away on both sides, whose vertices are projected onto the surface below.
    level = 4 / resolution if unsigned else 0.0
    try:
        with bar(Console(stderr=True), "measuring") as advance:
            found = surfaces.extract(implicit, resolution, level, progress=advance)
    except surfaces.NoSurfaceError as error:
        raise SignalError(f"{arguments.given}: its field has no surface. {error}") from error
    vertices = _projected(implicit, found.vertices) if unsigned else found.vertices
    surface = Mesh(layout.frame.to_user(vertices), found.faces)
    if not isinstance(reference, Mesh):
        return _against_points(arguments, surface, reference)
    inside = None if unsigned else _inside_of_field(implicit, layout.frame)
    no_inside = "an unsigned distance has no inside" if unsigned else None
    return _measured(arguments, surface, reference, inside, no_inside, _generator(arguments))


def _measured(
    arguments: argparse.Namespace,
    surface: Mesh,
    reference: Mesh,
    inside: measures.Inside | None,
    no_inside: str | None,
    generator: torch.Generator,
) -> dict[str, Any]:
    num_points = arguments.points or measures.NUM_POINTS
    quality = measures.compare_surfaces(
        surface,
        reference,
        num_points=num_points,
        fscore_distance=arguments.distance or measures.FSCORE_DISTANCE,
        generator=generator,
    )
    if inside is not None and not shapes.has_inside(reference, generator=generator):
        inside, no_inside = None, f"{arguments.against} is open"
    iou = math.nan
    if inside is not None:
        box = measures.padded_box(surface, reference)
        iou = measures.volumetric_iou(
            inside, shapes.inside_of(reference), box, num_points=num_points, generator=generator
        )
        no_inside = "no random point is inside" if math.isnan(iou) else None
    values = dataclasses.asdict(quality)
    return {
        "chamfer": values.pop("chamfer"),
        "normal_consistency": values.pop("normal_consistency"),
        "iou": None if math.isnan(iou) else iou,
        "fscore": values.pop("fscore"),
        **values,
        **({"no_iou": no_inside} if no_inside else {}),
    }


def _against_points(
    arguments: argparse.Namespace, surface: Mesh, points: PointCloud
) -> dict[str, Any]:
    distance = arguments.distance or measures.FSCORE_DISTANCE
    return dataclasses.asdict(measures.compare_to_points(surface, points, fscore_distance=distance))


def _of_signal(arguments: argparse.Namespace, file: FieldFile) -> dict[str, Any]:
    layout = file_layout(arguments.given, file)
    signal = signals.load(arguments.against)
    if signal.layout != layout:
        raise SignalError(
            f"{arguments.against}: expected the file to which {arguments.given} was fitted, "
            f"{layout.kind} of {layout.shape}, got {signal.layout.kind} of {signal.layout.shape} "
            "or with other values. Render the field, and compare the files."
        )
    with bar(Console(stderr=True), "measuring") as advance:
        quality = metrics.evaluate(file.field, signal, on_progress=advance)
    # JSON has no infinity.
    return {"psnr": quality.psnr if math.isfinite(quality.psnr) else None, "ssim": quality.ssim}


def _read_truth(arguments: argparse.Namespace) -> Mesh | PointCloud:
    shape = shapes.read_shape(arguments.against)
    if not isinstance(shape, Mesh):
        _refuse(arguments, ("points", "seed"), "a reference of points, all of which are used")
    return shape


def _read_mesh(path: Path) -> Mesh:
    shape = shapes.read_shape(path)
    if not isinstance(shape, Mesh):
        raise SignalError(
            f"{path}: expected a mesh, got points. Fit a field to them and mesh it: neurafield fit "
            f"{path} --out F.field, then neurafield mesh F.field --out M.ply."
        )
    return shape


def _inside_of_field(implicit: Function, frame: Frame) -> measures.Inside:
    def inside(points: Tensor) -> Tensor:
        x = frame.to_unit(points).float()
        with torch.no_grad():
            values = torch.cat([implicit(part)[:, 0] for part in x.split(AT_ONCE)])
        # Outside [-1, 1] a fitted field is meaningless.
        return (values <= 0) & (x.abs() <= 1).all(dim=1)

    return inside


def _projected(distance: Function, points: Tensor, steps: int = 3) -> Tensor:
    """Points moved onto the surface, against the gradient of its unsigned distance."""
    for _ in range(steps):
        moved = []
        for part in points.float().split(AT_ONCE):
            x = part.requires_grad_()
            values = distance(x)
            (gradient,) = torch.autograd.grad(values.sum(), x)
            # Unit length, so that no step is longer than the distance itself.
            direction = torch.nn.functional.normalize(gradient, dim=1)
            moved.append((x - values.clamp(min=0) * direction).detach())
        points = torch.cat(moved).double().clamp(-1, 1)
    return points


def _generator(arguments: argparse.Namespace) -> torch.Generator:
    return torch.Generator().manual_seed(arguments.seed or 0)


def _refuse(arguments: argparse.Namespace, names: tuple[str, ...], given: str) -> None:
    for name in names:
        if getattr(arguments, name) is not None:
            raise ArgumentError(f"--{name}: expected none for {given}. Leave it out.")


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "none" if value is None else str(value)
