"""All architectures by name, and `plan`, which builds a field for a signal of a given extent.

The command line uses `plan`. A recipe with settings of its own builds its field itself.
"""

import difflib
from typing import Any

import torch

from .._checks import check_count
from ..errors import ArgumentError
from ..fields.field import Field
from ..geometry import Extent
from ..signals import AbstractGridSignal
from ._base import Architecture, Plan
from .encodings import ENCODINGS
from .grids import GRIDS
from .networks import NETWORKS
from .unstructured import UNSTRUCTURED

ARCHITECTURES: dict[str, Architecture] = {
    **NETWORKS,
    **ENCODINGS,
    **GRIDS,
    **UNSTRUCTURED,
}
"""Every architecture by its name, the value of `--arch`."""

DEFAULTS = {"image": "hash", "audio": "siren", "video": "hash", "volume": "hash", "shape": "hash"}
"""Default of `--arch`, by kind of signal."""


def plan(
    extent: Extent,
    arch: str | None = None,
    *,
    num_parameters: int | None = None,
    seed: int = 0,
    signal: AbstractGridSignal[Any] | None = None,
) -> Plan:
    """Choose a field and settings for a signal.

    Args:
        extent: Extent of the signal, such as `signal.layout.extent`.
        arch: A name from `ARCHITECTURES`; None for the default of this kind of signal.
        num_parameters: Size of the field, met as closely as the architecture allows; None for a
            size that follows from the number of samples.
        seed: Seed of the initial parameters.
        signal: The signal itself, for `nglod`, whose features lie where the signal has detail;
            without it they are spread evenly.

    Raises:
        ValueError: If the name is unknown, or missing for a kind without a default, the
            architecture does not support this number of coordinates, or the size is out of reach.

    Example:
        >>> plan(Extent((64, 64), 1, "image"), "siren", num_parameters=10_000).field.num_parameters
        10147
    """
    arch = DEFAULTS.get(extent.kind, "") if arch is None else arch
    if arch not in ARCHITECTURES:
        meant = difflib.get_close_matches(arch.lower(), ARCHITECTURES, 1)
        hint = f"Did you mean {meant[0]}?" if meant else f"For example {_examples(extent)}."
        raise ArgumentError(
            f"arch: expected one of the {len(ARCHITECTURES)} names that `neurafield compare "
            f"--list` shows, got {arch!r}. {hint}"
        )
    chosen = ARCHITECTURES[arch]
    if extent.in_dim not in chosen.dims:
        raise ArgumentError(
            f"arch: expected one that supports {extent.in_dim} coordinates ({extent.kind}), got "
            f"{arch!r}, which supports {' or '.join(map(str, chosen.dims))}. For example "
            f"{_examples(extent)}."
        )
    if num_parameters is not None:
        check_count("params", params=num_parameters, high=2**40)
    size = chosen.size(extent, num_parameters, signal)
    num_samples = extent.num_samples
    batch_size = chosen.batch_size(num_samples)

    def with_seed(seed: int) -> Field:
        return chosen.build(extent, size, torch.Generator().manual_seed(seed))

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


def serving(extent: Extent) -> list[str]:
    """Names of the architectures that support an extent's number of coordinates."""
    return [name for name, arch in ARCHITECTURES.items() if extent.in_dim in arch.dims]


def _examples(extent: Extent) -> str:
    default = DEFAULTS.get(extent.kind, "siren")
    return ", ".join([default, *(name for name in ("siren", "hash", "dense") if name != default)])
