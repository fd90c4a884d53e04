"""Light on a surface: clay under the sky, with a light over the beholder's left shoulder."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives.operators import Function
from ..geometry import Camera, Rays
from .distance_grid import values
from .sphere_tracing import Hits

CLAY = (0.80, 0.76, 0.70)
"""What it reflects of red, green and blue."""
LIGHT = (-0.55, -0.75, -0.6)
"""Toward the light in the camera's axes, right, down and forward: at the upper left, behind it."""
DIRECT, SKY, GROUND = 0.72, 0.34, 0.10
"""How bright the light is, and what comes from straight above and straight below."""
TAPS = 4
"""Points above a place at which is asked how much is open."""


def shade(
    hits: Hits, rays: Rays, camera: Camera, ambient_occlusion: Float[Tensor, "*n"]
) -> Float[Tensor, "*n 3"]:
    r"""Linear light that comes from the points that were hit; black where nothing was.

    $c\,(D \max(0, n \cdot l)(1 + o)/2 + o\,(G + (S - G)(1 + n \cdot u)/2))$ with light from $l$ and
    the picture's upward $u$.

    Args:
        hits: What the rays met. What is seen from within is lit as if it faced the camera.
        rays: Those.
        camera: Whose axes the light goes with.
        ambient_occlusion: $o$, 0 to 1: how much of the sky a place sees.
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
    r"""How much of the sky places see, by the distance to the surface at some points above them.

    $1 - \sum_k 2^{-k} (1 - d_k / h_k) / \sum_k 2^{-k}$ with distances $d_k = |f| / \text{rise}$ at
    heights $h_k$ up to `reach`, each quotient at most 1. It is 1 where nothing was hit.

    Args:
        function: Zero at the surface.
        hits: The places.
        rays: From where they were met.
        rise: What the function grows by in one unit of distance.
        reach: How far above, at most as far as the function is like a distance.

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
    """Normals on the side from which the places are seen."""
    behind = (hits.normals * rays.directions).sum(-1, keepdim=True) > 0
    return torch.where(behind, -hits.normals, hits.normals)


def linear_to_srgb(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Values of sRGB, 0 to 1, of linear light, which is clipped to that."""
    linear = linear.clamp(0, 1)
    # In this form 1 stays exactly 1. The power's slope at 0 is infinite, and not needed there.
    curve = 1 + 1.055 * (linear.clamp(min=0.003) ** (1 / 2.4) - 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve)
