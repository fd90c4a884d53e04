"""Functions that compute differently have different fingerprints; equal ones have equal ones."""

import functools
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from neurafield._fingerprint import function_fingerprint


def scaled(x: float, k: object = 1) -> object:
    return (k, x)


@dataclass
class Equation:
    k: object

    def __call__(self, x: float) -> object:
        return (self.k, x)

    def method(self, x: float) -> object:
        return (self.k, x)


def closing_over(k: object):
    return lambda x: (k, x)


def recursive(k: object):
    def f(n: int) -> object:
        return f(n - 1) if n else k

    return f


MAKERS = [
    closing_over,
    recursive,
    lambda k: functools.partial(scaled, k=k),
    Equation,
    lambda k: Equation(k).method,
    lambda k: closing_over(closing_over(k)),
    lambda k: closing_over([k]),
    lambda k: closing_over({"a": (k,)}),
]
PAIRS = [
    (1, 2),
    (1.0, 1.5),
    (np.float32(1), np.float32(2)),
    (np.arange(3), np.arange(4)),
    (torch.zeros(2), torch.ones(2)),
    ("a", "b"),
    (scaled, closing_over),
]


@pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))
@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_fingerprints(make, pair) -> None:
    a, b = pair
    assert function_fingerprint(make(a)) == function_fingerprint(make(a))
    assert function_fingerprint(make(a)) != function_fingerprint(make(b))


def test_other_code_has_another_fingerprint() -> None:
    assert function_fingerprint(lambda x: x + 1) != function_fingerprint(lambda x: x - 1)
    assert function_fingerprint(lambda x: x.sin()) != function_fingerprint(lambda x: x.cos())
