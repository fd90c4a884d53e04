"""Architectures by name, with settings that follow from the signal.

A name stands for a way to build a field for a signal of a given size, and for the learning rate
that suits it. `plan` is what the command line uses; a recipe with numbers of its own builds its
field itself.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .._checks import check_count
from ..encodings import Positional, RandomFourier
from ..field import Field
from ..networks import MLP, Siren
from ..signals import AbstractLayout

MAX_WIDTH = 4096
_BATCH_SIZE = 4096
_DEPTH = 4
_NUM_FREQUENCIES = 128

Build = Callable[[AbstractLayout, int, torch.Generator | None], Field]


@dataclass(frozen=True)
class Architecture:
    """A way to build a field for a signal.

    Args:
        build: From the signal's layout, a width and a generator to a field.
        lr: Learning rate of Adam that suits it, under the cosine schedule.
    """

    build: Build
    lr: float


@dataclass(frozen=True)
class Plan:
    """A field and the settings to fit it with.

    Args:
        field: With its initial parameters.
        arch: Name of its architecture.
        lr: Learning rate.
        batch_size: Samples a step; None for all of them.
        steps: How many, if nobody says otherwise.
    """

    field: Field
    arch: str
    lr: float
    batch_size: int | None
    steps: int


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
        num_parameters: Size of the field, met as closely as a whole width allows; None for a
            width that follows from the number of samples.
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
        width = default_width(layout)
    else:
        width = matching_width(chosen.build, layout, num_parameters)
    generator = torch.Generator().manual_seed(seed)
    return Plan(
        field=chosen.build(layout, width, generator),
        arch=arch,
        lr=chosen.lr,
        batch_size=None if layout.grid.num_samples <= _BATCH_SIZE else _BATCH_SIZE,
        steps=2000,
    )


def default_width(layout: AbstractLayout) -> int:
    """Units in a hidden layer: 64, 128 or 256, growing with the number of values."""
    values = layout.grid.num_samples * layout.channels
    return 64 if values < 2**14 else 128 if values < 2**21 else 256


def matching_width(build: Build, layout: AbstractLayout, num_parameters: int) -> int:
    """The width whose field comes closest to a number of parameters.

    Raises:
        ValueError: If even a width of 1 has more, or the widest has fewer.
    """
    check_count("params", params=num_parameters, high=2**40)

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


ARCHITECTURES: dict[str, Architecture] = {
    "siren": Architecture(_siren, 1e-3),
    "fourier": Architecture(_fourier, 1e-3),
    "positional": Architecture(_positional, 1e-3),
    "relu": Architecture(_relu, 1e-3),
}
"""All that `--arch` knows."""

DEFAULTS = {"image": "siren", "audio": "siren", "video": "siren", "volume": "siren"}
"""What `--arch` is when it is not given, by kind of signal."""
