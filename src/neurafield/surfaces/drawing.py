"""A picture of a surface, in parts."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ..cameras import Camera
from ..derivatives.operators import Function
from .shading import encoded, shade
from .sphere_tracing import trace

RAYS = 2**18


def draw(
    implicit: Function,
    camera: Camera,
    *,
    lipschitz: float,
    level: float = 0.0,
    samples: int = 2,
    transparent: bool = False,
) -> Iterator[Float[Tensor, "rows columns c"]]:
    height, width = camera.size
    step = max(1, RAYS // (width * samples**2))
    offsets = (torch.arange(samples) + 0.5) / samples
    for first in range(0, height, step):
        rows = torch.arange(first, min(first + step, height))
        places = torch.meshgrid(
            (rows[:, None] + offsets).reshape(-1),
            (torch.arange(width)[:, None] + offsets).reshape(-1),
            indexing="ij",
        )
        rays = camera.rays(torch.stack(places, dim=-1).double())
        rays = type(rays)(rays.origins.float(), rays.directions.float())
        hits = trace(implicit, rays, lipschitz=lipschitz, level=level)
        light = shade(hits, rays, camera)
        values = torch.cat([light, hits.hit[..., None].to(light)], dim=-1)
        values = values.reshape(len(rows), samples, width, samples, 4).mean((1, 3))
        cover = values[..., 3:]
        if transparent:
            yield torch.cat([encoded(values[..., :3] / cover.clamp(min=1e-6)), cover], dim=-1)
        else:
            yield encoded(values[..., :3] + 1 - cover)
