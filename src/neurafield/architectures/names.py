"""Architectures by name, with settings that follow from the signal.

A name stands for a way to build a field for a signal of a given size, and for the learning rate
that suits it. `plan` is what the command line uses; a recipe with numbers of its own builds its
field itself.
"""

import difflib
from typing import Any

import torch

from .._checks import check_count
from ..errors import ArgumentError
from ..fields.field import Field
from ..signals import AbstractGridSignal, AbstractLayout
from ._base import Architecture, Plan
from .encodings import ENCODINGS
from .grids import GRIDS
from .networks import NETWORKS
from .scattered import SCATTERED

ARCHITECTURES: dict[str, Architecture] = {
    **NETWORKS,
    **ENCODINGS,
    **GRIDS,
    **SCATTERED,
}
"""All that `--arch` knows."""

DEFAULTS = {"image": "hash", "audio": "siren", "video": "hash", "volume": "hash"}
"""What `--arch` is when it is not given, by kind of signal."""


def plan(
    layout: AbstractLayout,
    arch: str | None = None,
    *,
    num_parameters: int | None = None,
    seed: int = 0,
    signal: AbstractGridSignal[Any] | None = None,
) -> Plan:
    """Choose a field and settings for a signal.

    Args:
        layout: Of the signal.
        arch: A name from `ARCHITECTURES`; None for the one that suits this kind of signal.
        num_parameters: Size of the field, met as closely as the architecture allows; None for a
            size that follows from the number of samples.
        seed: Of the initial parameters.
        signal: The signal itself, for `nglod`, whose features lie where it has detail; without it
            they are spread evenly.

    Raises:
        ValueError: If the name is unknown, does not serve this kind of signal, or the size is out
            of reach.

    Example:
        >>> picture = Image.from_array(np.zeros((64, 64), np.uint8))
        >>> plan(picture.layout, "siren", num_parameters=10_000).field.num_parameters
        10147
    """
    arch = DEFAULTS[layout.kind] if arch is None else arch
    if arch not in ARCHITECTURES:
        meant = difflib.get_close_matches(arch.lower(), ARCHITECTURES, 1)
        hint = f"Did you mean {meant[0]}?" if meant else f"For example {_examples(layout)}."
        raise ArgumentError(
            f"arch: expected one of the {len(ARCHITECTURES)} names that `neurafield compare "
            f"--list` shows, got {arch!r}. {hint}"
        )
    chosen = ARCHITECTURES[arch]
    if layout.in_dim not in chosen.dims:
        raise ArgumentError(
            f"arch: expected one that serves {layout.in_dim} coordinates ({layout.kind}), got "
            f"{arch!r}, which takes {' or '.join(map(str, chosen.dims))}. For example "
            f"{_examples(layout)}."
        )
    if num_parameters is not None:
        check_count("params", params=num_parameters, high=2**40)
    size = chosen.size(layout, num_parameters, signal)
    num_samples = layout.grid.num_samples
    batch_size = chosen.batch_size(num_samples)

    def with_seed(seed: int) -> Field:
        return chosen.build(layout, size, torch.Generator().manual_seed(seed))

    return Plan(
        field=with_seed(seed),
        with_seed=with_seed,
        arch=arch,
        lr=chosen.lr,
        batch_size=None if num_samples <= batch_size else batch_size,
        micro_batch=chosen.micro_batch,
        steps=chosen.steps(num_samples),
        trains_levels=chosen.trains_levels,
    )


def serving(layout: AbstractLayout) -> list[str]:
    """The names that serve a kind of signal."""
    return [name for name, arch in ARCHITECTURES.items() if layout.in_dim in arch.dims]


def _examples(layout: AbstractLayout) -> str:
    default = DEFAULTS[layout.kind]
    return ", ".join([default, *(name for name in ("siren", "hash", "dense") if name != default)])
