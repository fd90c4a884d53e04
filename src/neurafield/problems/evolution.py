r"""Surfaces that move: fields over space and time that obey the level-set equation.

$f_t + v \cdot \nabla f = 0$ carries every level set of f along a velocity,
$f_t = |\nabla f| \operatorname{div}(\nabla f / |\nabla f|)$ moves it by its mean curvature, and
$(1 - s) f_s = |\nabla f| (g - f)$ makes it the zero level of g. Coordinates are (x, y, z, time),
each in [-1, 1]; s from 0 to 1 is the part of the time that is done.
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
from ._flow import PLAN, constraints, morph_constraints, region, solve, times
from ._flow import Plan as Plan
from ._flow import body as body_of
from ._moving import Region
from ._solution import Solution
from ._velocities import AbstractVelocity, Rotation, Vortex

VELOCITIES = ("rotation", "vortex")
UNIT = Frame()
"""The coordinates are the user's."""


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
    r"""A surface that moves inward by the sum of its two principal curvatures.

    A sphere's radius is $\sqrt{r_0^2 - 4t}$; bodies become round, and necks thin until they part.

    Use when a shape shall be smoothed, its finest parts first. Fails when a part vanishes, or a
    neck parts, long before the end: what is smooth in space and time cannot follow that.

    Args:
        start: The shape: from points `(n, 3)` in [-1, 1] to `(n, 1)`, negative inside, with a slope
            of about 1.
        duration: In squares of the user's units; None for the time in which a sphere of the same
            volume shrinks to half of its radius.
        frame: From [-1, 1] to the user's units.
        plan: How it is fitted.
        time: Stop after so many seconds.
        seed: Of parameters and points.
        callbacks: Called with a `Progress` after each step.
        should_stop: Requested after each step.

    Returns:
        The field. Figures: `volumes`, `areas` and `roundness` (36 pi V^2 / A^3, 1 for a ball) at
        nine times; `start_iou`, of the field's beginning and the shape.

    Raises:
        ValueError: If the duration is not positive.
        SignalError: If the shape is nowhere negative, or the fit diverges.

    Example:
        >>> ball = lambda x: x.norm(dim=1, keepdim=True) - 0.7
        >>> found = mean_curvature(ball, plan=Plan(width=8, num_points=200, steps=12))
        >>> found.figures["volumes"][-1] < found.figures["volumes"][0]
        True

    Reference:
        Novello et al., Neural Implicit Surface Evolution, ICCV 2023, section 4.2. They begin with a
        trained network and take thousands of steps of Adam with points on the whole; ours follow
        the surface.
    """
    body = body_of("mean_curvature", start)
    if duration is None:
        radius = (3 * body.volume / (4 * torch.pi)) ** (1 / 3)
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
        measure=lambda: {"start_iou": region(field, -1.0).overlap(body)},
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
    r"""A surface that is carried along by a velocity: $f_t + v \cdot \nabla f = 0$.

    Use when points are known to move so. Fails when the velocity stretches the shape into sheets
    thinner than the network can hold.

    Args:
        start: As in `mean_curvature`.
        velocity: "rotation", a quarter turn around y; "vortex", a swirl around z that turns back at
            half of the time; or a velocity of your own.
        frame: As in `mean_curvature`.
        plan: As in `mean_curvature`.
        time: As in `mean_curvature`.
        seed: As in `mean_curvature`.
        callbacks: As in `mean_curvature`.
        should_stop: As in `mean_curvature`.

    Returns:
        The field, over times from 0 to 1. Figures besides those of `mean_curvature`: `ious`, of the
        field and of the shape followed back to the beginning point by point, at nine times;
        `volume_drift`, the largest relative change of the volume.

    Raises:
        ValueError: If there is no such velocity.
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
    body_of("transport", start)
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
    r"""A surface that becomes another one: each point moves along its normal by $g - f$.

    The level set moves outward where the second shape's distance g is below f, inward where it is
    above, so it comes to rest at g = 0. The published $f_T = |\nabla f| (g - f)$ takes for ever;
    with $s = 1 - e^{-T}$ it is $(1 - s) f_s = |\nabla f| (g - f)$, done at s = 1.

    Use when two shapes lie over each other in part. Fails when they are apart: the first then
    vanishes and the second grows elsewhere.

    Args:
        first: The shape at the beginning, as in `mean_curvature`.
        second: The shape at the end, in the same coordinates.
        frame: As in `mean_curvature`.
        plan: As in `mean_curvature`.
        time: As in `mean_curvature`.
        seed: As in `mean_curvature`.
        callbacks: As in `mean_curvature`.
        should_stop: As in `mean_curvature`.

    Returns:
        The field, over times from 0 to 1. Figures besides those of `mean_curvature`: `start_iou`
        and `end_iou`, against the two shapes; `blend_volumes`, of $(1 - s) f_0 + s g$, the plain
        blend of the distances.

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
    ends = body_of("morph", first), body_of("morph", second)
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
    """Where a shape is at a time, by following every place back to the beginning."""
    return lambda x: start(velocity.origin(x, s))


def _blended(first: Function, second: Function, s: float) -> Function:
    """Between two distances."""
    return lambda x: (1 - s) * first(x) + s * second(x)
