"""Architectures of features on unstructured grids: octrees, points and triangle meshes."""

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
from ..geometry import Extent
from ..signals import AbstractGridSignal
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
        octree: Cells whose vertices have features.
        features: Channels at each vertex.
        width: Units in each hidden layer.
    """

    octree: Octree
    features: int
    width: int


def _nglod(extent: Extent, size: SparseSize, generator: torch.Generator | None) -> Field:
    encoding = SparseGrid.from_octree(size.octree, features=size.features, generator=generator)
    return Field(small_network(size.features, extent, size.width, generator), encoding=encoding)


def _sparse_size(
    extent: Extent, num_parameters: int | None, signal: AbstractGridSignal[Any] | None
) -> SparseSize:
    """Refine cells where the signal has detail, until the parameters are used up."""
    wanted = num_parameters or default_parameters(extent)
    longest = max(extent.shape)
    base = [max(1, round(_COARSEST * count / longest)) for count in extent.shape]
    # Down to a cell per sample, because smaller cells contain no samples to measure detail with.
    # All axes are halved together, so a strip of one row gets fewer levels than its length allows.
    num_levels = max(1, (longest // _COARSEST).bit_length())
    while num_levels > 1 and math.prod(base) << extent.in_dim * (num_levels - 1) > (
        extent.num_samples << extent.in_dim
    ):
        num_levels -= 1
    values = _thinned(extent, signal)
    for features in _FEATURES:
        width = next((w for w in WIDTHS if 2 * _head(extent, features, w) <= wanted), WIDTHS[-1])
        rows = (wanted - _head(extent, features, width)) // features
        if rows < math.prod(side + 1 for side in base):
            break
        octree = Octree.from_detail(
            values, base_resolution=base, num_levels=num_levels, max_vertices=rows
        )
        # A signal with few samples or little detail needs more features to use the parameters up.
        if sum(octree.num_vertices) >= _FULL * rows:
            return SparseSize(octree, features, width)
    raise ArgumentError(
        f"params: {wanted:,} are too many or too few for nglod on this signal. Choose another "
        "number, or dense."
    )


def _thinned(extent: Extent, signal: AbstractGridSignal[Any] | None) -> Float[np.ndarray, "..."]:
    """Values to measure detail with: a part of the samples of a large signal, or noise."""
    step = 1
    while extent.num_samples > _MOST_SAMPLES * step**extent.in_dim:
        step += 1
    if signal is None:
        shape = [-(-count // step) for count in extent.shape]
        return np.random.default_rng(0).random((*shape, 1), dtype=np.float32)
    every = (slice(None, None, step),) * extent.in_dim
    return signal.layout.normalise(signal.data[every]).numpy()


def _head(extent: Extent, features: int, width: int) -> int:
    with torch.device("meta"):
        network = small_network(features, extent, width, None)
    return sum(parameter.numel() for parameter in network.parameters())


def _points(extent: Extent, size: GridSize, generator: torch.Generator | None) -> PointFeatures:
    return PointFeatures(
        extent.in_dim,
        num_points=_NEIGHBOURS + size.fineness,
        features=size.features,
        num_neighbours=_NEIGHBOURS,
        generator=generator,
    )


def _mesh(extent: Extent, size: GridSize, generator: torch.Generator | None) -> MeshFeatures:
    vertices, triangles = triangulated_box(size.resolution(extent))
    return MeshFeatures.from_mesh(vertices, triangles, features=size.features, generator=generator)


UNSTRUCTURED: dict[str, Architecture] = {
    "nglod": with_tables(
        "grids of several levels, added up, with cells where the signal has detail",
        _nglod,
        _sparse_size,
        trains_levels=True,
    ),
    "points": grid(
        "features at unstructured points, the nearest eight averaged",
        _points,
        features=(4,),
        batch_size=1024,
        lr=3e-2,
    ),
    "mesh": grid(
        "features at the vertices of triangles, interpolated",
        _mesh,
        # The number of vertices is the same, and faster to count.
        counted_as=dense,
        dims=(2,),
        features=(4, 8),
        batch_size=1024,
        lr=3e-2,
    ),
}
"""Architectures with trainable features on unstructured grids."""
