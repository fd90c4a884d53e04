"""Architectures of trainable features on regular grids and a small ReLU network."""

import itertools
from collections.abc import Callable, Sequence

import torch

from ..encodings import (
    AbstractEncoding,
    CodebookGrid,
    CPFactors,
    DenseGrid,
    HashGrid,
    KPlanes,
    SplineGrid,
    TriPlane,
    VMFactors,
)
from ..fields.field import Field
from ..geometry import Extent
from ..networks import MLP, Linear
from . import hash_size
from ._base import Architecture, Build, Size
from .grid_size import WIDTHS, GridSize, default_parameters, matching_grid
from .hash_size import FEATURES, HashSize

_DEPTH = 2
_CODEBOOK_BITS = 3

Encode = Callable[[Extent, GridSize, torch.Generator | None], AbstractEncoding]
"""Function from an extent, a size and a generator to an encoding with parameters."""


def grid(
    about: str,
    encode: Encode,
    *,
    lr: float = 1e-2,
    dims: tuple[int, ...] = (1, 2, 3),
    features: Sequence[int] = (2, 4, 8),
    cells_a_sample: float = 1.0,
    read_out: bool = False,
    counted_as: Encode | None = None,
    batch_size: int | None = None,
) -> Architecture:
    """An encoding with parameters, then a small network or an affine layer.

    Args:
        about: Description in a few words.
        encode: Function that builds the encoding.
        lr: Learning rate.
        dims: Numbers of coordinates that the architecture supports.
        features: Channels to choose from; see `matching_grid`.
        cells_a_sample: Largest number of cells per sample, along an axis.
        read_out: True if an affine layer follows instead of hidden layers.
        counted_as: Function that builds another encoding with as many parameters in less time,
            for the search for a size.
        batch_size: Samples per step, for encodings that are slow to evaluate.
    """

    def with_encoding(encode: Encode) -> Build:
        def build(extent: Extent, size: GridSize, generator: torch.Generator | None) -> Field:
            encoding = encode(extent, size, generator)
            if read_out:
                linear = Linear(encoding.out_dim, extent.out_dim, generator=generator)
                return Field(linear, encoding=encoding)
            network = small_network(encoding.out_dim, extent, size.width, generator)
            return Field(network, encoding=encoding)

        return build

    def size(extent: Extent, num_parameters: int | None, _: object) -> GridSize:
        return matching_grid(
            with_encoding(counted_as or encode),
            extent,
            num_parameters or default_parameters(extent),
            features=features,
            widths=(0,) if read_out else WIDTHS,
            cells_a_sample=cells_a_sample,
        )

    return with_tables(about, with_encoding(encode), size, lr=lr, dims=dims, batch_size=batch_size)


def small_network(
    in_dim: int, extent: Extent, width: int, generator: torch.Generator | None
) -> MLP:
    """The network from features to values."""
    return MLP(in_dim, extent.out_dim, width=width, depth=_DEPTH, generator=generator)


def with_tables(
    about: str,
    build: Build,
    size: Size,
    *,
    lr: float = 1e-2,
    dims: tuple[int, ...] = (1, 2, 3),
    batch_size: int | None = None,
    trains_levels: bool = False,
) -> Architecture:
    """An architecture with tables that a batch reads in part."""
    return Architecture(
        about=about,
        build=build,
        size=size,
        lr=lr,
        dims=dims,
        trains_levels=trains_levels,
        # Small batches learn more per sample, but each step passes over whole tables, which are
        # larger for large signals.
        batch_size=lambda num_samples: batch_size or (8192 if num_samples < 2**21 else 16_384),
        micro_batch=2**16,
        steps=lambda num_samples: 1000 if num_samples < 2**21 else 2000,
    )


def _hash(extent: Extent, size: HashSize, generator: torch.Generator | None) -> Field:
    encoding = HashGrid(
        extent.in_dim,
        num_levels=size.num_levels,
        features=FEATURES,
        log2_table_size=size.log2_table_size,
        base_resolution=list(size.base_resolution),
        finest_resolution=list(size.finest_resolution),
        generator=generator,
    )
    return Field(small_network(encoding.out_dim, extent, size.width, generator), encoding=encoding)


def _hash_size(extent: Extent, num_parameters: int | None, _: object) -> HashSize:
    def network(size: HashSize) -> int:
        sizes = [size.num_levels * FEATURES] + [size.width] * _DEPTH + [extent.out_dim]
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))

    if num_parameters is None:
        return hash_size.default_size(extent)
    return hash_size.matching_size(extent, num_parameters, network)


def dense(extent: Extent, size: GridSize, generator: torch.Generator | None) -> DenseGrid:
    return DenseGrid(
        extent.in_dim,
        resolution=size.resolution(extent),
        features=size.features,
        generator=generator,
    )


def _direct(extent: Extent, size: GridSize, generator: torch.Generator | None) -> DenseGrid:
    # One feature per channel, or the next number for which there is a kernel.
    channels = next((n for n in (1, 2, 4) if n >= extent.out_dim), 8)
    return DenseGrid(
        extent.in_dim, resolution=size.resolution(extent), features=channels, generator=generator
    )


def _spline(extent: Extent, size: GridSize, generator: torch.Generator | None) -> SplineGrid:
    return SplineGrid(
        extent.in_dim,
        resolution=size.resolution(extent),
        features=extent.out_dim,
        generator=generator,
    )


def _tri_plane(extent: Extent, size: GridSize, generator: torch.Generator | None) -> TriPlane:
    return TriPlane(
        extent.in_dim,
        resolution=size.resolution(extent),
        features=size.features,
        generator=generator,
    )


def _k_planes(extent: Extent, size: GridSize, generator: torch.Generator | None) -> KPlanes:
    return KPlanes(
        extent.in_dim,
        resolution=size.resolution(extent),
        num_levels=2,
        features=size.features,
        time_axis=0 if extent.kind == "video" else None,
        generator=generator,
    )


def _cp(extent: Extent, size: GridSize, generator: torch.Generator | None) -> CPFactors:
    return CPFactors(
        extent.in_dim,
        resolution=size.resolution(extent),
        components=size.features,
        generator=generator,
    )


def _vm(extent: Extent, size: GridSize, generator: torch.Generator | None) -> VMFactors:
    return VMFactors(
        extent.in_dim,
        resolution=size.resolution(extent),
        components=size.features,
        generator=generator,
    )


def _codebook(extent: Extent, size: GridSize, generator: torch.Generator | None) -> CodebookGrid:
    finest = size.resolution(extent)
    return CodebookGrid(
        extent.in_dim,
        bits=_CODEBOOK_BITS,
        num_levels=2,
        features=size.features,
        base_resolution=[max(1, cells // 2) for cells in finest],
        finest_resolution=finest,
        generator=generator,
    )


GRIDS: dict[str, Architecture] = {
    "hash": with_tables("levels of grids, the fine ones hashed into tables", _hash, _hash_size),
    "grid": grid("one grid, interpolated, without hidden layers", _direct, read_out=True),
    "dense": grid("one grid, interpolated", dense, lr=3e-2),
    "spline": grid(
        "one grid of quadratic B-splines, without hidden layers", _spline, read_out=True, lr=3e-2
    ),
    "codebook": grid(
        "grids of two levels, whose vertices choose from eight rows",
        _codebook,
        features=(4, 8),
        lr=3e-2,
    ),
    "tri-plane": grid("planes, added up", _tri_plane, dims=(2, 3), features=(16, 32, 64), lr=3e-2),
    "k-planes": grid(
        "planes of two levels, multiplied", _k_planes, dims=(2, 3), features=(8, 16, 32), lr=3e-2
    ),
    "cp": grid(
        "products of a line along each axis", _cp, features=(16, 32, 64, 128, 256, 512), lr=3e-2
    ),
    "vm": grid(
        "products of a line and a plane", _vm, dims=(2, 3), features=(8, 16, 32, 64), lr=3e-2
    ),
}
"""Architectures with trainable features on regular grids."""
