"""Architectures of an encoding without parameters and a ReLU network; the size is its width."""

import math
from collections.abc import Callable

import torch

from ..encodings import (
    AbstractEncoding,
    GaussianEmbedding,
    LogPositional,
    OneBlob,
    Positional,
    RandomFourier,
    SuperGaussianEmbedding,
    TriangleWave,
)
from ..fields.field import Field
from ..geometry import Extent
from ..networks import MLP
from ._base import Architecture
from .networks import DEPTH, of_width

_NUM_FREQUENCIES = 128
_A_COORDINATE = 64
"""Features per coordinate."""

Encode = Callable[[Extent, torch.Generator | None], AbstractEncoding]
"""Function from an extent and a generator to an encoding."""


def encoded(about: str, encode: Encode, *, lr: float = 1e-3) -> Architecture:
    """An encoding, then an `MLP`."""

    def build(extent: Extent, width: int, generator: torch.Generator | None) -> Field:
        encoding = encode(extent, generator)
        network = MLP(
            encoding.out_dim, extent.out_dim, width=width, depth=DEPTH, generator=generator
        )
        return Field(network, encoding=encoding)

    return of_width(about, build, lr=lr)


def _fourier(extent: Extent, generator: torch.Generator | None) -> RandomFourier:
    # The paper's best bandwidth for pictures of 512 pixels is 10 cycles across [0, 1], so 5 cycles
    # per unit of our coordinates.
    sigma = max(1.0, max(extent.shape) / 100)
    return RandomFourier(extent.in_dim, _NUM_FREQUENCIES, sigma=sigma, generator=generator)


def _positional(extent: Extent, _: torch.Generator | None) -> Positional:
    return Positional(extent.in_dim, _octaves(extent))


def _octaves(extent: Extent) -> int:
    # The highest octave is half of what the samples can carry, n / 4 cycles per unit.
    octaves = max(1, int(math.log2(max(2, *extent.shape))) - 1)
    return min(octaves, 20)


def _log_positional(extent: Extent, _: torch.Generator | None) -> LogPositional:
    # The same highest frequency as `positional`: half of what the samples can carry, in cycles
    # across the box.
    return LogPositional(extent.in_dim, _A_COORDINATE // 2, sigma=max(2.0, max(extent.shape) / 4))


def _one_blob(extent: Extent, _: torch.Generator | None) -> OneBlob:
    return OneBlob(extent.in_dim, _A_COORDINATE)


def _gaussian(extent: Extent, _: torch.Generator | None) -> GaussianEmbedding:
    return GaussianEmbedding(extent.in_dim, _A_COORDINATE, sigma=2 / _A_COORDINATE)


def _super_gaussian(extent: Extent, _: torch.Generator | None) -> SuperGaussianEmbedding:
    return SuperGaussianEmbedding(extent.in_dim, _A_COORDINATE, sigma=4 / _A_COORDINATE)


def _triangle(extent: Extent, _: torch.Generator | None) -> TriangleWave:
    return TriangleWave(extent.in_dim, _octaves(extent) + 1)


ENCODINGS: dict[str, Architecture] = {
    "fourier": encoded("random sinusoids of one bandwidth", _fourier),
    "positional": encoded("sines and cosines along the axes, in octaves", _positional),
    "positional-log": encoded(
        "sines and cosines along the axes, up to a band", _log_positional, lr=3e-3
    ),
    "one-blob": encoded("the share of a Gaussian in each of 64 bins", _one_blob, lr=3e-3),
    "gaussian-embedding": encoded("64 Gaussians along each axis", _gaussian, lr=3e-3),
    "super-gaussian-embedding": encoded(
        "64 powers of Gaussians along each axis", _super_gaussian, lr=3e-3
    ),
    "triangle": encoded("triangle waves along the axes, in octaves", _triangle, lr=3e-3),
}
"""Architectures of an encoding without parameters and a ReLU network."""
