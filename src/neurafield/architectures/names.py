"""Architectures by name, with settings that follow from the signal.

A name stands for a way to build a field for a signal of a given size, and for the learning rate
that suits it. `plan` is what the command line uses; a recipe with numbers of its own builds its
field itself.
"""

import difflib
import itertools
import math
from collections.abc import Callable

import torch

from .._checks import check_count
from ..encodings import HashGrid, Positional, RandomFourier
from ..field import Field
from ..networks import MLP, Siren
from ..signals import AbstractLayout
from ._base import Architecture, Plan
from .hash_size import FEATURES, GridSize, default_size, matching_size

MAX_WIDTH = 4096
_DEPTH = 4
_NUM_FREQUENCIES = 128
_HASH_DEPTH = 2


def plan(
    layout: AbstractLayout,
    arch: str | None = None,
    *,
    num_parameters: int | None = None,
    seed: int = 0,
) -> Plan:
    """Choose a field and settings for a signal.

    Args:
        layout: Of the signal.
        arch: A name from `ARCHITECTURES`; None for the one that suits this kind of signal.
        num_parameters: Size of the field, met as closely as the architecture allows; None for a
            size that follows from the number of samples.
        seed: Of the initial parameters.

    Raises:
        ValueError: If the name is unknown or the size out of reach.

    Example:
        >>> picture = Image.from_array(np.zeros((64, 64), np.uint8))
        >>> plan(picture.layout, "siren", num_parameters=10_000).field.num_parameters
        10147
    """
    arch = DEFAULTS[layout.kind] if arch is None else arch
    if arch not in ARCHITECTURES:
        meant = difflib.get_close_matches(arch, ARCHITECTURES, 1)
        hint = f" Did you mean {meant[0]}?" if meant else ""
        raise ValueError(f"arch: expected one of {', '.join(ARCHITECTURES)}, got {arch!r}.{hint}")
    chosen = ARCHITECTURES[arch]
    if num_parameters is None:
        size = chosen.default_size(layout)
    else:
        check_count("params", params=num_parameters, high=2**40)
        size = chosen.matching_size(layout, num_parameters)
    num_samples = layout.grid.num_samples
    batch_size = chosen.batch_size(num_samples)
    return Plan(
        field=chosen.build(layout, size, torch.Generator().manual_seed(seed)),
        arch=arch,
        lr=chosen.lr,
        batch_size=None if num_samples <= batch_size else batch_size,
        micro_batch=chosen.micro_batch,
        steps=chosen.steps(num_samples),
    )


def default_width(layout: AbstractLayout) -> int:
    """Units in a hidden layer: 64, 128 or 256, growing with the number of values."""
    values = layout.grid.num_samples * layout.channels
    return 64 if values < 2**14 else 128 if values < 2**21 else 256


def matching_width(
    build: Callable[[AbstractLayout, int, torch.Generator | None], Field],
    layout: AbstractLayout,
    num_parameters: int,
) -> int:
    """The width whose field comes closest to a number of parameters.

    Raises:
        ValueError: If even a width of 1 has more, or the widest has fewer.
    """

    def size(width: int) -> int:
        with torch.device("meta"):
            return build(layout, width, None).num_parameters

    if not size(1) <= num_parameters <= size(MAX_WIDTH):
        raise ValueError(
            f"params: expected {size(1):,} to {size(MAX_WIDTH):,} for this architecture, got "
            f"{num_parameters:,}."
        )
    low, high = 1, MAX_WIDTH
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= num_parameters else (low, middle)
    return min((low, high), key=lambda width: abs(size(width) - num_parameters))


def _siren(layout: AbstractLayout, width: int, generator: torch.Generator | None) -> Field:
    # 30 suits pictures of 256 pixels (the paper's), measured: 60 is better at 512. Sound has
    # many more samples an axis; the paper takes 3,000 for seven seconds.
    longest = max(layout.shape)
    if layout.in_dim == 1:
        omega_0 = min(3000.0, max(30.0, longest / 100))
    else:
        omega_0 = min(90.0, max(30.0, 0.12 * longest))
    network = Siren(
        layout.in_dim,
        layout.channels,
        width=width,
        depth=_DEPTH,
        omega_0=omega_0,
        generator=generator,
    )
    return Field(network)


def _fourier(layout: AbstractLayout, width: int, generator: torch.Generator | None) -> Field:
    # The paper's best for pictures of 512 pixels is 10 cycles across a unit of [0, 1], so 5 in
    # our coordinates.
    sigma = max(1.0, max(layout.shape) / 100)
    encoding = RandomFourier(layout.in_dim, _NUM_FREQUENCIES, sigma=sigma, generator=generator)
    return Field(_perceptron(encoding.out_dim, layout, width, generator), encoding=encoding)


def _positional(layout: AbstractLayout, width: int, generator: torch.Generator | None) -> Field:
    # The highest octave is half of what the samples can carry, n / 4 cycles per unit.
    octaves = max(1, int(math.log2(max(2, *layout.shape))) - 1)
    encoding = Positional(layout.in_dim, min(octaves, 20))
    return Field(_perceptron(encoding.out_dim, layout, width, generator), encoding=encoding)


def _relu(layout: AbstractLayout, width: int, generator: torch.Generator | None) -> Field:
    return Field(_perceptron(layout.in_dim, layout, width, generator))


def _perceptron(
    in_dim: int, layout: AbstractLayout, width: int, generator: torch.Generator | None
) -> MLP:
    return MLP(in_dim, layout.channels, width=width, depth=_DEPTH, generator=generator)


def _hash(layout: AbstractLayout, size: GridSize, generator: torch.Generator | None) -> Field:
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
        depth=_HASH_DEPTH,
        generator=generator,
    )
    return Field(network, encoding=encoding)


def _matching_grid(layout: AbstractLayout, num_parameters: int) -> GridSize:
    def network(size: GridSize) -> int:
        sizes = [size.num_levels * FEATURES] + [size.width] * _HASH_DEPTH + [layout.channels]
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))

    return matching_size(layout, num_parameters, network)


def _network(build: Callable[[AbstractLayout, int, torch.Generator | None], Field]) -> Architecture:
    """A network alone, whose size is its width."""
    return Architecture(
        build=build,
        default_size=default_width,
        matching_size=lambda layout, num_parameters: matching_width(build, layout, num_parameters),
        lr=1e-3,
        batch_size=lambda num_samples: 4096,
        micro_batch=8192,
        steps=lambda num_samples: 2000,
    )


ARCHITECTURES: dict[str, Architecture] = {
    "hash": Architecture(
        build=_hash,
        default_size=default_size,
        matching_size=_matching_grid,
        lr=1e-2,
        # Small batches learn more from as many samples; but each step passes over the tables,
        # and those are larger for large signals.
        batch_size=lambda num_samples: 8192 if num_samples < 2**21 else 16_384,
        micro_batch=2**16,
        steps=lambda num_samples: 1000 if num_samples < 2**21 else 2000,
    ),
    "siren": _network(_siren),
    "fourier": _network(_fourier),
    "positional": _network(_positional),
    "relu": _network(_relu),
}
"""All that `--arch` knows."""

DEFAULTS = {"image": "hash", "audio": "siren", "video": "hash", "volume": "hash"}
"""What `--arch` is when it is not given, by kind of signal."""
