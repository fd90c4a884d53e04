"""Surfaces that move, against closed forms: five flows of bodies given by formulas.

A sphere by mean curvature, whose radius is sqrt(r^2 - 4t); a rounded brick likewise, which becomes
round; an ellipsoid that is turned, and one in a vortex that turns back; a torus that becomes a
ball. The published runs train for thousands of steps of Adam; ours take some tens of Gauss-Newton.

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
    """Of radius 0.7."""
    return x.norm(dim=-1, keepdim=True) - RADIUS


def brick(x: Tensor) -> Tensor:
    """Half sides 0.65, 0.4 and 0.4, edges rounded by 0.1."""
    away = x.abs() - x.new_tensor([0.55, 0.3, 0.3])
    outside = away.clamp(min=0).norm(dim=-1, keepdim=True)
    return outside + away.amax(-1, keepdim=True).clamp(max=0) - 0.1


def ellipsoid(x: Tensor) -> Tensor:
    """With half axes 0.75, 0.5 and 0.4; slopes of 0.67 to 1.25 on the surface, not a distance."""
    return ((x / x.new_tensor([0.75, 0.5, 0.4])).norm(dim=-1, keepdim=True) - 1) / 2


torus = Torus(ring=0.5, tube=0.2)


def sphere() -> Solution:
    """Until the radius is a third."""
    return mean_curvature(ball, duration=RADIUS**2 * 8 / 9 / 4, plan=PLAN)


def sphere_errors(found: Solution) -> list[float]:
    """Relative errors of the radius of a ball with the field's volume."""
    errors = []
    for t, volume in zip(found.figures["times"], found.figures["volumes"], strict=True):
        radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
        errors.append(radius / math.sqrt(RADIUS**2 - 4 * t) - 1)
    return errors


def chamfers(found: Solution) -> list[float]:
    """Chamfer-L1 of a morph's beginning and end, as fractions of the shapes' sizes."""
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
    """All of them, or those named."""
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
