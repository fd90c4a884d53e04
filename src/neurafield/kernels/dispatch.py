"""Which version of an operation runs, and why.

The environment variable `NEURAFIELD_KERNELS` is `reference` (plain torch), `native` (the compiled
library, an error where it is missing), or unset: native wherever it can serve the input. What
native cannot serve, the reference does; the user is told once.
"""

import importlib
import os
import warnings
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack

from .._transforms import why_torch_only
from ..errors import KernelNotice, NeurafieldError

VARIABLE = "NEURAFIELD_KERNELS"
_CHOICES = ("reference", "native")
_told: set[tuple[str, str]] = set()


def _import_native() -> tuple[ModuleType | None, str]:
    try:
        return importlib.import_module("neurafield._native"), ""
    except ModuleNotFoundError:
        return None, "this installation was made without a C++ compiler"
    except ImportError as error:
        return None, f"the compiled library cannot be loaded ({error})"


_native, _why_not = _import_native()


def native() -> ModuleType:
    """The compiled library; only for callers to whom `use_native` said yes."""
    assert _native is not None
    return _native


def call(name: str, *arguments: Any) -> Any:
    """Call something of the compiled library; only for callers to whom `use_native` said yes.

    Tensors, alone or in lists, go as DLPack capsules. A tensor that is given as it is would be
    asked for one by a method in Python, and that takes longer than a kernel on few points.
    """
    try:
        return getattr(native(), name)(*map(_handed_over, arguments))
    except (TypeError, BufferError) as error:
        # Its own message knows capsules only.
        tensors = ", ".join(
            f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)} of strides {t.stride()}"
            for argument in arguments
            for t in (argument if isinstance(argument, list) else [argument])
            if isinstance(t, Tensor)
        )
        raise TypeError(
            f"{name}: expected contiguous tensors of the types that it is made for, got {tensors}."
        ) from error


def _handed_over(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return to_dlpack(argument)
    if isinstance(argument, list) and argument and isinstance(argument[0], Tensor):
        return list(map(to_dlpack, argument))
    return argument


def requested() -> str:
    """What the environment asks for: a version's name, or "" for the fastest.

    Raises:
        NeurafieldError: If it asks for what does not exist.
    """
    name = os.environ.get(VARIABLE, "")
    if name and name not in _CHOICES:
        raise NeurafieldError(
            f"{VARIABLE}: expected {' or '.join(_CHOICES)}, got {name!r}. Unset it for the fastest."
        )
    if name == "native" and _native is None:
        raise NeurafieldError(
            f"{VARIABLE}: expected kernels to be compiled in, but {_why_not}. Unset it for the "
            "torch reference, or install again where a C++ compiler (g++ or clang++) is found."
        )
    return name


def use_native(
    operation: str, *tensors: Tensor, unserved: str = "", dtype: torch.dtype = torch.float32
) -> bool:
    """Whether the compiled version of an operation shall run on these tensors.

    Args:
        operation: Its name, for the notice.
        tensors: All that it computes with.
        unserved: Why this input is beyond the compiled version; empty if it is not.
        dtype: What it is made for.

    Returns:
        False after telling the user once, with the reason, if the input could not be served.
    """
    wanted = requested()
    if wanted == "reference" or _native is None:
        return False
    reason = why_torch_only(tensors)
    if reason:
        # Requested for by a transform, which the reference is there for.
        if wanted == "native":
            _tell_reference(operation, reason)
        return False
    if any(t.dtype != dtype for t in tensors):
        found = ", ".join(sorted({str(t.dtype).removeprefix("torch.") for t in tensors}))
        made_for = str(dtype).removeprefix("torch.")
        _tell_reference(
            operation, f"the compiled kernels are for {made_for}, these tensors are {found}"
        )
        return False
    if unserved:
        _tell_reference(operation, unserved)
        return False
    return True


def describe() -> str:
    """One line for `neurafield doctor`: which kernels run, on what, and why."""
    if _native is None:
        return f"reference (torch), because {_why_not}"
    level, levels = _native.level(), ", ".join(_native.levels())
    text = f"native, {level} instructions (has {levels}), on {_native.thread_pool()} threads"
    if requested() == "reference":
        text = f"reference (torch), because {VARIABLE}=reference; without it {text}"
    return text


def wants_bfloat16() -> bool:
    """Whether the caller accepts less precision for speed: `torch.autocast` says so."""
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


def tell(operation: str, fact: str) -> None:
    """Warn, the first time."""
    if (operation, fact) not in _told:
        _told.add((operation, fact))
        warnings.warn(f"{operation}: {fact}. This is said once.", KernelNotice, stacklevel=5)


def _tell_reference(operation: str, reason: str) -> None:
    tell(operation, f"{reason}, so the torch reference runs, slower and just as right")
