"""`neurafield mesh`: from a field of a shape to a triangle mesh in the shape's units."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shared import options
from .shared.command import DONE, Command
from .shared.output import notice, report
from .shared.threads import use_threads
from .shared.values import cells

if TYPE_CHECKING:
    from ..shapes import Mesh, ShapeLayout

FINE = 1e-3
"""Share of a cell by which rounding may move a vertex without a notice."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_field(parser)
    add("--out", type=Path, required=True, metavar="M", help="mesh to write")
    add(
        "--resolution",
        type=cells,
        default=512,
        metavar="N",
        help="cells along each axis of the box, from 2 to 4096; the shape fills 0.9 of the box "
        "(default: 512)",
    )
    options.add_surface(parser, "extracted", "0.01, which gives a shell around the surface")
    options.add_lod(parser)
    add(
        "--closed",
        action="store_true",
        help="close a solid where it reaches out of the box (default: leave it open)",
    )
    options.add_threads(parser)
    options.add_force(parser)
    options.add_json(parser)


COMMAND = Command(
    name="mesh",
    summary="write the surface of a shape's field as a triangle mesh",
    details="The mesh has the units of the shape to which the field was fitted, and normals. The "
    "suffix of M chooses the format: .ply, .obj, .stl, .off or .glb.",
    add_options=_add_options,
    module=__name__,
)


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then extract the surface and write it."""
    from ..shapes import write_mesh

    use_threads(arguments.threads)
    mesh, layout, level, figures = _extract(arguments)
    write_mesh(mesh, arguments.out)
    _notices(arguments, mesh, layout, level, figures)
    size = arguments.out.stat().st_size
    report(
        f"{arguments.out}: {len(mesh.vertices):,} vertices, {len(mesh.faces):,} triangles, "
        f"{size:,} bytes",
        as_json={**figures, "bytes": size, "file": str(arguments.out)} if arguments.json else None,
    )
    return DONE


def _extract(
    arguments: argparse.Namespace,
) -> "tuple[Mesh, ShapeLayout, float, dict[str, Any]]":
    """The mesh in the shape's units, the layout, the level, and the figures."""
    import dataclasses
    import time

    from rich.console import Console

    from .. import surfaces
    from .._files import check_can_write
    from ..errors import ArgumentError
    from ..shapes import euler_number, is_closed
    from ..shapes.writing import check_suffix
    from .shared.inputs import at_lod, load_field
    from .shared.progress import bar
    from .shared.shape_inputs import shape_layout, static_field, surface_level

    file = load_field(arguments.field)
    layout = shape_layout(arguments.field, file)
    if arguments.lod is not None:
        file = at_lod(arguments.field, file, arguments.lod)
    level = surface_level(layout, arguments.level)
    if not layout.quantity.has_inside and level <= 0:
        raise ArgumentError(
            f"--level: expected more than 0 for {arguments.field}, got {level:g}: an unsigned "
            "distance has no values below 0. Leave --level out for a shell at 0.01."
        )
    check_suffix(arguments.out)
    check_can_write(arguments.out, force=arguments.force, inputs=[arguments.field])
    static = static_field(arguments.field, file, layout, arguments.at)
    # Without derivatives of the parameters, those of the coordinates take half the time.
    file.field.requires_grad_(False)
    field = _Counted(layout.quantity.implicit(static))
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
        is_empty = error.lowest > sign * level
        hint = "The shape is empty or smaller than a cell: try a larger --resolution, or give"
        raise ArgumentError(
            f"{arguments.field}: expected values on both sides of level {level:g}, got "
            f"{lowest:.4g} to {highest:.4g}, so there is no surface. "
            f"{hint if is_empty else 'Give'} a --level between these."
        ) from error
    mesh = dataclasses.replace(mesh, vertices=layout.frame.to_user(mesh.vertices))
    figures = {
        "vertices": len(mesh.vertices),
        "faces": len(mesh.faces),
        "evaluations": field.num_points,
        "seconds": round(time.perf_counter() - begun, 3),
        "euler": euler_number(mesh),
        "watertight": is_closed(mesh),
    }
    return mesh, layout, level, figures


def _notices(
    arguments: argparse.Namespace,
    mesh: "Mesh",
    layout: "ShapeLayout",
    level: float,
    figures: dict[str, Any],
) -> None:
    """Print what the user may not expect of the mesh."""
    from ..shapes.writing import rounding

    if not layout.quantity.has_inside:
        notice(
            f"{arguments.out}: is a shell at distance {level:g} on both sides of the surface "
            f"({level * layout.frame.scale:.3g} in the shape's units). --level changes the "
            "distance."
        )
    cell = 2 * layout.frame.scale / arguments.resolution
    if (moved := rounding(mesh, arguments.out)) > FINE * cell:
        notice(
            f"{arguments.out}: rounding to 32 bits moves vertices by up to {moved:.2g}, and a cell "
            f"is {cell:.2g}. The formats .ply, .obj and .off keep 64 bits."
        )
    if not figures["watertight"]:
        notice(
            f"{arguments.out}: the surface reaches the border of the box and is open there. "
            "--closed closes it."
        )


class _Counted:
    """An implicit function that counts the points at which it is evaluated."""

    def __init__(self, implicit: Callable[[Any], Any]) -> None:
        self.implicit = implicit
        self.num_points = 0

    def __call__(self, x: Any) -> Any:
        self.num_points += len(x)
        return self.implicit(x)
