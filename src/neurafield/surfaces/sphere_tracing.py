"""Sphere tracing: where rays first meet the surface of a field."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .._checks import check_positive
from ..cameras import Rays
from ..derivatives.operators import Function, gradient

BLOCK = 2**13
"""Points at a time: what a network holds of them stays near the cache."""
SHORTEST = 1e-4
"""Of a step; so no ray takes more than 2 sqrt(3) / SHORTEST of them."""
MAX_STEPS = 1000
_MAX_REFINEMENTS = 60


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays first meet a surface.

    Args:
        depth: Along the ray; infinite where it meets none.
        points: The places, 0 where there is none.
        normals: Of unit length along the gradient, so outward; 0 where there is no place.
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
    lipschitz: float,
    level: float = 0.0,
    max_steps: int = MAX_STEPS,
) -> Hits:
    """The first place on each ray where the field crosses the level."""
    check_positive("trace", lipschitz=lipschitz)
    shape = rays.origins.shape[:-1]
    flat = Rays(rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3))

    def function(x: Tensor) -> Tensor:
        return implicit(x) - level

    with torch.no_grad():
        chosen, depth = _march(function, flat, lipschitz, max_steps)
        points = flat.origins[chosen] + depth[:, None] * flat.directions[chosen]
        normals = _normals(function, points)
    count = len(flat.origins)
    whole = depth.new_full((count,), torch.inf).index_put((chosen,), depth)
    zeros = points.new_zeros(count, 3)
    return Hits(
        whole.reshape(shape),
        zeros.index_put((chosen,), points).reshape(*shape, 3),
        zeros.index_put((chosen,), normals).reshape(*shape, 3),
        whole.isfinite().reshape(shape),
    )


def _values(function: Function, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    parts = [function(part)[..., 0] for part in x.split(BLOCK)]
    return torch.cat(parts) if parts else x.new_zeros(0)


def _normals(function: Function, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    parts = [gradient(function, part) for part in x.split(BLOCK)] if len(x) else [x]
    return torch.nn.functional.normalize(torch.cat(parts), dim=-1)


def _march(
    function: Function, rays: Rays, lipschitz: float, max_steps: int
) -> tuple[Int64[Tensor, " m"], Float[Tensor, " m"]]:
    near, far = rays.through_box()
    number = (near < far).nonzero()[:, 0]
    origins, directions = rays.origins[number], rays.directions[number]
    t, far = near[number], far[number]
    value = _values(function, origins + t[:, None] * directions)
    found = []
    for _ in range(max_steps):
        if not len(t):
            break
        step = (value.abs() / lipschitz).clamp(min=SHORTEST)
        after = (t + step).minimum(far)
        then = _values(function, origins + after[:, None] * directions)
        crossed = (value <= 0) != (then <= 0)
        found.append((number[crossed], t[crossed], after[crossed], value[crossed], then[crossed]))
        keep = ~crossed & (after < far)
        number, t, far, value = number[keep], after[keep], far[keep], then[keep]
        origins, directions = origins[keep], directions[keep]
    if not found:
        return number, t
    number, a, b, at_a, at_b = (torch.cat(parts) for parts in zip(*found, strict=True))
    return number, _refine(function, rays, number, a, b, at_a, at_b)


def _refine(
    function: Function,
    rays: Rays,
    number: Int64[Tensor, " m"],
    a: Float[Tensor, " m"],
    b: Float[Tensor, " m"],
    at_a: Float[Tensor, " m"],
    at_b: Float[Tensor, " m"],
) -> Float[Tensor, " m"]:
    origins, directions = rays.origins[number], rays.directions[number]
    eps = torch.finfo(a.dtype).eps
    root = b.clone()
    index = torch.arange(len(a))
    for _ in range(_MAX_REFINEMENTS):
        if not len(index):
            break
        guess = a - at_a * (b - a) / (at_b - at_a)
        guess = torch.where(guess.isfinite(), guess, (a + b) / 2).clamp(
            min=a.minimum(b), max=a.maximum(b)
        )
        value = _values(function, origins + guess[:, None] * directions)
        root[index] = guess
        same = (value <= 0) == (at_b <= 0)
        # Illinois: an end that stays twice counts half, so that it comes in, too.
        a, at_a = torch.where(same, a, b), torch.where(same, at_a / 2, at_b)
        b, at_b = guess, value
        keep = ((b - a).abs() > 2 * eps * b.abs().clamp(min=1)) & (value.abs() > eps)
        index, a, b, at_a, at_b = index[keep], a[keep], b[keep], at_a[keep], at_b[keep]
        origins, directions = origins[keep], directions[keep]
    return root
