"""What tells one function from another without calling it."""

import hashlib
import types

from torch import Tensor


def function_fingerprint(function: object) -> str:
    """A hash of a function's code, constants, defaults and the plain values it closes over.

    What it reads from its module and from objects is not seen. Code compiled by another version
    of Python hashes differently.

    Example:
        >>> a, b = (lambda x, k=k: k * x for k in (1.0, 2.0))
        >>> function_fingerprint(a) == function_fingerprint(b)
        False
    """
    return hashlib.sha256("|".join(_parts(function)).encode()).hexdigest()


def _parts(thing: object) -> list[str]:
    if isinstance(thing, types.CodeType):
        constants = [part for constant in thing.co_consts for part in _parts(constant)]
        return [thing.co_code.hex(), repr(thing.co_names), *constants]
    if isinstance(thing, types.FunctionType):
        held = [cell.cell_contents for cell in thing.__closure__ or ()]
        held += [*(thing.__defaults__ or ()), *(thing.__kwdefaults__ or {}).values()]
        return _parts(thing.__code__) + [part for value in held for part in _parts(value)]
    if isinstance(thing, Tensor):
        return [str(thing.dtype), repr(thing.detach().flatten().tolist())]
    if thing is None or isinstance(thing, str | bytes | bool | int | float | complex | tuple):
        return [repr(thing)]
    # Nothing with an address in it, which changes from run to run.
    return [type(thing).__qualname__]
