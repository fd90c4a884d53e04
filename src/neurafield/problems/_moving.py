"""Moving shapes at single times, and pictures of them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..derivatives.operators import Function
from ..geometry import Camera
from ..surfaces import RenderSurface, draw
from ._solution import Panel

_VIEW = Camera.orbit(30.0, 20.0, 4.2, size=(320, 320), fov=35.0, up="y")


def at_time(field: Function, tau: float) -> Function:
    """A moving shape at one time, -1 to 1, as a function of points in space."""

    def still(x: Tensor) -> Tensor:
        return field(torch.cat([x, torch.full_like(x[..., :1], tau)], dim=-1))

    return still


def pictures(field: Function, times: Sequence[float], titles: Sequence[str]) -> list[Panel]:
    """Pictures of the shape at several times."""
    panels = []
    for tau, title in zip(times, titles, strict=True):
        surface = RenderSurface.of(at_time(field, tau), rise=None)
        with torch.no_grad():
            shown = torch.cat(list(draw(surface, _VIEW)))
        panels.append(Panel(title, shown.double().clamp(0, 1).numpy()))
    return panels
