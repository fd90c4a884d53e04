"""How a moving surface is fitted, whatever moves it: network, constraints, what is measured."""

import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .._checks import check_count, check_positive
from ..derivatives import Derivatives
from ..derivatives.operators import Function
from ..domains import Box
from ..errors import SignalError
from ..fields.field import Field
from ..fit import Constraint, Result, fit, gauss_newton
from ..maps import Residual, level_set
from ..networks import Siren
from ..shapes import ShapeLayout
from ..signals import Interior
from ..signals.near_surface import Near, near_blend, near_start
from ._moving import Region, at_time, pictures, roundness
from ._solution import Solution, diverged

SPREAD = 0.15
"""Of the layer around the surface in which most points lie."""
_START = 300.0
"""Weight of the beginning: an error there is one at all times."""
_HOLD = 10
"""Steps that share their points."""
_MEASURED = 9
"""Times at which the shape is measured."""
_SHOWN = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Plan:
    """How a flow is fitted: a small network of sines, by Gauss-Newton, whose steps are few.

    Args:
        width: Hidden units in each of the two layers. A step takes of the order of width^4
            operations a point.
        num_points: Where the equation is asked for, a step.
        steps: Of the fit.
        omega: Frequency factors of the sines.
    """

    width: int = 40
    num_points: int = 2500
    steps: int = 40
    omega: float = 3.0

    def __post_init__(self) -> None:
        check_count(self, width=self.width, num_points=self.num_points, steps=self.steps)
        check_positive(self, omega=self.omega)

    def field(self, dim: int, seed: int) -> Field:
        """Over space and time."""
        return Field(
            Siren(
                dim + 1,
                1,
                width=self.width,
                depth=2,
                omega_0=self.omega,
                omega=self.omega,
                generator=torch.Generator().manual_seed(seed),
            )
        )


PLAN = Plan()
"""What suits a body without fine parts."""


def constraints(
    field: Field, start: Function, residual: Callable[[Derivatives, Tensor], Tensor], plan: Plan
) -> list[Constraint]:
    """The equation inside, most of all near the surface; the shape at the beginning."""
    dim = field.in_dim - 1
    return [
        Constraint(
            signal=Near(Interior(Box.cube(dim + 1)), field, SPREAD, hold=_HOLD),
            map=Residual(residual),
            batch_size=plan.num_points,
            name="equation",
        ),
        Constraint(
            signal=near_start(start, dim, spread=2 * SPREAD),
            weight=_START,
            batch_size=plan.num_points // 2,
            name="start",
        ),
    ]


def morph_constraints(first: Function, second: Function, dim: int, plan: Plan) -> list[Constraint]:
    """The equation, most of all near the blend of both; a shape at either end."""
    ends = {"start": (first, -1.0), "end": (second, 1.0)}
    return [
        Constraint(
            signal=near_blend(first, second, dim, spread=SPREAD),
            map=level_set.Towards(),
            batch_size=plan.num_points,
            name="equation",
        ),
        *(
            Constraint(
                signal=near_start(shape, dim, spread=2 * SPREAD, at=at),
                weight=_START,
                batch_size=plan.num_points // 2,
                name=name,
            )
            for name, (shape, at) in ends.items()
        ),
    ]


def solve(
    field: Field,
    problem: list[Constraint],
    layout: ShapeLayout,
    plan: Plan,
    *,
    seed: int,
    bounds: dict[str, Any],
    measure: Callable[[], dict[str, Any]],
    settings: dict[str, Any],
) -> Solution:
    """Fit, and measure what every flow has.

    Args:
        field: Over space and time.
        problem: What it shall satisfy.
        layout: Of the moving shape.
        plan: How it is fitted.
        seed: Of the points.
        bounds: Arguments of `fit`: time, callbacks, should_stop.
        measure: Gives the figures of this flow alone.
        settings: Of this flow alone.
    """
    started = clock.perf_counter()
    result: Result = fit(
        field, problem, steps=plan.steps, seed=seed, optimizer=gauss_newton, **bounds
    )
    if result.status == "diverged":
        return diverged(field, result, started)
    assert layout.times is not None
    begin, end = layout.times
    scale = layout.frame.scale
    regions = [region(field, tau) for tau in times()]
    volumes, areas = [r.volume for r in regions], [r.area for r in regions]
    figures = {
        "volume_drift": max(abs(v / volumes[0] - 1) for v in volumes) if volumes[0] else None,
        **measure(),
        "times": [begin + (end - begin) * (tau + 1) / 2 for tau in times()],
        "volumes": [scale**3 * volume for volume in volumes],
        "areas": [scale**2 * area for area in areas],
        "roundness": [roundness(v, a) for v, a in zip(volumes, areas, strict=True)],
        "loss": result.loss,
        "status": result.status,
        "steps": result.step,
        "seconds": round(clock.perf_counter() - started, 2),
    }
    titles = [f"t = {begin + (end - begin) * (tau + 1) / 2:.3g}" for tau in _SHOWN]
    return Solution(
        field=field,
        figures=figures,
        panels=pictures(field, _SHOWN, titles),
        signal=layout.spec(),
        settings={"seed": seed, "width": plan.width, "points": plan.num_points, **settings},
    )


def times() -> list[float]:
    """Those at which the shape is measured, from -1 to 1."""
    return torch.linspace(-1, 1, _MEASURED, dtype=torch.float64).tolist()


def region(field: Field, tau: float) -> Region:
    """What a field over space and time encloses at a time."""
    return Region.of(at_time(field, tau))


def body(owner: str, shape: Function) -> Region:
    """What a shape encloses.

    Raises:
        SignalError: If it has no inside.
    """
    found = Region.of(shape)
    if not bool((found.values < 0).any()):
        raise SignalError(
            f"{owner}: expected a shape with an inside, got values of at least "
            f"{float(found.values.min()):.3g} everywhere in [-1, 1]."
        )
    return found
