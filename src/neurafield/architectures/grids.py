"""Architectures of trained features where you look, then a small ReLU network."""

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
from ..networks import MLP, Linear
from ..signals import AbstractLayout
from . import hash_size
from ._base import Architecture, Build, Size
from .grid_size import WIDTHS, GridSize, default_parameters, matching_grid
from .hash_size import FEATURES, HashSize

_DEPTH = 2
_CODEBOOK_BITS = 3

Encode = Callable[[AbstractLayout, GridSize, torch.Generator | None], AbstractEncoding]
"""From a layout, a size and a generator to an encoding with parameters."""


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
    """An encoding with parameters, then a small network; or a `Linear`, to read it out as it is.

    Args:
        about: What it is.
        encode: Builds the encoding.
        lr: Learning rate.
        dims: Numbers of coordinates that it serves.
        features: Channels to choose from; see `matching_grid`.
        cells_a_sample: What is too fine, along an axis.
        read_out: Whether no hidden layer follows.
        counted_as: Builds another encoding of as many parameters, quicker; for the search.
        batch_size: Samples of a step, for what is slow to read.
    """

    def with_encoding(encode: Encode) -> Build:
        def build(
            layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
        ) -> Field:
            encoding = encode(layout, size, generator)
            if read_out:
                linear = Linear(encoding.out_dim, layout.channels, generator=generator)
                return Field(linear, encoding=encoding)
            network = small_network(encoding.out_dim, layout, size.width, generator)
            return Field(network, encoding=encoding)

        return build

    def size(layout: AbstractLayout, num_parameters: int | None, _: object) -> GridSize:
        return matching_grid(
            with_encoding(counted_as or encode),
            layout,
            num_parameters or default_parameters(layout),
            features=features,
            widths=(0,) if read_out else WIDTHS,
            cells_a_sample=cells_a_sample,
        )

    return with_tables(about, with_encoding(encode), size, lr=lr, dims=dims, batch_size=batch_size)


def small_network(
    in_dim: int, layout: AbstractLayout, width: int, generator: torch.Generator | None
) -> MLP:
    """What makes values of features."""
    return MLP(in_dim, layout.channels, width=width, depth=_DEPTH, generator=generator)


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
    """What has tables of which a batch reads a part."""
    return Architecture(
        about=about,
        build=build,
        size=size,
        lr=lr,
        dims=dims,
        trains_levels=trains_levels,
        # Small batches learn more from as many samples; but each step passes over the tables,
        # and those are larger for large signals.
        batch_size=lambda num_samples: batch_size or (8192 if num_samples < 2**21 else 16_384),
        micro_batch=2**16,
        steps=lambda num_samples: 1000 if num_samples < 2**21 else 2000,
    )


def _hash(layout: AbstractLayout, size: HashSize, generator: torch.Generator | None) -> Field:
    encoding = HashGrid(
        layout.in_dim,
        num_levels=size.num_levels,
        features=FEATURES,
        log2_table_size=size.log2_table_size,
        base_resolution=list(size.base_resolution),
        finest_resolution=list(size.finest_resolution),
        generator=generator,
    )
    return Field(small_network(encoding.out_dim, layout, size.width, generator), encoding=encoding)


def _hash_size(layout: AbstractLayout, num_parameters: int | None, _: object) -> HashSize:
    def network(size: HashSize) -> int:
        sizes = [size.num_levels * FEATURES] + [size.width] * _DEPTH + [layout.channels]
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))

    if num_parameters is None:
        return hash_size.default_size(layout)
    return hash_size.matching_size(layout, num_parameters, network)


def dense(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> DenseGrid:
    return DenseGrid(
        layout.in_dim,
        resolution=size.resolution(layout),
        features=size.features,
        generator=generator,
    )


def _direct(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> DenseGrid:
    # As many features as channels, or the next number that there is a kernel for.
    channels = next((n for n in (1, 2, 4) if n >= layout.channels), 8)
    return DenseGrid(
        layout.in_dim, resolution=size.resolution(layout), features=channels, generator=generator
    )


def _spline(
    layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
) -> SplineGrid:
    return SplineGrid(
        layout.in_dim,
        resolution=size.resolution(layout),
        features=layout.channels,
        generator=generator,
    )


def _tri_plane(
    layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
) -> TriPlane:
    return TriPlane(
        layout.in_dim,
        resolution=size.resolution(layout),
        features=size.features,
        generator=generator,
    )


def _k_planes(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> KPlanes:
    return KPlanes(
        layout.in_dim,
        resolution=size.resolution(layout),
        num_levels=2,
        features=size.features,
        time_axis=0 if layout.kind == "video" else None,
        generator=generator,
    )


def _cp(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> CPFactors:
    return CPFactors(
        layout.in_dim,
        resolution=size.resolution(layout),
        components=size.features,
        generator=generator,
    )


def _vm(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> VMFactors:
    return VMFactors(
        layout.in_dim,
        resolution=size.resolution(layout),
        components=size.features,
        generator=generator,
    )


def _codebook(
    layout: AbstractLayout, size: GridSize, generator: torch.Generator | None
) -> CodebookGrid:
    finest = size.resolution(layout)
    return CodebookGrid(
        layout.in_dim,
        bits=_CODEBOOK_BITS,
        num_levels=2,
        features=size.features,
        base_resolution=[max(1, cells // 2) for cells in finest],
        finest_resolution=finest,
        generator=generator,
    )


GRIDS: dict[str, Architecture] = {
    "hash": with_tables("levels of grids, the fine ones hashed into tables", _hash, _hash_size),
    "grid": grid("one grid, interpolated, read out as it is", _direct, read_out=True),
    "dense": grid("one grid, interpolated", dense, lr=3e-2),
    "spline": grid(
        "one grid of quadratic B-splines, read out as it is", _spline, read_out=True, lr=3e-2
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
"""With features that are trained."""
