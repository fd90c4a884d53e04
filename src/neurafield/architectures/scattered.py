"""Architectures of features at places that need not make a regular grid."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ..encodings import (
    MeshFeatures,
    Octree,
    PointFeatures,
    SparseGrid,
    triangulated_box,
)
from ..errors import ArgumentError
from ..fields.field import Field
from ..signals import AbstractGridSignal, AbstractLayout
from ._base import Architecture
from .grid_size import WIDTHS, GridSize, default_parameters
from .grids import dense, grid, small_network, with_tables

_COARSEST = 4
_MOST_SAMPLES = 2**20
_FEATURES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
_FULL = 0.96
_NEIGHBOURS = 8


@dataclass(frozen=True)
class SparseSize:
    """Sizes of a sparse grid and of the network on top.

    Args:
        octree: Where vertices are.
        features: Channels at each.
        width: Units in each hidden layer.
    """

    octree: Octree
    features: int
    width: int


def _nglod(layout: AbstractLayout, size: SparseSize, generator: torch.Generator | None) -> Field:
    encoding = SparseGrid.from_octree(size.octree, features=size.features, generator=generator)
    return Field(small_network(size.features, layout, size.width, generator), encoding=encoding)


def _sparse_size(
    layout: AbstractLayout, num_parameters: int | None, signal: AbstractGridSignal[Any] | None
) -> SparseSize:
    """Fine cells where the signal has detail, until the parameters are used up."""
    wanted = num_parameters or default_parameters(layout)
    longest = max(layout.shape)
    base = [max(1, round(_COARSEST * count / longest)) for count in layout.shape]
    # Down to a cell a sample: in a smaller one there is nothing to tell detail by. All axes are
    # halved together, so a strip of one row gets fewer levels than its length alone would allow.
    num_levels = max(1, (longest // _COARSEST).bit_length())
    while num_levels > 1 and math.prod(base) << layout.in_dim * (num_levels - 1) > (
        layout.grid.num_samples << layout.in_dim
    ):
        num_levels -= 1
    values = _thinned(layout, signal)
    for features in _FEATURES:
        width = next((w for w in WIDTHS if 2 * _head(layout, features, w) <= wanted), WIDTHS[-1])
        rows = (wanted - _head(layout, features, width)) // features
        if rows < math.prod(side + 1 for side in base):
            break
        octree = Octree.from_detail(
            values, base_resolution=base, num_levels=num_levels, max_vertices=rows
        )
        # A signal of few samples, or of little detail, needs more features to use them up.
        if sum(octree.num_vertices) >= _FULL * rows:
            return SparseSize(octree, features, width)
    raise ArgumentError(
        f"params: {wanted:,} are too many or too few for nglod on this signal. Choose another "
        "number, or dense."
    )


def _thinned(
    layout: AbstractLayout, signal: AbstractGridSignal[Any] | None
) -> Float[np.ndarray, "..."]:
    """Values to tell detail by, every other sample of a large signal; noise for an unknown one."""
    step = 1
    while layout.grid.num_samples > _MOST_SAMPLES * step**layout.in_dim:
        step += 1
    if signal is None:
        shape = [-(-count // step) for count in layout.shape]
        return np.random.default_rng(0).random((*shape, 1), dtype=np.float32)
    every = (slice(None, None, step),) * layout.in_dim
    return layout.normalise(signal.data[every]).numpy()


def _head(layout: AbstractLayout, features: int, width: int) -> int:
    with torch.device("meta"):
        network = small_network(features, layout, width, None)
    return sum(parameter.numel() for parameter in network.parameters())


def _points(
    layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
) -> PointFeatures:
    return PointFeatures(
        layout.in_dim,
        num_points=_NEIGHBOURS + size.fineness,
        features=size.features,
        num_neighbours=_NEIGHBOURS,
        generator=generator,
    )


def _mesh(
    layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
) -> MeshFeatures:
    vertices, triangles = triangulated_box(size.resolution(layout))
    return MeshFeatures.from_mesh(vertices, triangles, features=size.features, generator=generator)


SCATTERED: dict[str, Architecture] = {
    "nglod": with_tables(
        "grids of several levels, added up, with cells where the signal has detail",
        _nglod,
        _sparse_size,
        trains_levels=True,
    ),
    "points": grid(
        "features at scattered points, the nearest eight averaged",
        _points,
        features=(4,),
        batch_size=1024,
        lr=3e-2,
    ),
    "mesh": grid(
        "features at the vertices of triangles, interpolated",
        _mesh,
        # As many vertices, which are quicker to count.
        counted_as=dense,
        dims=(2,),
        features=(4, 8),
        batch_size=1024,
        lr=3e-2,
    ),
}
"""With features at places of their own."""
