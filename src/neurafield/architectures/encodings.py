"""Architectures of an encoding without parameters, then a ReLU network, whose size is its width."""

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
from ..networks import MLP
from ..signals import AbstractLayout
from ._base import Architecture
from .networks import DEPTH, of_width

_NUM_FREQUENCIES = 128
_A_COORDINATE = 64
"""Features of each coordinate."""

Encode = Callable[[AbstractLayout, torch.Generator | None], AbstractEncoding]
"""From a layout and a generator to an encoding."""


def encoded(about: str, encode: Encode, *, lr: float = 1e-3) -> Architecture:
    """An encoding, then an `MLP`."""

    def build(layout: AbstractLayout, width: int, generator: torch.Generator | None) -> Field:
        encoding = encode(layout, generator)
        network = MLP(
            encoding.out_dim, layout.channels, width=width, depth=DEPTH, generator=generator
        )
        return Field(network, encoding=encoding)

    return of_width(about, build, lr=lr)


def _fourier(layout: AbstractLayout, generator: torch.Generator | None) -> RandomFourier:
    # The paper's best for pictures of 512 pixels is 10 cycles across a unit of [0, 1], so 5 in
    # our coordinates.
    sigma = max(1.0, max(layout.shape) / 100)
    return RandomFourier(layout.in_dim, _NUM_FREQUENCIES, sigma=sigma, generator=generator)


def _positional(layout: AbstractLayout, _: torch.Generator | None) -> Positional:
    return Positional(layout.in_dim, _octaves(layout))


def _octaves(layout: AbstractLayout) -> int:
    # The highest octave is half of what the samples can carry, n / 4 cycles per unit.
    octaves = max(1, int(math.log2(max(2, *layout.shape))) - 1)
    return min(octaves, 20)


def _log_positional(layout: AbstractLayout, _: torch.Generator | None) -> LogPositional:
    # As high as `positional`: in cycles across the box, half of what the samples can carry.
    return LogPositional(layout.in_dim, _A_COORDINATE // 2, sigma=max(2.0, max(layout.shape) / 4))


def _one_blob(layout: AbstractLayout, _: torch.Generator | None) -> OneBlob:
    return OneBlob(layout.in_dim, _A_COORDINATE)


def _gaussian(layout: AbstractLayout, _: torch.Generator | None) -> GaussianEmbedding:
    return GaussianEmbedding(layout.in_dim, _A_COORDINATE, sigma=2 / _A_COORDINATE)


def _super_gaussian(layout: AbstractLayout, _: torch.Generator | None) -> SuperGaussianEmbedding:
    return SuperGaussianEmbedding(layout.in_dim, _A_COORDINATE, sigma=4 / _A_COORDINATE)


def _triangle(layout: AbstractLayout, _: torch.Generator | None) -> TriangleWave:
    return TriangleWave(layout.in_dim, _octaves(layout) + 1)


ENCODINGS: dict[str, Architecture] = {
    "fourier": encoded("random sinusoids of one bandwidth", _fourier),
    "positional": encoded("sines and cosines along the axes, in octaves", _positional),
    "positional-log": encoded(
        "sines and cosines along the axes, up to a band", _log_positional, lr=3e-3
    ),
    "one-blob": encoded("how much of a Gaussian falls into each of 64 bins", _one_blob, lr=3e-3),
    "gaussian-embedding": encoded("64 Gaussians along each axis", _gaussian, lr=3e-3),
    "super-gaussian-embedding": encoded(
        "64 powers of Gaussians along each axis", _super_gaussian, lr=3e-3
    ),
    "triangle": encoded("triangle waves along the axes, in octaves", _triangle, lr=3e-3),
}
"""An encoding, then a ReLU network."""
