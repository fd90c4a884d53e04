"""Fingerprints of functions, to tell them apart without calling them."""

import dataclasses
import functools
import hashlib
import types

import numpy as np
from torch import Tensor, nn


def function_fingerprint(function: object) -> str:
    """Hash of a function's code, constants, defaults, closure and bound object.

    The hash does not cover globals, nor the content of objects other than numbers, strings, arrays,
    containers and dataclasses. Code compiled by another version of Python hashes differently.

    Example:
        >>> a, b = (lambda x, k=k: k * x for k in (1.0, 2.0))
        >>> function_fingerprint(a) == function_fingerprint(b)
        False
    """
    return hashlib.sha256("|".join(_parts(function, set())).encode()).hexdigest()


def _parts(thing: object, seen: set[int]) -> list[str]:
    if id(thing) in seen:
        # A recursive function contains itself.
        return ["again"]
    if isinstance(thing, str | bytes | bool | int | float | complex | np.number | None):
        return [repr(thing)]
    if isinstance(thing, Tensor | np.ndarray):
        return [str(thing.dtype), str(tuple(thing.shape)), repr(thing.tolist())]
    return [type(thing).__qualname__, *_inside(thing, seen | {id(thing)})]


def _inside(thing: object, seen: set[int]) -> list[str]:
    held: list[object] = []
    if isinstance(thing, types.CodeType):
        held = [thing.co_code.hex(), thing.co_names, *thing.co_consts]
    elif isinstance(thing, types.FunctionType):
        held = [thing.__code__, *(cell.cell_contents for cell in thing.__closure__ or ())]
        held += [*(thing.__defaults__ or ()), thing.__kwdefaults__ or {}]
    elif isinstance(thing, types.MethodType):
        held = [thing.__func__, thing.__self__]
    elif isinstance(thing, functools.partial):
        held = [thing.func, thing.args, thing.keywords]
    elif isinstance(thing, nn.Module):
        held = [repr(thing)]
    elif isinstance(thing, dict):
        held = [part for item in thing.items() for part in item]
    elif isinstance(thing, list | tuple):
        held = [*thing]
    elif isinstance(thing, set | frozenset):
        held = [*sorted(map(repr, thing))]
    elif dataclasses.is_dataclass(thing):
        held = [getattr(thing, field.name) for field in dataclasses.fields(thing)]
    return [part for value in held for part in _parts(value, seen)]
