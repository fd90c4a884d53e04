"""Rendering of a surface, a few rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import check_count
from ..derivatives.operators import Function
from ..errors import ArgumentError
from ..geometry import Camera, Rays
from .distance_grid import DistanceGrid, measured_slope
from .shading import ambient_occlusion, linear_to_srgb, shade
from .sphere_tracing import trace

RAYS = 2**17
"""Rays traced at a time; each takes a few hundred bytes."""
EDGE = 0.12
"""Difference between neighbours, in [0, 1], from which a pixel gets more rays."""
REACH = 0.2
"""Distance within which surfaces cause ambient occlusion; the box is 2 wide."""

MAX_DISTANCE = 1e6
"""Largest coordinate of a camera; from farther away, rounding hides the box from its rays."""


@dataclass(frozen=True, eq=False)
class RenderSurface:
    """A surface prepared for rendering from many viewpoints.

    Args:
        function: Implicit function, zero at the surface and negative inside.
        slope: $L$: no surface is nearer than the function's magnitude divided by this.
        distance_grid: Safe step lengths for the same function.
        rise: Increase of the function per unit of distance, for ambient occlusion; None if it does
            not behave like a distance.
        reach: Distance within which surfaces cause ambient occlusion.
    """

    function: Function
    slope: float
    distance_grid: DistanceGrid
    rise: float | None = 1.0
    reach: float = REACH

    @classmethod
    def of(
        cls,
        implicit: Function,
        *,
        level: float = 0.0,
        rise: float | None = 1.0,
        reach: float = REACH,
    ) -> "RenderSurface":
        """Measure the slope and build the distance grid."""

        def function(x: Tensor) -> Tensor:
            return implicit(x) - level

        slope = measured_slope(function)
        return cls(function, slope, DistanceGrid.of(function, slope=slope), rise, reach)


def draw(
    surface: RenderSurface, camera: Camera, *, samples: int = 2, transparent: bool = False
) -> Iterator[Float[Tensor, "rows columns c"]]:
    """Render a picture, in parts from the top down: float32 sRGB in [0, 1], with or without alpha.

    Each pixel gets a ray through its centre; pixels that differ from a neighbour, at outlines and
    creases, get `samples` times `samples` rays instead.

    Args:
        surface: Surface to render.
        camera: Camera, with the size of the picture.
        samples: Rays along each side of a pixel; 1 for a single ray.
        transparent: True for RGB and alpha instead of RGB on white.

    Raises:
        ArgumentError: If the camera is farther than `MAX_DISTANCE`, or `samples` out of range.

    Example:
        >>> ball = RenderSurface.of(lambda x: x.norm(dim=-1, keepdim=True) - 0.8)
        >>> picture = torch.cat(list(draw(ball, Camera.orbit(0.0, 0.0, 4.0, size=(32, 48)))))
        >>> picture.shape, picture[0, 0].tolist()
        (torch.Size([32, 48, 3]), [1.0, 1.0, 1.0])
    """
    check_count("draw", samples=samples, high=16)
    check_reach(camera)
    height, width = camera.size
    step = max(1, RAYS // width)
    columns = torch.arange(width) + 0.5
    for first in range(0, height, step):
        last = min(first + step, height)
        # One more row on either side, since pixels are compared with their neighbours.
        rows = torch.arange(max(first - 1, 0), min(last + 1, height)) + 0.5
        pixels = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).double()
        shaded = _shaded(surface, camera, pixels)
        if samples > 1:
            edges = _edges(shaded)
            shaded[edges] = _resampled(surface, camera, pixels[edges], samples)
        begin = first - max(first - 1, 0)
        shaded = shaded[begin : begin + last - first]
        light, cover = shaded[..., :3], shaded[..., 3:]
        if transparent:
            yield torch.cat([linear_to_srgb(light / cover.clamp(min=1e-6)), cover], dim=-1)
        else:
            yield linear_to_srgb(light + 1 - cover)


def check_reach(camera: Camera) -> None:
    """Require a camera whose rays can be traced through the box.

    Raises:
        ArgumentError: If a coordinate of the camera is beyond `MAX_DISTANCE`.
    """
    if not (distance := float(camera.position.abs().max())) <= MAX_DISTANCE:
        raise ArgumentError(
            f"draw: expected a camera at most {MAX_DISTANCE:g} units away along each axis, got "
            f"{distance:g}. Choose a smaller distance (--distance) or a wider field of view "
            "(--fov)."
        )


def _shaded(
    surface: RenderSurface, camera: Camera, pixels: Float[Tensor, "*n 2"]
) -> Float[Tensor, "*n 4"]:
    """Linear light and coverage (1 on the surface) at positions in the picture."""
    exact, _ = camera.rays(pixels).from_box()
    rays = Rays(exact.origins.float(), exact.directions.float())
    hits = trace(surface.function, rays, slope=surface.slope, distance_grid=surface.distance_grid)
    if surface.rise is None:
        occlusion = torch.ones_like(hits.depth)
    else:
        occlusion = ambient_occlusion(
            surface.function, hits, rays, rise=surface.rise, reach=surface.reach
        )
    return torch.cat([shade(hits, rays, camera, occlusion), hits.hit[..., None].float()], dim=-1)


def _resampled(
    surface: RenderSurface, camera: Camera, pixels: Float[Tensor, "n 2"], samples: int
) -> Float[Tensor, "n 4"]:
    """Mean over `samples`**2 rays through each of these pixels."""
    offsets = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples - 0.5
    inside = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), dim=-1).reshape(-1, 2)
    parts = [
        _shaded(surface, camera, part[:, None] + inside).mean(1)
        for part in pixels.split(max(1, RAYS // samples**2))
    ]
    return torch.cat(parts) if parts else torch.zeros(0, 4)


def _edges(shaded: Float[Tensor, "rows columns 4"]) -> Bool[Tensor, "rows columns"]:
    """Mask of pixels that differ from one of their eight neighbours."""
    looks = linear_to_srgb(shaded).movedim(-1, 0)[None]
    high = torch.nn.functional.max_pool2d(looks, 3, stride=1, padding=1)
    low = -torch.nn.functional.max_pool2d(-looks, 3, stride=1, padding=1)
    return (high - low).amax(1)[0] > EDGE
