"""A picture of a surface, some rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import check_count
from ..derivatives.operators import Function
from ..geometry import Camera, Rays
from .distance_grid import DistanceGrid, measured_slope
from .shading import ambient_occlusion, linear_to_srgb, shade
from .sphere_tracing import trace

RAYS = 2**17
"""At a time; each takes some hundred bytes."""
EDGE = 0.12
"""A difference between neighbours, of 1, from which a pixel gets more rays."""
REACH = 0.2
"""How far above a place is looked for what darkens it; the box is 2 wide."""


@dataclass(frozen=True, eq=False)
class RenderSurface:
    """A surface made ready to be drawn from many sides.

    Args:
        function: Zero at the surface, negative inside.
        slope: No surface is nearer than the function's magnitude divided by this.
        clearance: Of the same.
        rise: What the function grows by in one unit of distance, for the shade of narrow places;
            None if it is not like a distance.
        reach: How far it is.
    """

    function: Function
    slope: float
    clearance: DistanceGrid
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
        """Measure the slope, and where the box is free."""

        def function(x: Tensor) -> Tensor:
            return implicit(x) - level

        slope = measured_slope(function)
        return cls(function, slope, DistanceGrid.of(function, slope=slope), rise, reach)


def draw(
    scenery: RenderSurface, camera: Camera, *, samples: int = 2, transparent: bool = False
) -> Iterator[Float[Tensor, "rows columns c"]]:
    """The picture's rows from the top down, in float32: sRGB, 0 to 1, with or without alpha.

    Each pixel gets a ray through its middle; those that differ from a neighbour, at outlines and
    creases, get `samples` times `samples` instead.

    Args:
        scenery: What is drawn.
        camera: From where, and how many rows and columns.
        samples: Rays along a side of a pixel; 1 for none but the first.
        transparent: RGB and alpha instead of RGB on white.

    Example:
        >>> ball = RenderSurface.of(lambda x: x.norm(dim=-1, keepdim=True) - 0.8)
        >>> picture = torch.cat(list(draw(ball, Camera.orbit(0.0, 0.0, 4.0, size=(32, 48)))))
        >>> picture.shape, picture[0, 0].tolist()
        (torch.Size([32, 48, 3]), [1.0, 1.0, 1.0])
    """
    check_count("draw", samples=samples, high=16)
    height, width = camera.size
    step = max(1, RAYS // width)
    columns = torch.arange(width) + 0.5
    for first in range(0, height, step):
        last = min(first + step, height)
        # A row more on either side, since pixels are compared with their neighbours.
        rows = torch.arange(max(first - 1, 0), min(last + 1, height)) + 0.5
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).double()
        seen = _seen(scenery, camera, places)
        if samples > 1:
            edges = _edges(seen)
            seen[edges] = _resampled(scenery, camera, places[edges], samples)
        begin = first - max(first - 1, 0)
        seen = seen[begin : begin + last - first]
        light, cover = seen[..., :3], seen[..., 3:]
        if transparent:
            yield torch.cat([linear_to_srgb(light / cover.clamp(min=1e-6)), cover], dim=-1)
        else:
            yield linear_to_srgb(light + 1 - cover)


def _seen(
    scenery: RenderSurface, camera: Camera, places: Float[Tensor, "*n 2"]
) -> Float[Tensor, "*n 4"]:
    """Light, and 1 where there is a surface, at places in the picture."""
    exact, _ = camera.rays(places).from_box()
    rays = Rays(exact.origins.float(), exact.directions.float())
    hits = trace(scenery.function, rays, slope=scenery.slope, clearance=scenery.clearance)
    if scenery.rise is None:
        open_sky = torch.ones_like(hits.depth)
    else:
        open_sky = ambient_occlusion(
            scenery.function, hits, rays, rise=scenery.rise, reach=scenery.reach
        )
    return torch.cat([shade(hits, rays, camera, open_sky), hits.hit[..., None].float()], dim=-1)


def _resampled(
    scenery: RenderSurface, camera: Camera, places: Float[Tensor, "n 2"], samples: int
) -> Float[Tensor, "n 4"]:
    """The mean over equal parts of the pixels around these places."""
    offsets = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples - 0.5
    inside = torch.stack(torch.meshgrid(offsets, offsets, indexing="ij"), dim=-1).reshape(-1, 2)
    parts = [
        _seen(scenery, camera, part[:, None] + inside).mean(1)
        for part in places.split(max(1, RAYS // samples**2))
    ]
    return torch.cat(parts) if parts else torch.zeros(0, 4)


def _edges(seen: Float[Tensor, "rows columns 4"]) -> Bool[Tensor, "rows columns"]:
    """Pixels that look unlike one of their eight neighbours."""
    looks = linear_to_srgb(seen).movedim(-1, 0)[None]
    high = torch.nn.functional.max_pool2d(looks, 3, stride=1, padding=1)
    low = -torch.nn.functional.max_pool2d(-looks, 3, stride=1, padding=1)
    return (high - low).amax(1)[0] > EDGE
