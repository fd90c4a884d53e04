"""R-functions: Boolean operations on implicit functions."""

from torch import Tensor

_TINY = 1e-30


def both(first: Tensor, *others: Tensor) -> Tensor:
    """R-conjunction: positive where all arguments are, smooth except where two of them are zero."""
    for other in others:
        # The slope of the square root at zero is infinite.
        first = first + other - (first.square() + other.square() + _TINY).sqrt()
    return first
