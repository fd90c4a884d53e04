"""Argument checks with messages of one form: `Owner: expected X, got Y. Hint.`

A number out of range raises `ArgumentError`, since users of commands choose numbers. A wrong type
or shape raises a plain `TypeError` or `ValueError`, since only code can pass one.
"""

import math

import numpy as np
from torch import Tensor

from ._text import shortened
from .errors import ArgumentError


def owner_name(owner: object) -> str:
    """Name of the owner in an error: a string itself, else the name of the class."""
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
    """Require integers in [low, high]. The upper bound rejects hostile files early."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(
                f"{owner_name(owner)}: expected {name} to be a Python int, got {shortened(value)}."
            )
        if not low <= value <= high:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} between {low} and {high}, got "
                f"{shortened(value)}."
            )


def check_positive(owner: object, **values: object) -> None:
    """Require finite numbers above zero."""
    for name, value in values.items():
        if not 0 < _number(owner, name, value) < math.inf:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} to be positive and finite, got "
                f"{shortened(value)}."
            )


def check_not_negative(owner: object, **values: object) -> None:
    """Require finite numbers that are not negative."""
    for name, value in values.items():
        if not 0 <= _number(owner, name, value) < math.inf:
            raise ArgumentError(
                f"{owner_name(owner)}: expected {name} to be finite and not negative, got "
                f"{shortened(value)}."
            )


def _number(owner: object, name: str, value: object) -> float:
    if not isinstance(value, float | int | np.number) or isinstance(value, bool):
        raise TypeError(
            f"{owner_name(owner)}: expected {name} to be a number, got {shortened(value)}."
        )
    return float(value)


def check_floating(owner: object, **tensors: Tensor) -> None:
    """Require floating-point tensors, which have derivatives."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise TypeError(
                f"{owner_name(owner)}: expected {name} to have a floating-point dtype, got "
                f"{tensor.dtype}."
            )
