"""Sphere tracing: where rays first meet the surface of a field."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .._checks import check_count, check_positive
from ..derivatives.operators import Function, gradient
from ..geometry import Rays
from .distance_grid import DistanceGrid, measured_slope, values

SHORTEST = 1e-4
"""Of a step. What is thinner along a ray may be passed over; the box is 2 wide."""
MAX_STEPS = 1000
"""Of a ray. Only one that stays that near to a surface for a tenth of the box takes more."""
_NORMALS = 2**15
"""Points at a time for gradients, which keep less than their speed needs."""
_MAX_REFINEMENTS = 60


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays first meet a surface.

    Args:
        depth: Along the ray; infinite where it meets none.
        points: The places; 0 where there is none.
        normals: Along the gradient and of unit length, so outward; 0 where there is no place.
        hit: Which rays meet the surface.
    """

    depth: Float[Tensor, "*n"]
    points: Float[Tensor, "*n 3"]
    normals: Float[Tensor, "*n 3"]
    hit: Bool[Tensor, "*n"]


def trace(
    implicit: Function,
    rays: Rays,
    *,
    level: float = 0.0,
    slope: float | None = None,
    clearance: DistanceGrid | None = None,
    max_steps: int = MAX_STEPS,
) -> Hits:
    r"""The first place on each ray, within the box [-1, 1]^3, where a field crosses a level.

    From $x$ a ray goes on by $|f(x)| / L$, which is free of the surface, and by 1e-4 at least.
    Where the sign has changed, the place is enclosed and found to rounding by regula falsi. So a
    ray that began inside meets the wall from within; and with an $L$ that is too small rays still
    stop, but may pass over what is thinner than a step.

    Args:
        implicit: A field or any function of points `(n, 3) -> (n, 1)`.
        rays: Any number, of the type and on the device that the field takes.
        level: Of the surface; a little above 0 for an unsigned distance.
        slope: $L$; None to measure it (`measured_slope`).
        clearance: Of the same function, level and slope, to begin near the surface.
        max_steps: A ray that takes more meets nothing.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> rays = Rays(torch.tensor([[0.0, 0.0, -3.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
        >>> hits = trace(lambda x: x.norm(dim=-1, keepdim=True) - 0.5, rays)
        >>> hits.depth, hits.normals
        (tensor([2.5000]), tensor([[ 0.,  0., -1.]]))

    Reference:
        Hart, Sphere Tracing: A Geometric Method for the Antialiased Ray Tracing of Implicit
        Surfaces, The Visual Computer 1996. Steps have a least length and places are enclosed:
        fields are no exact distances. Dowell and Jarratt, A Modified Regula Falsi Method for
        Computing the Root of an Equation, BIT 1971 (the Illinois method).
    """

    def function(x: Tensor) -> Tensor:
        return implicit(x) - level

    check_count("trace", max_steps=max_steps)
    shape = rays.origins.shape[:-1]
    rays = Rays(rays.origins.detach().reshape(-1, 3), rays.directions.detach().reshape(-1, 3))
    if slope is None:
        dtype, device = rays.origins.dtype, rays.origins.device
        slope = measured_slope(function, dtype=dtype, device=device) if len(rays.origins) else 1.0
    check_positive("trace", slope=slope)
    with torch.no_grad():
        rays, skipped = rays.from_box()
        number, depth = _march(function, rays, slope, clearance, max_steps)
        points = rays.origins[number] + depth[:, None] * rays.directions[number]
        normals = _normals(function, points)
    depths = torch.full_like(skipped, torch.inf).index_put((number,), skipped[number] + depth)
    nothing = torch.zeros_like(rays.origins)
    return Hits(
        depths.reshape(shape),
        nothing.index_put((number,), points).reshape(*shape, 3),
        nothing.index_put((number,), normals).reshape(*shape, 3),
        depths.isfinite().reshape(shape),
    )


def attached_depth(
    implicit: Function, rays: Rays, hits: Hits, *, level: float = 0.0
) -> Float[Tensor, "*n"]:
    r"""The depth of hits, differentiable: with respect to the field's parameters and the rays.

    $t - (f(o + t d) - v) / (\nabla f \cdot d)$ with the level $v$, and $t$ and the divisor held
    fixed: it has the value of $t$ and the derivatives of the depth. Rays that met nothing keep
    infinity.

    Fails when a ray only touches the surface, where the depth has no derivative.

    Args:
        implicit: What was traced.
        rays: Along which.
        hits: What came of it.
        level: Of the surface.

    Reference:
        Yariv et al., Multiview Neural Surface Reconstruction by Disentangling Geometry and
        Appearance, NeurIPS 2020, equation 3.
    """
    origins, directions = rays.origins[hits.hit], rays.directions[hits.hit]
    depth = hits.depth[hits.hit]
    points = origins + depth[:, None] * directions
    with torch.no_grad():
        fall = (gradient(implicit, points.detach()) * directions).sum(-1)
    error = (implicit(points) - level)[..., 0]
    return hits.depth.index_put((hits.hit,), depth - error / fall)


def _normals(function: Function, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    parts = [gradient(function, part) for part in x.split(_NORMALS)] if len(x) else [x]
    return torch.nn.functional.normalize(torch.cat(parts), dim=-1)


def _march(
    function: Function, rays: Rays, slope: float, clearance: DistanceGrid | None, max_steps: int
) -> tuple[Int64[Tensor, " m"], Float[Tensor, " m"]]:
    """Which rays meet the surface, and where; rays that have ended are left out as they end."""
    depth, far = rays.through_box()
    if clearance is not None:
        depth = clearance.begin(rays, depth, far)
    number = (depth < far).nonzero()[:, 0]
    origins, directions = rays.origins[number], rays.directions[number]
    depth, far = depth[number], far[number]
    value = values(function, origins + depth[:, None] * directions)
    ends = [(number[:0], depth[:0], depth[:0], value[:0], value[:0])]
    for _ in range(max_steps):
        if not len(number):
            break
        after = (depth + (value.abs() / slope).clamp(min=SHORTEST)).minimum(far)
        then = values(function, origins + after[:, None] * directions)
        crossed = (value <= 0) != (then <= 0)
        ends.append(
            (number[crossed], depth[crossed], after[crossed], value[crossed], then[crossed])
        )
        on = ~crossed & (after < far)
        number, depth, far, value = number[on], after[on], far[on], then[on]
        origins, directions = origins[on], directions[on]
    number, *enclosed = (torch.cat(parts) for parts in zip(*ends, strict=True))
    found = Rays(rays.origins[number], rays.directions[number])
    return number, _refine(function, found, slope, *enclosed)


def _refine(
    function: Function,
    rays: Rays,
    slope: float,
    a: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    at_a: Float[Tensor, " m"],
    at_b: Float[Tensor, " m"],
) -> Float[Tensor, " m"]:
    """Where the function is zero between two depths at which its signs differ."""
    origins, directions = rays.origins, rays.directions
    smallest = torch.finfo(a.dtype).eps
    root = b.clone()
    index = torch.arange(len(a), device=a.device)
    for _ in range(_MAX_REFINEMENTS):
        if not len(index):
            break
        guess = a - at_a * (b - a) / (at_b - at_a)
        guess = torch.where(guess.isfinite(), guess, (a + b) / 2)
        value = values(function, origins + guess[:, None] * directions)
        root[index] = guess
        same = (value <= 0) == (at_b <= 0)
        # An end that stays a second time counts half, so that it comes in, too.
        a, at_a = torch.where(same, a, b), torch.where(same, at_a / 2, at_b)
        b, at_b = guess, value
        on = (b - a).abs() > 2 * smallest * b.abs().clamp(min=1)
        on &= value.abs() > smallest * slope
        index, a, b, at_a, at_b = index[on], a[on], b[on], at_a[on], at_b[on]
        origins, directions = origins[on], directions[on]
    return root
