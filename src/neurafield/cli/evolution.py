"""`neurafield solve mean-curvature`, `transport` and `morph`: shapes that move."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import composition
from ..errors import SignalError
from ..fields import AbstractField
from ..geometry import Frame
from ..problems import Solution, mean_curvature, morph, transport
from ..problems.evolution import Plan
from ..shapes import Mesh, MeshDistance, read_shape
from .field_input import load_field
from .interruption import interruption
from .shape_layout import distance_layout

Distance = Callable[[Tensor], Tensor]


def solve_mean_curvature(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """It becomes round and shrinks."""
    return _moved(mean_curvature, [arguments.input], arguments, common, duration=arguments.duration)


def solve_transport(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """A velocity carries it along."""
    return _moved(transport, [arguments.input], arguments, common, velocity=arguments.field)


def solve_morph(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """It becomes another."""
    return _moved(morph, [arguments.input, arguments.second], arguments, common)


def _moved(
    flow: Callable[..., Solution],
    paths: list[Path],
    arguments: argparse.Namespace,
    common: dict[str, Any],
    **own: Any,
) -> Solution:
    shapes, frame = _shapes(paths)
    plan = _plan(arguments, common)
    with interruption() as interrupted:
        return flow(*shapes, frame=frame, plan=plan, should_stop=interrupted, **own, **common)


def _plan(arguments: argparse.Namespace, common: dict[str, Any]) -> Plan:
    """The steps move from what all problems have to the plan."""
    steps = common.pop("steps", Plan.steps)
    return Plan(width=arguments.width, num_points=arguments.points, steps=steps)


def _shapes(paths: list[Path]) -> tuple[list[Distance], Frame]:
    """Distances in one frame: that of the first field, or else around all meshes."""
    meshes: dict[Path, Mesh] = {}
    fields: dict[Path, tuple[AbstractField, Frame]] = {}
    for path in paths:
        if path.suffix == ".field":
            file = load_field(path)
            own = distance_layout(path, file).frame
            fields[path] = file.field.requires_grad_(False), own
            continue
        found = read_shape(path)
        if not isinstance(found, Mesh):
            raise SignalError(
                f"{path}: expected a mesh, got points. Fit a field to them first: neurafield fit."
            )
        meshes[path] = found
    if fields:
        frame = next(iter(fields.values()))[1]
    else:
        frame = Frame.around(torch.cat([mesh.vertices for mesh in meshes.values()]))
    return [
        _mesh_distance(meshes[path], frame)
        if path in meshes
        else composition.in_frame(*fields[path], frame)
        for path in paths
    ], frame


def _mesh_distance(mesh: Mesh, frame: Frame) -> Distance:
    distance = MeshDistance.of(mesh, frame)
    return lambda x: distance.signed(x)[..., None]
