"""`neurafield solve mean-curvature`, `transport` and `morph`: shapes that move."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import SignalError
from ..field_file import load
from ..problems import Solution, mean_curvature, morph, transport
from ..problems.evolution import Plan
from ..shapes import Frame, Mesh, MeshDistance, read_shape
from .interruption import interruption
from .shape_layout import shape_layout

Distance = Callable[[Tensor], Tensor]


def solve_mean_curvature(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """It becomes round and shrinks."""
    (start,), frame = _shapes([arguments.input])
    plan = _plan(arguments, common)
    with interruption() as interrupted:
        return mean_curvature(
            start,
            duration=arguments.duration,
            frame=frame,
            plan=plan,
            should_stop=interrupted,
            **common,
        )


def solve_transport(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """A velocity carries it along."""
    (start,), frame = _shapes([arguments.input])
    plan = _plan(arguments, common)
    with interruption() as interrupted:
        return transport(
            start,
            velocity=arguments.field,
            frame=frame,
            plan=plan,
            should_stop=interrupted,
            **common,
        )


def solve_morph(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """It becomes another."""
    (first, second), frame = _shapes([arguments.input, arguments.second])
    plan = _plan(arguments, common)
    with interruption() as interrupted:
        return morph(first, second, frame=frame, plan=plan, should_stop=interrupted, **common)


def _plan(arguments: argparse.Namespace, common: dict[str, Any]) -> Plan:
    """The steps move from what all problems have to the plan."""
    steps = common.pop("steps", Plan.steps)
    return Plan(width=arguments.width, num_points=arguments.points, steps=steps)


def _shapes(paths: list[Path]) -> tuple[list[Distance], Frame]:
    """Distances in one frame: that of the first field, or else around all meshes."""
    meshes, frame = {}, None
    for path in paths:
        if path.suffix == ".field":
            frame = frame or shape_layout(path, load(path)).frame
            continue
        found = read_shape(path)
        if not isinstance(found, Mesh):
            raise SignalError(
                f"{path}: expected a mesh, got points. Fit a field to them first: neurafield fit."
            )
        meshes[path] = found
    frame = frame or Frame.around(torch.cat([mesh.vertices for mesh in meshes.values()]))
    return [
        _mesh_distance(meshes[path], frame) if path in meshes else _field_distance(path, frame)
        for path in paths
    ], frame


def _mesh_distance(mesh: Mesh, frame: Frame) -> Distance:
    distance = MeshDistance.of(mesh, frame)
    return lambda x: distance.signed(x)[..., None]


def _field_distance(path: Path, frame: Frame) -> Distance:
    file = load(path)
    layout = shape_layout(path, file)
    if layout.times is not None or layout.quantity.name not in ("sdf", "tsdf"):
        raise SignalError(
            f"{path}: expected signed distances of a shape that stands still, got "
            f"{'a moving shape' if layout.times else layout.quantity.name}."
        )
    steepness = 1 / layout.quantity.truncation if layout.quantity.name == "tsdf" else 1.0
    field = file.field.requires_grad_(False)

    def distance(x: Tensor) -> Tensor:
        own = layout.frame.to_unit(frame.to_user(x)).to(x)
        # Beyond its box a field knows nothing; there the way to the box is added.
        inside = own.clamp(-1, 1)
        away = (own - inside).norm(dim=-1, keepdim=True)
        return (field(inside) / steepness + away) * (layout.frame.scale / frame.scale)

    return distance
