"""Shading of a surface: clay under the sky, lit from over the viewer's left shoulder."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives.operators import Function
from ..geometry import Camera, Rays
from .distance_grid import values
from .sphere_tracing import Hits

CLAY = (0.80, 0.76, 0.70)
"""Albedo in red, green and blue."""
LIGHT = (-0.55, -0.75, -0.6)
"""Direction to the light in camera axes (right, down, forward): upper left, behind the camera."""
DIRECT, SKY, GROUND = 0.72, 0.34, 0.10
"""Intensities of the light, of the sky straight above, and of the ground straight below."""
TAPS = 4
"""Sample points along the normal for ambient occlusion."""


def shade(
    hits: Hits, rays: Rays, camera: Camera, ambient_occlusion: Float[Tensor, "*n"]
) -> Float[Tensor, "*n 3"]:
    r"""Linear light reflected by the hit points; black where a ray hits nothing.

    $c\,(D \max(0, n \cdot l)(1 + o)/2 + o\,(G + (S - G)(1 + n \cdot u)/2))$ with the direction to
    the light $l$ and the upward direction of the picture $u$.

    Args:
        hits: Hits of the rays. A surface seen from inside is lit as if it faced the camera.
        rays: Rays that were traced.
        camera: Camera; the light is fixed to its axes.
        ambient_occlusion: Visible part $o$ of the sky at each point, 0 to 1.
    """
    axes = camera.axes.to(hits.normals)
    normals = facing(hits, rays)
    light = torch.nn.functional.normalize(normals.new_tensor(LIGHT), dim=0) @ axes
    direct = DIRECT * (normals @ light).clamp(min=0) * (1 + ambient_occlusion) / 2
    ambient = ambient_occlusion * (GROUND + (SKY - GROUND) * (1 - normals @ axes[1]) / 2)
    return normals.new_tensor(CLAY) * ((direct + ambient) * hits.hit)[..., None]


def ambient_occlusion(
    function: Function, hits: Hits, rays: Rays, *, rise: float, reach: float
) -> Float[Tensor, "*n"]:
    r"""Ambient occlusion: visible part of the sky, from distances to the surface along the normal.

    $1 - \sum_k 2^{-k} (1 - d_k / h_k) / \sum_k 2^{-k}$ with distances $d_k = |f| / \text{rise}$ at
    heights $h_k$ up to `reach`, each quotient at most 1. It is 1 for rays that hit nothing.

    Args:
        function: Implicit function, zero at the surface.
        hits: Hits of the rays.
        rays: Rays that were traced.
        rise: Increase of the function per unit of distance.
        reach: Largest height; within it the function should behave like a distance.

    Reference:
        Evans, Fast Approximations for Global Illumination on Dynamic Scenes, SIGGRAPH 2006
        courses.
    """
    points, normals = hits.points[hits.hit], facing(hits, rays)[hits.hit]
    closed = torch.zeros_like(points[:, 0])
    with torch.no_grad():
        for tap in range(TAPS):
            height = reach * (tap + 1) / TAPS
            distance = values(function, points + height * normals).abs() / rise
            closed += 0.5**tap * (1 - distance / height).clamp(0, 1)
    whole = torch.ones_like(hits.depth)
    whole[hits.hit] = 1 - closed / (2 - 0.5 ** (TAPS - 1))
    return whole


def facing(hits: Hits, rays: Rays) -> Float[Tensor, "*n 3"]:
    """Normals on the side that faces the ray."""
    behind = (hits.normals * rays.directions).sum(-1, keepdim=True) > 0
    return torch.where(behind, -hits.normals, hits.normals)


def linear_to_srgb(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Converts linear light, clipped to [0, 1], to sRGB."""
    linear = linear.clamp(0, 1)
    # This form maps 1 to exactly 1. The clamp avoids the infinite slope of the power at 0.
    curve = 1 + 1.055 * (linear.clamp(min=0.003) ** (1 / 2.4) - 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve)
