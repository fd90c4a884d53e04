"""The compiled version for CPUs. Source: `native/mesh_closest.hpp`, `native/mesh_winding.hpp`."""

from typing import Any

import torch
from torch import Tensor

from ..library import call


def unserved() -> str:
    """See `Implementation.unserved`."""
    return ""


def prepare(corners: Tensor) -> Any:
    """See `Implementation.prepare`: a tree of boxes over the triangles."""
    return call("MeshTree", corners)


def closest_points(tree: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """See `Implementation.closest_points`."""
    points, numbers = torch.empty_like(x), torch.empty(len(x), dtype=torch.int64)
    call("mesh_closest", tree, x, points, numbers, torch.get_num_threads())
    return points, numbers


def winding_numbers(tree: Any, x: Tensor, accuracy: float) -> Tensor:
    """See `Implementation.winding_numbers`."""
    turns = x.new_empty(len(x))
    call("mesh_winding", tree, x, accuracy, turns, torch.get_num_threads())
    return turns
