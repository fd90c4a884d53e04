"""The truth: every point against every triangle, in plain torch.

Notation: a triangle has the corners a, b, c; x is a point.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

PAIRS = 2**20
"""Pairs of point and triangle computed at once; about 100 megabytes."""

FLAT = 1e-12
"""Twice the area over the squared longest side, below which a triangle consists of its sides."""


def closest_points(corners: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """See the public function."""
    points, numbers = _in_blocks(_closest, corners, x)
    lost = ~x.isfinite().all(1)
    return torch.where(lost[:, None], torch.nan, points), torch.where(lost, -1, numbers)


def winding_numbers(corners: Tensor, x: Tensor) -> Tensor:
    """See the public function."""
    (turns,) = _in_blocks(_winding, corners, x)
    return torch.where(x.isfinite().all(1), turns, torch.nan)


def _in_blocks(
    function: Callable[[Tensor, Tensor], tuple[Tensor, ...]], corners: Tensor, x: Tensor
) -> list[Tensor]:
    """A function of corners and points, evaluated on blocks of points to bound the memory."""
    block = max(1, PAIRS // len(corners))
    parts = [function(corners, some[:, None]) for some in x.split(block)]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def _closest(corners: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    candidates = [_on_segment(corners[:, i], corners[:, (i + 1) % 3], x) for i in range(3)]
    candidates.append(_on_plane(corners, x))
    points = torch.stack(candidates, 2).flatten(1, 2)
    best = (points - x).square().sum(2).argmin(1)
    nearest = points.gather(1, best[:, None, None].expand(-1, 1, 3)).squeeze(1)
    return nearest, best // len(candidates)


def _on_segment(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    side = b - a
    length = side.square().sum(-1).clamp(min=torch.finfo(a.dtype).tiny)
    t = (((x - a) * side).sum(-1) / length).clamp(0, 1)
    return a + t[..., None] * side


def _on_plane(corners: Tensor, x: Tensor) -> Tensor:
    """The foot of the perpendicular if it lies in the triangle, else a corner."""
    a, b, c = corners.unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    longest = torch.stack([b - a, c - b, a - c]).square().sum(-1).amax(0)
    flat = normal.norm(dim=-1) <= FLAT * longest
    normal = torch.nn.functional.normalize(normal, dim=-1, eps=torch.finfo(a.dtype).tiny)
    foot = x - ((x - a) * normal).sum(-1, keepdim=True) * normal
    inside = ~flat
    for start, end in ((a, b), (b, c), (c, a)):
        across = torch.linalg.cross((end - start).expand_as(foot), foot - start)
        inside = inside & ((across * normal).sum(-1) >= 0)
    return torch.where(inside[..., None], foot, a)


def _winding(corners: Tensor, x: Tensor) -> tuple[Tensor]:
    """Sum of the solid angles over 4 pi, by van Oosterom and Strackee, 1983."""
    a, b, c = (corners[:, i] - x for i in range(3))
    la, lb, lc = (side.norm(dim=-1) for side in (a, b, c))
    volume = (a * torch.linalg.cross(b, c)).sum(-1)
    ab, bc, ca = (a * b).sum(-1), (b * c).sum(-1), (c * a).sum(-1)
    half = torch.atan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb)
    return (half.sum(1) / (2 * math.pi),)
