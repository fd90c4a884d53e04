"""`neurafield solve mean-curvature`, `transport` and `morph`: moving shapes."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.values import count, positive
from .problem import Problem

if TYPE_CHECKING:
    from torch import Tensor

    from ...fields import AbstractField
    from ...geometry import Frame
    from ...problems import Solution
    from ...problems.evolution import Plan

_TIME = "The field is over (x, y, z, time); mesh and render take --at T."


def _add_mean_curvature(parser: argparse.ArgumentParser) -> None:
    _add_shape(parser)
    _add_plan(parser)
    parser.add_argument(
        "--duration",
        type=positive,
        metavar="T",
        help="last time, in squares of the shape's units (default: when a ball of the same volume "
        "has half of its radius)",
    )


def _add_transport(parser: argparse.ArgumentParser) -> None:
    _add_shape(parser)
    _add_plan(parser)
    parser.add_argument(
        "--field",
        choices=("rotation", "vortex"),
        default="rotation",
        help="velocity: a quarter turn around y (default), or a vortex around z that reverses at "
        "half time",
    )


def _add_morph(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="A", help="first shape: a mesh, or a field of one")
    add("second", type=Path, metavar="B", help="second shape, in the same units")
    _add_plan(parser)


def _add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, metavar="SHAPE", help="mesh, or a field of one")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--width", type=count, default=40, metavar="N", help="hidden units per layer (default: 40)")
    add("--points", type=count, default=2500, metavar="N", help="points per step (default: 2500)")


def solve_mean_curvature(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """A shape that moves with its mean curvature."""
    from ...problems import mean_curvature

    return _moved(mean_curvature, [arguments.input], arguments, common, duration=arguments.duration)


def solve_transport(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """A shape that a velocity carries along."""
    from ...problems import transport

    return _moved(transport, [arguments.input], arguments, common, velocity=arguments.field)


def solve_morph(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """A shape that becomes another."""
    from ...problems import morph

    return _moved(morph, [arguments.input, arguments.second], arguments, common)


def _moved(
    flow: "Callable[..., Solution]",
    paths: list[Path],
    arguments: argparse.Namespace,
    common: dict[str, Any],
    **own: Any,
) -> "Solution":
    from ..shared.interruption import interruption

    shapes, frame = _shapes(paths)
    plan = _plan(arguments, common)
    with interruption() as interrupted:
        return flow(*shapes, frame=frame, plan=plan, should_stop=interrupted, **own, **common)


def _plan(arguments: argparse.Namespace, common: dict[str, Any]) -> "Plan":
    """The plan of a flow, which takes the steps out of the common arguments."""
    from ...problems.evolution import Plan

    steps = common.pop("steps", Plan.steps)
    return Plan(width=arguments.width, num_points=arguments.points, steps=steps)


def _shapes(paths: list[Path]) -> "tuple[list[Callable[[Tensor], Tensor]], Frame]":
    """Signed distances in one frame: that of the first field, else one around all meshes."""
    import torch

    from ... import composition
    from ...errors import SignalError
    from ...geometry import Frame
    from ...shapes import Mesh, MeshDistance, read_shape
    from ..shared.inputs import load_field
    from ..shared.shape_inputs import distance_layout

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

    def distance(path: Path) -> "Callable[[Tensor], Tensor]":
        if path in fields:
            return composition.in_frame(*fields[path], frame)
        of_mesh = MeshDistance.of(meshes[path], frame)
        return lambda x: of_mesh.signed(x)[..., None]

    return [distance(path) for path in paths], frame


MEAN_CURVATURE = Problem(
    name="mean-curvature",
    summary="a shape that becomes round and shrinks",
    details=f"Mean curvature flow. {_TIME}",
    add_options=_add_mean_curvature,
    solve=solve_mean_curvature,
)
TRANSPORT = Problem(
    name="transport",
    summary="a shape that a velocity carries along",
    details=_TIME,
    add_options=_add_transport,
    solve=solve_transport,
)
MORPH = Problem(
    name="morph",
    summary="a shape that becomes another",
    details=_TIME,
    add_options=_add_morph,
    solve=solve_morph,
)
