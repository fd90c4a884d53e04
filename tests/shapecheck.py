"""The run-time type checker of the import hook: beartype, for which an int is a float too.

Functions without shapes in their signature go to beartype directly. jaxtyping would bind and check
their arguments three times in each call, which took a third of the time of all quick tests.
"""

from collections.abc import Callable
from typing import Any, ForwardRef, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray


class WrongType(jaxtyping.TypeCheckError):
    """A `TypeError`, and a message that begins as jaxtyping's do."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Type-check error: {message}")


check = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=WrongType))


def may_have_shapes(annotation: object) -> bool:
    """True also of names in quotes, which are left to jaxtyping."""
    if isinstance(annotation, str | ForwardRef):
        return True
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return True
    parts = annotation if isinstance(annotation, list) else get_args(annotation)
    return any(may_have_shapes(part) for part in parts)


def checked(function: Any = None, *, typechecker: Callable[[Any], Any] | None = None) -> Any:
    """Does what `jaxtyping.jaxtyped` does, in less time where no shape is checked."""
    if function is None:
        return lambda function: checked(function, typechecker=typechecker)
    annotations = getattr(function, "__annotations__", None)
    if isinstance(function, type) or annotations is None or typechecker is None:
        return _jaxtyped(function, typechecker=typechecker)
    if any(may_have_shapes(annotation) for annotation in annotations.values()):
        return _jaxtyped(function, typechecker=typechecker)
    return typechecker(function)


# The hook finds it in the one module, and jaxtyping itself, for methods of classes, in the other.
_jaxtyped = jaxtyping.jaxtyped
jaxtyping.jaxtyped = jaxtyping._decorator.jaxtyped = checked
