"""Choice of the version of an operation that runs, and the reason for it.

The environment variable `NEURAFIELD_KERNELS` is the name of a version (an error where that version
is not installed), or unset for the first of `VERSIONS` that serves the call. The reference runs
where no version does; a `KernelNotice` says so once.
"""

import functools
import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .._transforms import why_torch_only
from ..errors import KernelNotice, NeurafieldError
from . import library

VARIABLE = "NEURAFIELD_KERNELS"
REFERENCE = "reference"


class Choice(NamedTuple):
    """The version that runs.

    Attributes:
        version: Name of the version, from `VERSIONS`.
        reason: Reason for the choice, as part of a sentence.
    """

    version: str
    reason: str


@dataclass(frozen=True)
class Version:
    """An entry of the table of versions. Each operation has a module of the same name for it.

    Attributes:
        name: Value of `NEURAFIELD_KERNELS` that requests it.
        device: Type of the devices that it serves: "cpu" or "cuda".
        dtype: Type of the tensors that it serves, unless the operation names another one.
        missing: Reason why it is not installed, or "".
        remedy: Advice to those who request it where it is missing.
        describe: Function that returns facts for `neurafield doctor`.
    """

    name: str
    device: str
    dtype: torch.dtype
    missing: str
    remedy: str
    describe: Callable[[], str]


VERSIONS = (
    Version(
        name="native",
        device="cpu",
        dtype=torch.float32,
        missing=library.MISSING,
        remedy="install again where a C++ compiler (g++ or clang++) is found",
        describe=library.describe,
    ),
)
"""Versions beside the reference, in order of preference."""

_IS_ON = {"cpu": attrgetter("is_cpu"), "cuda": attrgetter("is_cuda")}
_dtype_of = attrgetter("dtype")
_notified: set[tuple[str, str]] = set()


def requested() -> str:
    """Name of the version that the environment requests, or "" for the fastest.

    Raises:
        NeurafieldError: If the name is unknown, or the version is not installed.
    """
    name = os.environ.get(VARIABLE, "")
    if not name or name == REFERENCE:
        return name
    for version in VERSIONS:
        if version.name == name:
            if not version.missing:
                return name
            raise NeurafieldError(
                f"{VARIABLE}: expected the {name} kernels to be installed, but {version.missing}. "
                f"Unset it for the PyTorch reference, or {version.remedy}."
            )
    *names, last = [REFERENCE, *(version.name for version in VERSIONS)]
    expected = f"{', '.join(names)} or {last}"
    raise NeurafieldError(
        f"{VARIABLE}: expected {expected}, got {name!r}. Unset it for the fastest."
    )


def choose(
    operation: str,
    implementations: Mapping[str, Any],
    tensors: tuple[Tensor, ...],
    *sizes: Any,
    unserved: str = "",
    dtype: torch.dtype | None = None,
) -> Choice:
    """Choose the version that runs one call of an operation.

    A notice names the reason, once, if the reference runs where another version was requested, or
    where the type or size of the input is the reason.

    Args:
        operation: Name of the operation, for the notice.
        implementations: Modules of the operation by version, without the reference. Each has a
            function `unserved(*sizes)` that returns why it cannot serve the call, or "".
        tensors: All tensors that take part.
        sizes: Arguments of `unserved`.
        unserved: Reason why the reference alone can serve the call, or "".
        dtype: Type of the tensors that this operation serves, if not that of the version.

    Raises:
        NeurafieldError: If the environment requests a version that does not exist.

    Example:
        >>> choose("example", {}, (torch.zeros(3),)).version
        'reference'
    """
    wanted = requested()
    if wanted == REFERENCE:
        return Choice(REFERENCE, f"{VARIABLE}={REFERENCE}")
    notable, other = "", why_torch_only(tensors)
    for version in () if other else VERSIONS:
        own = implementations.get(version.name)
        if own is None or (wanted and version.name != wanted):
            continue
        if version.missing:
            other = other or version.missing
        elif not all(map(_IS_ON[version.device], tensors)):
            other = other or f"the {version.name} kernels are for tensors on {version.device}"
        else:
            reason = _wrong_type(version, tensors, dtype) or unserved or own.unserved(*sizes)
            if not reason:
                return _chosen(version.name, wanted)
            notable = notable or reason
    reason = notable or other or f"it has no {wanted or 'other'} version"
    if notable or wanted:
        notify(operation, f"{reason}; using the PyTorch reference instead (slower, same results)")
    return Choice(REFERENCE, reason)


def _wrong_type(version: Version, tensors: tuple[Tensor, ...], dtype: torch.dtype | None) -> str:
    served, found = dtype or version.dtype, set(map(_dtype_of, tensors))
    if found == {served}:
        return ""
    names = ", ".join(sorted(str(t).removeprefix("torch.") for t in found))
    return (
        f"the {version.name} kernels are for {str(served).removeprefix('torch.')}, these tensors "
        f"are {names}"
    )


@functools.cache
def _chosen(name: str, wanted: str) -> Choice:
    reason = f"{VARIABLE}={wanted}" if wanted else "it is the fastest version that serves the call"
    return Choice(name, reason)


def describe() -> str:
    """One line for `neurafield doctor`: the versions that run, on which hardware, and why."""
    wanted = os.environ.get(VARIABLE, "")
    installed = [version for version in VERSIONS if not version.missing]
    if wanted in [version.name for version in VERSIONS if version.missing]:
        missing = {version.name: version.missing for version in VERSIONS}
        return f"none, because {VARIABLE}={wanted}, but {missing[wanted]}"
    if not installed:
        return f"reference (torch), because {'; '.join(version.missing for version in VERSIONS)}"
    shown = [version for version in installed if requested() in ("", REFERENCE, version.name)]
    text = "; ".join(f"{version.name}, {version.describe()}" for version in shown)
    if wanted == REFERENCE:
        text = f"reference (torch), because {VARIABLE}={REFERENCE}; without it {text}"
    return text


def wants_bfloat16() -> bool:
    """True if the caller accepts less precision for speed, by `torch.autocast`."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def notify(operation: str, fact: str) -> None:
    """Warn of a fact about an operation, the first time."""
    if (operation, fact) not in _notified:
        _notified.add((operation, fact))
        warnings.warn(f"{operation}: {fact}. This is said once.", KernelNotice, stacklevel=4)
