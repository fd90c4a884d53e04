r"""Moving surfaces: fields over space and time that obey a level-set equation.

$f_t + v \cdot \nabla f = 0$ carries every level set of f along a velocity,
$f_t = |\nabla f| \operatorname{div}(\nabla f / |\nabla f|)$ moves it by its mean curvature, and
$(1 - s) f_s = |\nabla f| (g - f)$ makes it the zero level of g. Coordinates are (x, y, z, time),
each in [-1, 1]; s from 0 to 1 is the elapsed part of the time.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .._checks import check_positive
from ..derivatives.operators import Function
from ..errors import ArgumentError
from ..fit.progress import Callback
from ..geometry import Frame
from ..maps import level_set
from ..shapes import ShapeLayout
from ..surfaces import Region
from ._flow import PLAN, constraints, inside, morph_constraints, region, solve, times
from ._flow import Plan as Plan
from ._solution import Solution
from ._velocities import AbstractVelocity, Rotation, Vortex

VELOCITIES = ("rotation", "vortex")
UNIT = Frame()
"""The frame in which coordinates are the user's units."""


def mean_curvature(
    start: Function,
    *,
    duration: float | None = None,
    frame: Frame = UNIT,
    plan: Plan = PLAN,
    time: float | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    r"""Move a surface inward at the sum of its two principal curvatures (mean curvature flow).

    A sphere's radius is $\sqrt{r_0^2 - 4t}$; shapes become round, and necks thin until they break.

    Use when a shape should be smoothed, its finest parts first. Fails when a part vanishes or a
    neck breaks long before the end: a smooth function of space and time cannot follow that.

    Args:
        start: Implicit function of the shape, from points `(n, 3)` in [-1, 1] to `(n, 1)`:
            negative inside, with a slope of about 1.
        duration: Duration in squares of the user's units; None for the time in which a sphere of
            the same volume shrinks to half of its radius.
        frame: Map from [-1, 1] to the user's units.
        plan: Settings of the fit.
        time: Limit of the fit in seconds.
        seed: Seed of parameters and points.
        callbacks: Functions called with a `Progress` after each step.
        should_stop: Function called after each step; the fit ends when it returns True.

    Returns:
        The field. Figures: `volumes`, `areas` and `roundness` (36 pi V^2 / A^3, 1 for a ball) at
        nine times; `start_iou`, the overlap of the field at the start with the shape.

    Raises:
        ValueError: If the duration is not positive.
        SignalError: If the shape is nowhere negative, or the fit diverges.

    Example:
        >>> ball = lambda x: x.norm(dim=1, keepdim=True) - 0.7
        >>> found = mean_curvature(ball, plan=Plan(width=8, num_points=200, steps=12))
        >>> found.figures["volumes"][-1] < found.figures["volumes"][0]
        True

    Reference:
        Novello et al., Neural Implicit Surface Evolution, ICCV 2023, section 4.2. They start from
        a trained network and take thousands of steps of Adam with points everywhere; our points
        follow the surface.
    """
    solid = inside("mean_curvature", start)
    if duration is None:
        radius = (3 * solid.volume / (4 * torch.pi)) ** (1 / 3)
        duration = 0.75 * radius**2 / 4 * frame.scale**2
    check_positive("mean_curvature", duration=duration)
    residual = level_set.mean_curvature_residual(duration / frame.scale**2)
    field = plan.field(3, seed)
    return solve(
        field,
        constraints(field, start, residual, plan),
        ShapeLayout(frame=frame, times=(0.0, duration)),
        plan,
        seed=seed,
        bounds={"time": time, "callbacks": callbacks, "should_stop": should_stop},
        measure=lambda: {"start_iou": region(field, -1.0).overlap(solid)},
        settings={"duration": duration},
    )


def transport(
    start: Function,
    *,
    velocity: str | AbstractVelocity = "rotation",
    frame: Frame = UNIT,
    plan: Plan = PLAN,
    time: float | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    r"""Carry a surface along with a velocity: $f_t + v \cdot \nabla f = 0$.

    The arguments that are not listed are those of `mean_curvature`.

    Use when the motion of points is known. Fails when the velocity stretches the shape into sheets
    thinner than the network can represent.

    Args:
        start: Implicit function of the shape, as in `mean_curvature`.
        velocity: "rotation", a quarter turn around y; "vortex", a vortex around z that reverses at
            half of the time; or an `AbstractVelocity`.

    Returns:
        The field, over times from 0 to 1. Figures besides those of `mean_curvature`: `ious`, the
        overlap with the shape under the exact flow map at nine times; `volume_drift`, the largest
        relative change of the volume.

    Raises:
        ValueError: If the name of the velocity is unknown.
        SignalError: If the shape is nowhere negative, or the fit diverges.

    Example:
        >>> ball = lambda x: (x - x.new_tensor([0.4, 0, 0])).norm(dim=1, keepdim=True) - 0.4
        >>> found = transport(ball, plan=Plan(width=8, num_points=200, steps=12))
        >>> half_way = torch.tensor([[0.4 * 0.5**0.5, 0, -0.4 * 0.5**0.5, 0.0]])
        >>> bool(found.field(half_way) < 0)
        True

    Reference:
        Novello et al. 2023, section 4.1.
    """
    if isinstance(velocity, str) and velocity not in VELOCITIES:
        raise ArgumentError(
            f"transport: expected velocity {' or '.join(VELOCITIES)}, got {velocity}."
        )
    if isinstance(velocity, str):
        velocity = Rotation(axes=(2, 0)) if velocity == "rotation" else Vortex()
    carried = velocity
    inside("transport", start)
    field = plan.field(3, seed)

    def measure() -> dict[str, Any]:
        ious = []
        for tau in times():
            moved = _carried(start, carried, (tau + 1) / 2)
            ious.append(region(field, tau).overlap(Region.of(moved)))
        return {"least_iou": min(ious), "ious": ious}

    return solve(
        field,
        constraints(field, start, level_set.transport_residual(carried), plan),
        ShapeLayout(frame=frame, times=(0.0, 1.0)),
        plan,
        seed=seed,
        bounds={"time": time, "callbacks": callbacks, "should_stop": should_stop},
        measure=measure,
        settings={"velocity": repr(velocity)},
    )


def morph(
    first: Function,
    second: Function,
    *,
    frame: Frame = UNIT,
    plan: Plan = PLAN,
    time: float | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] | None = None,
) -> Solution:
    r"""Turn one surface into another: each point moves along its normal by $g - f$.

    The level set moves outward where the second shape's distance g is below f, and inward where it
    is above, so it comes to rest at g = 0. The published $f_T = |\nabla f| (g - f)$ never ends;
    with $s = 1 - e^{-T}$ it is $(1 - s) f_s = |\nabla f| (g - f)$, which ends at s = 1. The
    arguments that are not listed are those of `mean_curvature`.

    Use when two shapes overlap. Fails when they are apart: the first then vanishes and the second
    grows elsewhere.

    Args:
        first: Implicit function of the first shape, as in `mean_curvature`.
        second: Implicit function of the second shape, in the same coordinates.

    Returns:
        The field, over times from 0 to 1. Figures besides those of `mean_curvature`: `start_iou`
        and `end_iou`, the overlaps with the two shapes; `blend_volumes`, the volumes of
        $(1 - s) f_0 + s g$, the linear blend of the distances.

    Raises:
        SignalError: If a shape is nowhere negative, or the fit diverges.

    Example:
        >>> small, large = (lambda x, r=r: x.norm(dim=1, keepdim=True) - r for r in (0.4, 0.7))
        >>> found = morph(small, large, plan=Plan(width=8, num_points=200, steps=12))
        >>> found.figures["volumes"][0] < found.figures["volumes"][-1]
        True

    Reference:
        Novello et al. 2023, section 4.3; the end at a finite time, and the constraint there, are
        ours.
    """
    ends = inside("morph", first), inside("morph", second)
    field = plan.field(3, seed)

    def measure() -> dict[str, Any]:
        blends = [Region.of(_blended(first, second, (tau + 1) / 2)) for tau in times()]
        return {
            "start_iou": region(field, -1.0).overlap(ends[0]),
            "end_iou": region(field, 1.0).overlap(ends[1]),
            "blend_volumes": [frame.scale**3 * blend.volume for blend in blends],
        }

    return solve(
        field,
        morph_constraints(first, second, 3, plan),
        ShapeLayout(frame=frame, times=(0.0, 1.0)),
        plan,
        seed=seed,
        bounds={"time": time, "callbacks": callbacks, "should_stop": should_stop},
        measure=measure,
        settings={},
    )


def _carried(start: Function, velocity: AbstractVelocity, s: float) -> Function:
    """The exact shape at a time, by following every point back to the start."""
    return lambda x: start(velocity.origin(x, s))


def _blended(first: Function, second: Function, s: float) -> Function:
    """The linear blend of two distances."""
    return lambda x: (1 - s) * first(x) + s * second(x)
