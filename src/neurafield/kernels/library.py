"""The compiled library `neurafield._native`: loading it, and calling it with tensors."""

import importlib
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack


def _load() -> tuple[ModuleType | None, str]:
    try:
        return importlib.import_module("neurafield._native"), ""
    except ModuleNotFoundError:
        return None, "this installation was made without a C++ compiler"
    except ImportError as error:
        return None, f"the compiled library cannot be loaded ({error})"


_library, MISSING = _load()
"""The library, or None; the reason why there is none, or ""."""


def native() -> ModuleType:
    """Returns the compiled library; only for callers that `dispatch` sent to the native version."""
    assert _library is not None
    return _library


def call(name: str, *arguments: Any) -> Any:
    """Calls a function or class of the compiled library.

    Tensors, alone or in lists, are passed as DLPack capsules. The library would get a capsule from
    a tensor by a method in Python, which takes longer than a kernel on few points.

    Raises:
        TypeError: If a tensor is not contiguous, or of a type that the function does not take.
    """
    try:
        return getattr(native(), name)(*map(_to_capsules, arguments))
    except (TypeError, BufferError) as error:
        # The library's own message describes capsules, not tensors.
        tensors = ", ".join(
            f"{str(t.dtype).removeprefix('torch.')} {tuple(t.shape)} of strides {t.stride()}"
            for argument in arguments
            for t in (argument if isinstance(argument, list) else [argument])
            if isinstance(t, Tensor)
        )
        raise TypeError(
            f"{name}: expected contiguous tensors of the types that it is made for, got {tensors}."
        ) from error


def _to_capsules(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        return to_dlpack(argument)
    if isinstance(argument, list) and argument and isinstance(argument[0], Tensor):
        return list(map(to_dlpack, argument))
    return argument


def empty(size: int) -> Tensor:
    """Uninitialised float32 values in memory that the library reuses after their deletion.

    Memory fresh from the system costs page faults, which take longer than a kernel.
    """
    return torch.from_dlpack(native().empty(size))


def describe() -> str:
    """Instruction sets and threads of the library, for `neurafield doctor`."""
    level, levels = native().level(), ", ".join(native().levels())
    return f"{level} instructions (has {levels}), on {native().thread_pool()} threads"
