"""Surfaces that move, against closed forms: five flows of bodies given by formulas.

A sphere by mean curvature, whose radius is sqrt(r^2 - 4t); a rounded brick likewise, which becomes
round; an ellipsoid that is turned, and one in a vortex that turns back; a brick that becomes a
ball. The published runs train for thousands of steps of Adam; ours take some tens of Gauss-Newton.

    python -m recipes.surface_evolution [flow ...]
"""

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from neurafield.problems import Solution, mean_curvature, morph, transport
from neurafield.problems.evolution import Plan

from .report import write_report

RADIUS = 0.7
PLAN = Plan(width=28, num_points=1800, steps=24)


def ball(x: Tensor) -> Tensor:
    """Of radius 0.7."""
    return x.norm(dim=-1, keepdim=True) - RADIUS


def brick(x: Tensor) -> Tensor:
    """Half sides 0.65, 0.4 and 0.4, edges rounded by 0.1."""
    away = x.abs() - x.new_tensor([0.55, 0.3, 0.3])
    outside = away.clamp(min=0).norm(dim=-1, keepdim=True)
    return outside + away.amax(-1, keepdim=True).clamp(max=0) - 0.1


def ellipsoid(x: Tensor) -> Tensor:
    """With half axes 0.75, 0.5 and 0.4; a slope of about 1, not a distance."""
    axes = x.new_tensor([0.75, 0.5, 0.4])
    scaled = (x / axes).norm(dim=-1, keepdim=True)
    return scaled * (scaled - 1) / (x / axes.square()).norm(dim=-1, keepdim=True).clamp(min=1e-6)


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


FLOWS: dict[str, Callable[[], Solution]] = {
    "sphere": sphere,
    "brick": lambda: mean_curvature(brick, duration=0.04, plan=PLAN),
    "rotation": lambda: transport(ellipsoid, velocity="rotation", plan=PLAN),
    "morph": lambda: morph(brick, ball, plan=PLAN),
    "vortex": lambda: transport(ellipsoid, velocity="vortex", plan=PLAN),
}


def main() -> None:
    """All of them, or those named."""
    torch.set_num_threads(1)
    plan = {"width": PLAN.width, "points": PLAN.num_points, "steps": PLAN.steps}
    report: dict[str, Any] = {}
    for name in sys.argv[1:] or FLOWS:
        started = time.process_time()
        found = FLOWS[name]()
        figures = {k: v for k, v in found.figures.items() if k not in ("seconds", "status")}
        if name == "sphere":
            figures["radius_errors"] = sphere_errors(found)
        report[name] = {**figures, "processor_seconds": round(time.process_time() - started, 1)}
        write_report("surface_evolution", {"plan": plan, "threads": 1, **report})


if __name__ == "__main__":
    main()
