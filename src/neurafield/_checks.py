"""Every check of an argument, with one message shape: `Owner: expected X, got Y. Hint.`

A number out of range is an `ArgumentError`, since users of commands choose numbers. A wrong type or
shape is a plain `TypeError` or `ValueError`, since only code can pass one.
"""

import math

import numpy as np
from torch import Tensor

from .errors import ArgumentError


def owner_name(owner: object) -> str:
    """How an error names who complains: a string as it is, else the class."""
    return owner if isinstance(owner, str) else type(owner).__name__


def check_last_axis(owner: object, x: Tensor, expected: int) -> None:
    """Require coordinates or features of shape `(*batch, expected)`."""
    if x.ndim and x.shape[-1] == expected:
        return
    message = (
        f"{owner_name(owner)}: expected coordinates of shape (..., {expected}), "
        f"got {tuple(x.shape)}."
    )
    if x.ndim == 2 and x.shape[0] == expected:
        message += f" The first axis is {expected}; did you mean `x.mT`?"
    raise ValueError(message)


def check_count(owner: object, *, low: int = 1, high: int = 2**20, **values: object) -> None:
    """Require whole numbers in [low, high]. The upper bound stops hostile files early."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(
                f"{owner_name(owner)}: expected {name} to be a Python int, got {value!r}."
            )
        if not low <= value <= high:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} between {low} and {high}, got {value}."
            )


def check_positive(owner: object, **values: object) -> None:
    """Require finite numbers above zero."""
    for name, value in values.items():
        if not 0 < _number(owner, name, value) < math.inf:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} to be positive and finite, got {value}."
            )


def check_not_negative(owner: object, **values: object) -> None:
    """Require finite numbers from zero on."""
    for name, value in values.items():
        if not 0 <= _number(owner, name, value) < math.inf:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} to be finite and not negative, got {value}."
            )


def _number(owner: object, name: str, value: object) -> float:
    if not isinstance(value, float | int | np.number) or isinstance(value, bool):
        raise TypeError(f"{owner_name(owner)}: expected {name} to be a number, got {value!r}.")
    return float(value)


def check_floating(owner: object, **tensors: Tensor) -> None:
    """Require tensors of floating-point numbers, of which there are derivatives."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(
                f"{owner_name(owner)}: expected {name} to be of a floating-point type, got "
                f"{tensor.dtype}."
            )
