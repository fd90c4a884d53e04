"""Exact search for the simplices (points to tetrahedra) nearest to queries.

Notation: a simplex has `m + 1` corners in `d` coordinates; a point is one with m = 0.

The list of simplices is cut into blocks; `spatial_order` makes neighbours in the list neighbours in
space. A block is skipped if its box is farther away than the simplices found so far. This control
flow depends on the data, so the search is a custom operator, opaque to compilers.

Closest points need float64: a flat simplex of height h costs a factor of 1/h^2 in precision.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

_BLOCK = 32
_QUERIES = 4096
_LOOKED_AT = 2**17
_BOUNDS = 2**22
_BLOCKS = 64
"""Sizes of chunks (queries, simplices, boxes, blocks per query); they bound the memory."""


def nearest(
    x: Float[Tensor, "*batch d"],
    vertices: Float[Tensor, "v d"],
    simplices: Int64[Tensor, "n corners"],
    count: int,
) -> Int64[Tensor, "*batch count"]:
    """Indices of the `count` simplices nearest to each query, nearest first; without a gradient.

    Exact up to rounding. In the worst case, many simplices at equal distance, all are visited;
    memory stays bounded. Works under torch.func, torch.compile and torch.export.
    """
    found: Tensor = torch.ops.neurafield.nearest(x.detach(), vertices.detach(), simplices, count)
    return found


def closest(
    x: Float[Tensor, "*batch d"], corners: Float[Tensor, "*batch corners d"]
) -> tuple[Float[Tensor, "*batch corners"], Bool[Tensor, "*batch corners"]]:
    """Closest point of a simplex: barycentric weights, and the corners of the face that holds it.

    Faces include their border, and the simplex itself. A simplex flatter than 1e-5 of its edges
    counts as its faces only. Inputs should be float64.
    """
    origin, edges = corners[..., 0, :], corners[..., 1:, :] - corners[..., :1, :]
    away, size = x - origin, corners.shape[-2] - 1
    if size == 0:
        weights = torch.ones_like(away[..., :1])
        return weights, weights > 0
    tail, regular = _coordinates(away, edges)
    weights = torch.cat([1 - tail.sum(-1, keepdim=True), tail], dim=-1)
    inside = ((weights >= 0).all(-1) & regular)[..., None]
    if size == 1:
        ends = torch.stack([weights[..., 0] >= weights[..., 1], weights[..., 0] < weights[..., 1]])
        end = ends.movedim(0, -1)
        return torch.where(inside, weights, end.to(weights)), inside | end
    active = torch.ones_like(weights, dtype=torch.bool)
    nearest_facet = torch.full_like(weights[..., :1], torch.inf)
    for left_out in range(size + 1):
        kept = [corner for corner in range(size + 1) if corner != left_out]
        own, own_active = closest(x, corners[..., kept, :])
        gap = x - (own[..., None] * corners[..., kept, :]).sum(-2)
        distance = gap.square().sum(-1, keepdim=True)
        better = ~inside & (distance < nearest_facet)
        nearest_facet = torch.where(better, distance, nearest_facet)
        weights = torch.where(better, _with_zero(own, left_out), weights)
        active = torch.where(better, _with_zero(own_active, left_out), active)
    return weights, active


def slopes(
    corners: Float[Tensor, "*batch corners d"], active: Bool[Tensor, "*batch corners"]
) -> tuple[Float[Tensor, "*batch corners d"], Int64[Tensor, "*batch 1"]]:
    r"""Derivatives of the closest point's weights by the query, constant within a face.

    Returns:
        Derivatives $S$ of the weights, and a corner $b$ of the face: with it the weights are
        $e_b + S (x - v_b)$.
    """
    base = active.long().argmax(-1, keepdim=True)
    origin = corners.gather(-2, base[..., None].expand(*base.shape, corners.shape[-1]))
    edges = torch.where(active[..., None], corners - origin, 0)
    indices = torch.arange(corners.shape[-2], device=corners.device)
    idle = (~active | (indices == base)).to(corners)
    tail = torch.linalg.solve(edges @ edges.mT + torch.diag_embed(idle), edges)
    return torch.where((indices == base)[..., None], -tail.sum(-2, keepdim=True), tail), base


def spatial_order(points: Float[Tensor, "n d"]) -> Int64[Tensor, " n"]:
    """Morton order: neighbours in the list are neighbours in space."""
    low, high = points.amin(0), points.amax(0)
    cell = ((points - low) / (high - low).clamp(min=1e-30) * 1023).long()
    key = torch.zeros_like(cell[:, 0])
    for bit in range(9, -1, -1):
        for axis in range(points.shape[1]):
            key = 2 * key + (cell[:, axis] >> bit & 1)
    return key.argsort(stable=True)


def _coordinates(
    away: Float[Tensor, "*batch d"], edges: Float[Tensor, "*batch m d"]
) -> tuple[Float[Tensor, "*batch m"], Bool[Tensor, "*batch"]]:
    """Coordinates of the projection along the edges, and True where the edges are independent."""
    along = (edges * away[..., None, :]).sum(-1)
    gram = [[(a * b).sum(-1) for b in edges.unbind(-2)] for a in edges.unbind(-2)]
    scale = torch.stack([gram[i][i] for i in range(len(gram))]).prod(0)
    if len(gram) == 1:
        determinant = gram[0][0]
        found = [along[..., 0]]
    elif len(gram) == 2:
        determinant = gram[0][0] * gram[1][1] - gram[0][1] ** 2
        found = [
            gram[1][1] * along[..., 0] - gram[0][1] * along[..., 1],
            gram[0][0] * along[..., 1] - gram[0][1] * along[..., 0],
        ]
    else:
        # Three edges in three dimensions: Cramer's rule on the edges themselves.
        a, b, c = edges.unbind(-2)
        normals = [torch.linalg.cross(*pair) for pair in ((b, c), (c, a), (a, b))]
        volume = (a * normals[0]).sum(-1)
        determinant = volume**2
        found = [(away * normal).sum(-1) * volume for normal in normals]
    regular = determinant > 1e-10 * scale
    safe = torch.where(regular, determinant, 1)
    return torch.stack(found, dim=-1) / safe[..., None], regular


def _with_zero(values: Tensor, position: int) -> Tensor:
    zero = torch.zeros_like(values[..., :1])
    return torch.cat([values[..., :position], zero, values[..., position:]], dim=-1)


def _search(x: Tensor, vertices: Tensor, simplices: Tensor, count: int) -> Tensor:
    dtype = torch.promote_types(torch.promote_types(x.dtype, vertices.dtype), torch.float32)
    index = _Index(vertices.to(dtype)[simplices])
    parts = x.to(dtype).reshape(-1, x.shape[-1]).split(index.queries)
    found = [index.search(part, count) for part in parts]
    return torch.cat(found).reshape(*x.shape[:-1], count)


class _Index:
    """Bounding boxes of simplices and of blocks of simplices."""

    def __init__(self, corners: Float[Tensor, "n corners d"]) -> None:
        self.corners = corners
        self.centres = corners.mean(1)
        self.low, self.high = corners.amin(1), corners.amax(1)
        # Many simplices get larger blocks; otherwise most time would be spent on the boxes.
        size = max(_BLOCK, isqrt(len(corners)) // 4)
        num_blocks = -(-len(corners) // size)
        rows = torch.arange(num_blocks * size, device=corners.device).view(num_blocks, size)
        self.real = rows < len(corners)
        self.rows = rows.clamp(max=len(corners) - 1)
        self.block_low = self.low[self.rows].amin(1)
        self.block_high = self.high[self.rows].amax(1)
        self.queries = min(_QUERIES, max(1, _BOUNDS // num_blocks))

    def search(self, x: Float[Tensor, "q d"], count: int) -> Int64[Tensor, "q count"]:
        """Nearest simplices, searched a few blocks at a time until no nearer one is possible."""
        bound = _to_boxes(x, self.block_low.unbind(-1), self.block_high.unbind(-1))
        best = torch.full((len(x), count), torch.inf, dtype=x.dtype, device=x.device)
        items = torch.zeros(len(x), count, dtype=torch.int64, device=x.device)
        left, num_blocks = torch.arange(len(x), device=x.device), 1
        while len(left):
            at_once = max(1, _LOOKED_AT // (num_blocks * self.rows.shape[1]))
            for part in left.split(at_once):
                least, chosen = bound[part].topk(num_blocks, largest=False)
                candidates = self.rows[chosen].flatten(1)
                # Neither padding after the last simplex, nor in a block that was searched before.
                new = (self.real[chosen] & least.isfinite()[..., None]).flatten(1)
                distances = self._distances(x[part], candidates, new, best[part, -1:])
                distances = torch.cat([best[part], distances], dim=1)
                candidates = torch.cat([items[part], candidates], dim=1)
                best[part], position = distances.topk(count, largest=False)
                items[part] = candidates.gather(1, position)
                bound[part[:, None], chosen] = torch.inf
            left = left[bound[left].amin(1) < best[left, -1]]
            # Larger steps for the few queries with many blocks in reach.
            num_blocks = min(2 * num_blocks, _BLOCKS, len(self.rows))
        return items

    def _distances(self, x: Tensor, candidates: Tensor, new: Tensor, limit: Tensor) -> Tensor:
        """Squared distances to simplices; infinite above `limit`, where they are not needed."""
        low, high = ([side[candidates] for side in box.unbind(-1)] for box in (self.low, self.high))
        lower = torch.where(new, _to_boxes(x, low, high), torch.inf)
        if self.corners.shape[1] == 1:
            return lower
        found = torch.full_like(lower, torch.inf)
        # The most likely simplex first: it rules out most of the others.
        middles = [side[candidates] for side in self.centres.unbind(-1)]
        likely = (lower + 0.01 * _to_boxes(x, middles, middles)).argmin(1, keepdim=True)
        first = self._exact(x, candidates.gather(1, likely)[:, 0])[:, None]
        found.scatter_(1, likely, torch.where(new.gather(1, likely), first, torch.inf))
        limit = limit.minimum(found.gather(1, likely))
        lower.scatter_(1, likely, torch.inf)
        query, position = (lower < limit).nonzero().unbind(1)
        found[query, position] = self._exact(x[query], candidates[query, position])
        return found

    def _exact(self, x: Float[Tensor, "q d"], items: Int64[Tensor, " q"]) -> Float[Tensor, " q"]:
        at, corners = x.double(), self.corners[items].double()
        weights, _ = closest(at, corners)
        return (at - (weights[..., None] * corners).sum(-2)).square().sum(-1).to(x)


def _to_boxes(x: Tensor, low: Sequence[Tensor], high: Sequence[Tensor]) -> Float[Tensor, "q n"]:
    """Squared distances to boxes, 0 inside; `low` and `high` have one entry per axis."""
    total: Tensor | None = None
    for own, first, last in zip(x.unbind(-1), low, high, strict=True):
        away = torch.maximum(first - own[:, None], own[:, None] - last).clamp_(min=0).square_()
        total = away if total is None else total.add_(away)
    assert total is not None
    return total


def _search_shape(x: Tensor, vertices: Tensor, simplices: Tensor, count: int) -> Tensor:
    return x.new_empty((*x.shape[:-1], count), dtype=torch.int64)


def _search_stacked(info: Any, axes: tuple[Any, ...], *inputs: Any) -> tuple[Tensor, int]:
    """Search under vmap: one search for all queries, unless each has its own simplices."""
    x, vertices, simplices, count = inputs
    if axes[0] is not None:
        x = x.movedim(axes[0], 0)
    if axes[1] is None and axes[2] is None:
        return torch.ops.neurafield.nearest(x, vertices, simplices, count), 0
    own_axes = (None if axes[0] is None else 0, *axes[1:3])

    def one(position: int) -> Tensor:
        own = (
            value if axis is None else value.select(axis, position)
            for value, axis in zip((x, vertices, simplices), own_axes, strict=True)
        )
        found: Tensor = torch.ops.neurafield.nearest(*own, count)
        return found

    return torch.stack([one(position) for position in range(info.batch_size)]), 0


_library = torch.library.Library("neurafield", "FRAGMENT")
_library.define("nearest(Tensor x, Tensor vertices, Tensor simplices, int count) -> Tensor")
_library.impl("nearest", _search, "CompositeExplicitAutograd")
torch.library.register_fake("neurafield::nearest", _search_shape, lib=_library)
torch.library.register_vmap("neurafield::nearest", _search_stacked, lib=_library)
