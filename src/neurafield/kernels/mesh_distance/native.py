"""The compiled version for CPUs. Source: `native/mesh_closest.hpp`, `native/mesh_winding.hpp`."""

from typing import Any

import torch
from torch import Tensor

from ..dispatch import call


def make_tree(corners: Tensor) -> Any:
    """What the functions below search in."""
    return call("MeshTree", corners)


def closest_points(tree: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """See the dispatching function."""
    points, numbers = torch.empty_like(x), torch.empty(len(x), dtype=torch.int64)
    call("mesh_closest", tree, x, points, numbers, torch.get_num_threads())
    return points, numbers


def winding_numbers(tree: Any, x: Tensor, accuracy: float) -> Tensor:
    """See the dispatching function."""
    turns = x.new_empty(len(x))
    call("mesh_winding", tree, x, accuracy, turns, torch.get_num_threads())
    return turns
