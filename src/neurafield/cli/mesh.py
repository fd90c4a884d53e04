"""`neurafield mesh`: from a field of a shape to a triangle mesh in the shape's units."""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from torch import Tensor

from .. import surfaces
from .._files import check_can_write
from ..shapes import euler_number, is_closed, write_mesh
from ..shapes.writing import check_suffix, rounding
from .field_input import load_field
from .interruption import ended_as_interrupted
from .main import DONE
from .progress import bar
from .render import at_lod
from .shape_layout import shape_layout, still_field, surface_level

FINE = 1e-3
"""Of a cell: what a vertex may move by when it is written in fewer digits."""


@ended_as_interrupted()
def run(arguments: argparse.Namespace) -> int:
    """Check everything, then find the surface and write it."""
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    file = load_field(arguments.field)
    layout = shape_layout(arguments.field, file)
    if arguments.lod is not None:
        file = at_lod(arguments.field, file, arguments.lod)
    level = surface_level(layout, arguments.level)
    if not layout.quantity.has_inside and level <= 0:
        raise ValueError(
            f"--level: expected more than 0 for {arguments.field}, got {level:g}: its distances "
            "have no sign, and so no other side. Leave it out for a shell at 0.01 on both sides."
        )
    check_suffix(arguments.out)
    check_can_write(arguments.out, force=arguments.force, inputs=[arguments.field])
    still = still_field(arguments.field, file, layout, arguments.at)
    # Derivatives are along coordinates alone: without those of parameters they take half the time.
    file.field.requires_grad_(False)
    field = _Counted(layout.quantity.implicit(still))
    # The levels of a field that is positive inside are negated with it.
    sign = layout.quantity.sign
    begun = time.perf_counter()
    try:
        with bar(Console(stderr=True), "meshing") as advance:
            mesh = surfaces.extract(
                field,
                arguments.resolution,
                sign * level,
                lipschitz=file.field.lipschitz_bound(),
                closed=arguments.closed,
                progress=advance,
            )
    except surfaces.NoSurfaceError as error:
        lowest, highest = sorted((sign * error.lowest, sign * error.highest))
        empty = "The shape is empty, or smaller than a cell: give a larger --resolution. Or give"
        raise ValueError(
            f"{arguments.field}: expected values on both sides of level {level:g}, got "
            f"{lowest:.4g} to {highest:.4g}, so there is no surface. "
            f"{empty if error.lowest > sign * level else 'Give'} a --level between these."
        ) from error
    mesh = dataclasses.replace(mesh, vertices=layout.frame.to_user(mesh.vertices))
    seconds = time.perf_counter() - begun
    write_mesh(mesh, arguments.out)
    found = {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "evaluations": field.points,
        "seconds": round(seconds, 3),
        "euler": euler_number(mesh),
        "watertight": is_closed(mesh),
    }
    if not layout.quantity.has_inside:
        print(
            f"neurafield: {arguments.out}: a shell around the surface, {level:g} away on both "
            f"sides ({level * layout.frame.scale:.3g} in the shape's units); --level sets it.",
            file=sys.stderr,
        )
    cell = 2 * layout.frame.scale / arguments.resolution
    if (moved := rounding(mesh, arguments.out)) > FINE * cell:
        print(
            f"neurafield: {arguments.out}: its 32 bits move vertices by up to {moved:.2g}, and a "
            f"cell is {cell:.2g}; .ply, .obj and .off keep 64 bits.",
            file=sys.stderr,
        )
    if not found["watertight"]:
        print(
            f"neurafield: {arguments.out}: the surface meets the border of the box and is open "
            "there; --closed closes it.",
            file=sys.stderr,
        )
    print(
        f"{arguments.out}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles, "
        f"{arguments.out.stat().st_size:,} bytes",
        file=sys.stderr if arguments.json else sys.stdout,
    )
    if arguments.json:
        facts = {"bytes": arguments.out.stat().st_size, "file": str(arguments.out)}
        print(json.dumps(found | facts))
    return DONE


class _Counted:
    """A shape's field, negative inside, that counts the points at which it is asked."""

    def __init__(self, implicit: Callable[[Tensor], Tensor]) -> None:
        self.implicit = implicit
        self.points = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.points += len(x)
        return self.implicit(x)
