"""Parsers of values on the command line, which refuse wrong ones in one clause."""

import argparse


def count(text: str) -> int:
    """A whole number above zero."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return value


MAX_CELLS = 4096
"""Largest number of cells of a box along an axis."""


def cells(text: str) -> int:
    """A number of cells along an axis."""
    if not (text.isascii() and text.isdigit() and 2 <= int(text) <= MAX_CELLS):
        raise argparse.ArgumentTypeError(f"expected 2 to {MAX_CELLS}, got {text!r}")
    return int(text)


def threads(text: str) -> int:
    """A number of threads."""
    if count(text) > 1024:
        raise argparse.ArgumentTypeError(f"expected at most 1024, got {text}")
    return int(text)


def seed(text: str) -> int:
    """A whole number from zero that fits 63 bits."""
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def level(text: str) -> int:
    """A level of detail, counted from zero."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, got {text!r}")
    return int(text)


def positive(text: str) -> float:
    """A finite number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def fraction(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def finite(text: str) -> float:
    """A finite number."""
    return _between(text, -float("inf"), float("inf"), "a finite number")


def half_turn(text: str) -> float:
    """An angle from straight down to straight up, in degrees."""
    return _between(text, -90 - 1e-9, 90 + 1e-9, "degrees from -90 to 90")


def angle(text: str) -> float:
    """A field of view, in degrees."""
    return _between(text, 0, 180, "degrees between 0 and 180")


def side_samples(text: str) -> int:
    """Number of rays along a side of a pixel."""
    if count(text) > 8:
        raise argparse.ArgumentTypeError(f"expected at most 8, got {text}")
    return int(text)


def _between(text: str, low: float, high: float, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low < value < high:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return value
