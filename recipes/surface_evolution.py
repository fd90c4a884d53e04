"""Moving surfaces, compared with closed forms: five flows of shapes given by formulas.

Mean curvature flow of a sphere, whose radius is sqrt(r^2 - 4t), and of a rounded brick, which
becomes round; an ellipsoid that rotates, and one in a vortex that reverses; a torus that becomes a
ball. The published runs train for thousands of Adam steps; ours take tens of Gauss-Newton steps.

    python -m recipes.surface_evolution [flow ...] [--fields FOLDER]
"""

import argparse
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neurafield import save
from neurafield.composition import Torus
from neurafield.problems import Solution, mean_curvature, morph, transport
from neurafield.problems.evolution import Plan
from neurafield.shapes import ShapeLayout, compare_surfaces
from neurafield.surfaces import extract

from .report import write_report

RADIUS = 0.7
PLAN = Plan()


def ball(x: Tensor) -> Tensor:
    """Ball of radius 0.7."""
    return x.norm(dim=-1, keepdim=True) - RADIUS


def brick(x: Tensor) -> Tensor:
    """Brick with half-sides 0.65, 0.4 and 0.4, edges rounded by 0.1."""
    away = x.abs() - x.new_tensor([0.55, 0.3, 0.3])
    outside = away.clamp(min=0).norm(dim=-1, keepdim=True)
    return outside + away.amax(-1, keepdim=True).clamp(max=0) - 0.1


def ellipsoid(x: Tensor) -> Tensor:
    """Ellipsoid with half-axes 0.75, 0.5 and 0.4; slopes on the surface are 0.67 to 1.25, not 1."""
    return ((x / x.new_tensor([0.75, 0.5, 0.4])).norm(dim=-1, keepdim=True) - 1) / 2


torus = Torus(ring=0.5, tube=0.2)


def sphere() -> Solution:
    """Mean curvature flow of a ball, until the radius is a third."""
    return mean_curvature(ball, duration=RADIUS**2 * 8 / 9 / 4, plan=PLAN)


def sphere_errors(found: Solution) -> list[float]:
    """Relative errors of the radius, that of a ball with the same volume as the field's shape."""
    errors = []
    for t, volume in zip(found.figures["times"], found.figures["volumes"], strict=True):
        radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
        errors.append(radius / math.sqrt(RADIUS**2 - 4 * t) - 1)
    return errors


def chamfers(found: Solution) -> list[float]:
    """Chamfer-L1 at the beginning and end of a morph, relative to the sizes of the shapes."""
    assert found.signal is not None
    layout = ShapeLayout.from_spec(found.signal)
    generator = torch.Generator().manual_seed(0)
    return [
        compare_surfaces(
            extract(layout.at(found.field, at), resolution=96),
            extract(shape, resolution=96),
            generator=generator,
        ).chamfer
        for shape, at in ((torus, 0.0), (ball, 1.0))
    ]


FLOWS: dict[str, Callable[[], Solution]] = {
    "sphere": sphere,
    "brick": lambda: mean_curvature(brick, duration=0.04, plan=PLAN),
    "rotation": lambda: transport(ellipsoid, velocity="rotation", plan=PLAN),
    "morph": lambda: morph(torus, ball, plan=PLAN),
    "vortex": lambda: transport(ellipsoid, velocity="vortex", plan=PLAN),
}


def main() -> None:
    """Run all flows, or those named."""
    parser = argparse.ArgumentParser(description="Surfaces that move.")
    parser.add_argument("flows", nargs="*", help=", ".join(FLOWS))
    parser.add_argument("--fields", type=Path, help="folder for the field files")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    plan = {"width": PLAN.width, "points": PLAN.num_points, "steps": PLAN.steps}
    report: dict[str, Any] = {}
    for name in arguments.flows or FLOWS:
        started = time.process_time()
        found = FLOWS[name]()
        spent = round(time.process_time() - started, 1)
        figures = {k: v for k, v in found.figures.items() if k not in ("seconds", "status")}
        if name == "sphere":
            figures["radius_errors"] = sphere_errors(found)
        if name == "morph":
            figures["chamfers"] = chamfers(found)
        report[name] = {**figures, "processor_seconds": spent}
        write_report("surface_evolution", {"plan": plan, "threads": 1, **report})
        if arguments.fields:
            save(arguments.fields / f"{name}.field", found.field, signal=found.signal)


if __name__ == "__main__":
    main()
