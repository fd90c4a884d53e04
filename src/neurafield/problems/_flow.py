"""Fits of moving surfaces: network, constraints and figures, for any equation of motion."""

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
from ..signals import Interior, NearSurface, near_blend, near_shape
from ..surfaces import Region, roundness
from ._moving import at_time, pictures
from ._solution import Solution, diverged

SPREAD = 0.15
"""Width of the layer around the surface in which most points lie."""
_START = 300.0
"""Weight of the start: an error there persists at all times."""
_HOLD = 10
"""Number of steps that share their points."""
_MEASURED = 9
"""Number of times at which the shape is measured."""
_SHOWN = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Plan:
    """Settings of a fit of a moving surface: a small SIREN, trained by Gauss-Newton steps.

    Args:
        width: Hidden units in each of the two layers. A step takes about width^4 operations per
            point.
        num_points: Number of points per step at which the equation is evaluated.
        steps: Number of steps.
        omega: Frequency factor of the sines.

    Raises:
        ValueError: If a number is not positive.
    """

    width: int = 40
    num_points: int = 2500
    steps: int = 40
    omega: float = 3.0

    def __post_init__(self) -> None:
        check_count(self, width=self.width, num_points=self.num_points, steps=self.steps)
        check_positive(self, omega=self.omega)

    def field(self, dim: int, seed: int) -> Field:
        """A new field over space and time."""
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
"""Settings for a shape without fine parts."""


def constraints(
    field: Field, start: Function, residual: Callable[[Derivatives, Tensor], Tensor], plan: Plan
) -> list[Constraint]:
    """The equation, with most points near the surface, and the shape at the start."""
    dim = field.in_dim - 1
    return [
        Constraint(
            signal=NearSurface(Interior(Box.cube(dim + 1)), field, SPREAD, hold=_HOLD),
            map=Residual(residual),
            batch_size=plan.num_points,
            name="equation",
        ),
        Constraint(
            signal=near_shape(start, dim, spread=2 * SPREAD),
            weight=_START,
            batch_size=plan.num_points // 2,
            name="start",
        ),
    ]


def morph_constraints(first: Function, second: Function, dim: int, plan: Plan) -> list[Constraint]:
    """The equation, with most points near the blend of both shapes, and a shape at either end."""
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
                signal=near_shape(shape, dim, spread=2 * SPREAD, at=at),
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
    """Fit a field, and measure the figures that every flow has.

    Args:
        field: Field over space and time.
        problem: Constraints on the field.
        layout: Layout of the moving shape.
        plan: Settings of the fit.
        seed: Seed of the points.
        bounds: Arguments of `fit`: time, callbacks, should_stop.
        measure: Function that returns the figures of this flow alone.
        settings: Settings of this flow alone, for the field file.
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
    """Times at which the shape is measured, from -1 to 1."""
    return torch.linspace(-1, 1, _MEASURED, dtype=torch.float64).tolist()


def region(field: Field, tau: float) -> Region:
    """The region inside a field over space and time at one time."""
    return Region.of(at_time(field, tau))


def inside(owner: str, shape: Function) -> Region:
    """The region inside a shape.

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
