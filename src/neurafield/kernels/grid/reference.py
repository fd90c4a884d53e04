"""The truth: plain torch, any device and precision, differentiable to any order.

Notation: a level has `cells` cells along an axis, so `cells + 1` vertices; a coordinate x in
[-1, 1] is at position (x + 1) / 2 * cells, in cell floor(position), at t in [0, 1] inside the cell.
A corner of a cell is one of its 2^dim vertices.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .levels import PRIMES, Level, Levels

INTERPOLATIONS = ("linear", "smoothstep")


def grid_interpolate(
    x: Tensor,
    table: Tensor,
    levels: Levels,
    interpolation: str,
    keys: Tensor | None = None,
    added: bool = False,
) -> Tensor:
    """See the public function."""
    nan = x.isnan()
    inside = torch.where(nan, 0, x).clamp(-1, 1)
    # In float32 a position at 512 cells would be off by 3e-5 of a cell. (MPS has no float64.)
    wide = torch.float32 if x.device.type == "mps" else torch.float64
    coords = inside.to(wide).unbind(-1)
    rows = table[: levels.num_rows].split([level.size for level in levels.levels])
    features = [
        _interpolate_level(coords, own, level, interpolation, x.dtype, level_keys(keys, levels, at))
        for at, (own, level) in enumerate(zip(rows, levels.levels, strict=True))
    ]
    y = torch.stack(features).sum(0) if added else torch.cat(features, dim=-1)
    return torch.where(nan.any(-1, keepdim=True), torch.nan, y)


def _interpolate_level(
    coords: Sequence[Tensor],
    rows: Tensor,
    level: Level,
    interpolation: str,
    dtype: torch.dtype,
    keys: Tensor | None,
) -> Tensor:
    low_cells, high_weights = [], []
    for coord, cells in zip(coords, level.cells, strict=True):
        position = (coord + 1) * (cells / 2)
        cell = position.detach().floor().clamp(max=cells - 1)
        t = (position - cell).to(dtype)
        if interpolation == "smoothstep":
            t = t * t * (3 - 2 * t)
        low_cells.append(cell.long())
        high_weights.append(t)
    found = read_rows(rows, corner_rows(low_cells, level), keys)
    return (corner_weights(high_weights).unsqueeze(-1) * found).sum(0)


def level_keys(keys: Tensor | None, levels: Levels, at: int) -> Tensor | None:
    """Row-major numbers of the stored vertices of an indexed level; None for other levels."""
    level = levels.levels[at]
    if level.kind != "indexed":
        return None
    assert keys is not None
    return keys[level.offset : level.offset + level.size] - levels.first_keys[at]


def read_rows(rows: Tensor, index: Tensor, stored: Tensor | None) -> Tensor:
    """Rows of a level at the result of `corner_rows`; zeros for vertices that are not stored."""
    flat = index.reshape(-1)
    if stored is None:
        return rows.index_select(0, flat).reshape(*index.shape, rows.shape[-1])
    # The zeros add the axis of keys that vmap stacked; torch would warn of a copy.
    flat = flat + torch.zeros_like(stored[:1])
    row = torch.searchsorted(stored, flat).clamp(max=len(stored) - 1)
    absent = stored.index_select(0, row) != flat
    found = torch.where(absent[:, None], 0, rows.index_select(0, row))
    return found.reshape(*index.shape, rows.shape[-1])


def corner_rows(low_cells: Sequence[Tensor], level: Level) -> Tensor:
    """Rows, within the level, of the corners of cells; corners on a new first axis.

    For indexed levels these are the numbers of the vertices, which `read_rows` looks up.
    """
    hashed = level.kind == "hashed"
    index: Tensor | None = None
    for axis, low in enumerate(low_cells):
        vertex = torch.stack([low, low + 1])
        if hashed:
            # The product overflows at 64 bits, which does not change the lowest 32.
            vertex = vertex * PRIMES[len(low_cells) - 1 - axis]
            index = vertex if index is None else (index.unsqueeze(1) ^ vertex).flatten(0, 1)
        else:
            if level.kind == "tiled":
                vertex = vertex % level.tile[axis]
            index = (
                vertex
                if index is None
                else (index.unsqueeze(1) * level.tile[axis] + vertex).flatten(0, 1)
            )
    assert index is not None
    return index & (level.size - 1) if hashed else index


def corner_weights(high_weights: Sequence[Tensor], totals: Sequence[int] | None = None) -> Tensor:
    """Products of the weights of all axes; corners on a new first axis.

    The two weights of an axis add up to 1, or to the axis's entry in `totals`: 0 for derivatives.
    """
    weights: Tensor | None = None
    for high, total in zip(high_weights, totals or [1] * len(high_weights), strict=True):
        sides = torch.stack([total - high, high])
        weights = sides if weights is None else (weights.unsqueeze(1) * sides).flatten(0, 1)
    assert weights is not None
    return weights
