"""The compiled version for CPUs, float32. Source: `native/grid.hpp`.

It implements `autograd.Implementation`, whose docstrings describe the functions.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..library import call, empty
from .levels import MAX_CELLS, MAX_INDEXED, Levels

FEATURES = (1, 2, 4, 8)
"""Numbers of features per row; others run on the reference."""

MAX_DIM, MAX_LEVELS = 4, 64
"""Largest numbers of coordinates and levels."""

_indices = WeakTensorKeyDictionary()
"""For each `keys` tensor: its version counter, the levels, and the index made from them."""


def unserved(features: int, levels: Levels) -> str:
    """See `autograd.Implementation.unserved`."""
    if features not in FEATURES or levels.dim > MAX_DIM or len(levels.levels) > MAX_LEVELS:
        return (
            f"the native version is for {MAX_DIM} coordinates and {MAX_LEVELS} levels at most, "
            f"with {', '.join(map(str, FEATURES))} features"
        )
    indexed = [level for level in levels.levels if level.kind == "indexed"]
    if not indexed:
        return ""
    if any(math.prod(level.tile) > MAX_INDEXED for level in indexed):
        return f"the native version is for {MAX_INDEXED} vertices of an indexed level at most"
    if any(max(level.cells) > MAX_CELLS for level in indexed):
        return f"the native version is for {MAX_CELLS} cells along an axis at most"
    return ""


def forward(
    x: Tensor,
    table: Tensor,
    keys: Tensor | None,
    levels: Levels,
    interpolation: str,
    added: bool,
) -> Tensor:
    """See `autograd.Implementation.forward`."""
    width = (1 if added else len(levels.levels)) * table.shape[1]
    y = empty(len(x) * width).view(len(x), width)
    rows = table[: levels.num_rows]
    call("grid_forward", *_grid(levels, interpolation), rows, x, y, _index(levels, keys), added)
    return y


def backward(
    x: Tensor,
    table: Tensor,
    keys: Tensor | None,
    levels: Levels,
    interpolation: str,
    added: bool,
    sparse: bool,
    grad_y: Tensor,
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """See `autograd.Implementation.backward`."""
    grid, num_rows, index = _grid(levels, interpolation), levels.num_rows, _index(levels, keys)
    grad_x = grad_table = None
    if needed[0]:
        grad_x = empty(x.numel()).view_as(x)
        call("grid_backward_coords", *grid, table[:num_rows], x, grad_y, grad_x, index, added)
    if needed[1] and sparse:
        # Sizes of all levels limit the touched rows; so do the corners of all points.
        corners = len(x) << x.shape[1]
        most = sum(min(corners, level.size) for level in levels.levels)
        rows = torch.empty(most, dtype=torch.int64)
        grad_rows = table.new_empty(most, table.shape[1])
        count = call("grid_backward_touched", *grid, x, grad_y, rows, grad_rows, index, added)
        grad_table = torch.sparse_coo_tensor(
            rows[:count].unsqueeze(0),
            grad_rows[:count],
            table.shape,
            is_coalesced=True,
            check_invariants=False,
        )
    elif needed[1]:
        grad_table = empty(table.numel()).view_as(table)
        grad_table[num_rows:] = 0
        call("grid_backward_table", *grid, x, grad_y, grad_table[:num_rows], index, added)
    return [grad_x, grad_table]


def _grid(levels: Levels, interpolation: str) -> tuple[Any, bool, int]:
    """The first arguments of every call."""
    return levels.columns, interpolation == "smoothstep", torch.get_num_threads()


def _index(levels: Levels, keys: Tensor | None) -> Any:
    """The index of the indexed levels for the library; made once for each `keys`."""
    if not levels.indexed:
        return None
    assert keys is not None
    if keys.is_inference():
        # Inference tensors have no version counter that would show a change.
        return call("GridIndex", levels.columns, levels.dim, keys.contiguous())
    version, of, index = _indices.get(keys, (-1, (), None))
    # The index of all levels serves the first of them too.
    if version != keys._version or of[: len(levels.levels)] != levels.levels:
        index = call("GridIndex", levels.columns, levels.dim, keys.contiguous())
        _indices[keys] = keys._version, levels.levels, index
    return index
