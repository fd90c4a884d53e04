"""A plain picture of a surface: clay under the sky, with a light over the beholder's shoulder."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..cameras import Camera, Rays
from .sphere_tracing import Hits

CLAY = (0.82, 0.80, 0.77)
"""Reflected of red, green and blue, linear."""
LIGHT = (-0.5, -0.65, -0.6)
"""Toward the light, in the camera's axes: right, down, forward; so it is at the upper left."""
DIRECT, SKY, GROUND = 0.75, 0.38, 0.14
"""How bright the light is, and what comes from above and from below."""


def shade(
    hits: Hits, rays: Rays, camera: Camera, openness: Float[Tensor, "*n"] | None = None
) -> Float[Tensor, "*n 3"]:
    """Linear light, 0 to 1, of the points that were hit; black for rays that hit nothing."""
    axes = camera.axes.to(hits.normals)
    # What is seen from behind, with the camera inside, is lit as if it faced the camera.
    behind = (hits.normals * rays.directions).sum(-1, keepdim=True) > 0
    normals = torch.where(behind, -hits.normals, hits.normals)
    light = torch.nn.functional.normalize(normals.new_tensor(LIGHT), dim=0) @ axes
    direct = (normals @ light).clamp(min=0)
    above = (1 - normals @ axes[1]) / 2
    ambient = GROUND + (SKY - GROUND) * above
    if openness is not None:
        ambient = ambient * openness
    bright = DIRECT * direct + ambient
    return normals.new_tensor(CLAY) * bright[..., None] * hits.hit[..., None]


def encoded(linear: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Values of sRGB, 0 to 1, of linear light, which is clipped to that."""
    linear = linear.clamp(0, 1)
    return torch.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=1e-6) ** (1 / 2.4) - 0.055
    )
