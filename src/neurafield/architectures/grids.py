"""Architectures of trained features where you look, then a small ReLU network."""

import itertools
from collections.abc import Callable, Sequence

import torch

from ..encodings import (
    AbstractEncoding,
    CPFactors,
    DenseGrid,
    HashGrid,
    KPlanes,
    SplineGrid,
    TriPlane,
    VMFactors,
)
from ..field import Field
from ..networks import MLP, Linear
from ..signals import AbstractLayout
from . import hash_size
from ._base import Architecture, Build
from .grid_size import WIDTHS, GridSize, default_parameters, matching_grid
from .hash_size import FEATURES, HashSize

_DEPTH = 2

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
) -> Architecture:
    """An encoding with parameters, then a small `MLP`; or a `Linear`, to read it out as it is."""

    def build(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> Field:
        encoding = encode(layout, size, generator)
        if read_out:
            linear = Linear(encoding.out_dim, layout.channels, generator=generator)
            return Field(linear, encoding=encoding)
        network = MLP(
            encoding.out_dim,
            layout.channels,
            width=size.width,
            depth=_DEPTH,
            generator=generator,
        )
        return Field(network, encoding=encoding)

    def matching(layout: AbstractLayout, num_parameters: int) -> GridSize:
        return matching_grid(
            build,
            layout,
            num_parameters,
            features=features,
            widths=(0,) if read_out else WIDTHS,
            cells_a_sample=cells_a_sample,
        )

    return _with_tables(
        about,
        build,
        default_size=lambda layout: matching(layout, default_parameters(layout)),
        matching_size=matching,
        lr=lr,
        dims=dims,
    )


def _with_tables(
    about: str,
    build: Build,
    *,
    default_size: Callable[[AbstractLayout], object],
    matching_size: Callable[[AbstractLayout, int], object],
    lr: float,
    dims: tuple[int, ...] = (1, 2, 3),
) -> Architecture:
    return Architecture(
        about=about,
        build=build,
        default_size=default_size,
        matching_size=matching_size,
        lr=lr,
        dims=dims,
        # Small batches learn more from as many samples; but each step passes over the tables,
        # and those are larger for large signals.
        batch_size=lambda num_samples: 8192 if num_samples < 2**21 else 16_384,
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
    network = MLP(
        encoding.out_dim,
        layout.channels,
        width=size.width,
        depth=_DEPTH,
        generator=generator,
    )
    return Field(network, encoding=encoding)


def _matching_hash(layout: AbstractLayout, num_parameters: int) -> HashSize:
    def network(size: HashSize) -> int:
        sizes = [size.num_levels * FEATURES] + [size.width] * _DEPTH + [layout.channels]
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))

    return hash_size.matching_size(layout, num_parameters, network)


def _dense(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> DenseGrid:
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


GRIDS: dict[str, Architecture] = {
    "hash": _with_tables(
        "levels of grids, the fine ones hashed into tables",
        _hash,
        default_size=hash_size.default_size,
        matching_size=_matching_hash,
        lr=1e-2,
    ),
    "grid": grid("one grid, interpolated, read out as it is", _direct, read_out=True),
    "dense": grid("one grid, interpolated", _dense),
    "spline": grid("one grid of quadratic B-splines, read out as it is", _spline, read_out=True),
    "tri-plane": grid("planes, added up", _tri_plane, dims=(2, 3), features=(16, 32, 64)),
    "k-planes": grid(
        "planes of two levels, multiplied", _k_planes, dims=(2, 3), features=(8, 16, 32)
    ),
    "cp": grid("products of a line along each axis", _cp, features=(16, 32, 64, 128, 256, 512)),
    "vm": grid("products of a line and a plane", _vm, dims=(2, 3), features=(8, 16, 32, 64)),
}
"""With features that are trained."""
