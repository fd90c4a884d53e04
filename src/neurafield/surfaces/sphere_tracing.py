"""Sphere tracing: first intersections of rays with the surface of a field."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .._checks import check_count, check_positive
from ..derivatives.operators import Function, gradient
from ..geometry import Rays
from .distance_grid import DistanceGrid, measured_slope, values

SHORTEST = 1e-4
"""Minimum step. Parts thinner than this along a ray may be missed; the box is 2 wide."""
MAX_STEPS = 1000
"""Maximum steps per ray. Only a ray that grazes a surface for a tenth of the box takes more."""
_NORMALS = 2**15
"""Points at a time for gradients, which need more memory than values."""
_MAX_REFINEMENTS = 60


@dataclass(frozen=True, eq=False)
class Hits:
    """First intersections of rays with a surface.

    Args:
        depth: Depth along the ray; infinite for a miss.
        points: Points on the surface; 0 for a miss.
        normals: Unit normals along the gradient, so outward; 0 for a miss.
        hit: Mask of the rays that meet the surface.
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
    distance_grid: DistanceGrid | None = None,
    max_steps: int = MAX_STEPS,
) -> Hits:
    r"""Find the first point on each ray, within [-1, 1]^3, where a field crosses a level.

    Each step has the length $|f(x)| / L$, within which there is no surface, but at least 1e-4. Once
    the sign changes, the crossing is bracketed and refined to rounding by regula falsi. So a ray
    that begins inside meets the wall from within. If $L$ is too small, rays still stop, but may
    miss parts thinner than a step.

    Args:
        implicit: A field or any function of points `(n, 3) -> (n, 1)`.
        rays: Rays, with the dtype and on the device that the field takes.
        level: Level of the surface; slightly above 0 for an unsigned distance.
        slope: Bound $L$; None measures it (`measured_slope`).
        distance_grid: Distance grid of the same function, level and slope, to skip empty space.
        max_steps: Maximum steps; a ray that takes more counts as a miss.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> rays = Rays(torch.tensor([[0.0, 0.0, -3.0]]), torch.tensor([[0.0, 0.0, 1.0]]))
        >>> hits = trace(lambda x: x.norm(dim=-1, keepdim=True) - 0.5, rays)
        >>> hits.depth, hits.normals
        (tensor([2.5000]), tensor([[ 0.,  0., -1.]]))

    Reference:
        Hart, Sphere Tracing: A Geometric Method for the Antialiased Ray Tracing of Implicit
        Surfaces, The Visual Computer 1996. We add a minimum step and bracketing, since fields are
        not exact distances. Dowell and Jarratt, A Modified Regula Falsi Method for Computing the
        Root of an Equation, BIT 1971 (the Illinois method).
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
        number, depth = _march(function, rays, slope, distance_grid, max_steps)
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
    r"""Depth of hits, differentiable with respect to the field's parameters and the rays.

    $t - (f(o + t d) - v) / (\nabla f \cdot d)$ with the level $v$, where $t$ and the divisor are
    constants: it has the value of $t$ and the derivatives of the depth. Misses stay infinite.

    Fails when a ray only touches the surface, where the depth has no derivative.

    Args:
        implicit: Field that was traced.
        rays: Rays that were traced.
        hits: Result of `trace`.
        level: Level of the surface.

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
    function: Function, rays: Rays, slope: float, distance_grid: DistanceGrid | None, max_steps: int
) -> tuple[Int64[Tensor, " m"], Float[Tensor, " m"]]:
    """Indices and depths of the rays that meet the surface; finished rays are dropped."""
    depth, far = rays.through_box()
    if distance_grid is not None:
        depth = distance_grid.begin(rays, depth, far)
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
    """Zero of the function between two depths at which its signs differ (Illinois method)."""
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
        # The value at an end that stays twice in a row is halved, so that this end moves too.
        a, at_a = torch.where(same, a, b), torch.where(same, at_a / 2, at_b)
        b, at_b = guess, value
        on = (b - a).abs() > 2 * smallest * b.abs().clamp(min=1)
        on &= value.abs() > smallest * slope
        index, a, b, at_a, at_b = index[on], a[on], b[on], at_a[on], at_b[on]
        origins, directions = origins[on], directions[on]
    return root
