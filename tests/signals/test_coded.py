"""Signals of several things in one field."""

import pytest
import torch

from neurafield.errors import SignalError
from neurafield.signals import Coded, Samples


def samples() -> Samples:
    g = torch.Generator().manual_seed(0)
    return Samples(torch.rand(11, 3, generator=g), torch.rand(11, 2, generator=g))


def test_the_code_stands_behind_every_point() -> None:
    coded = Coded(samples(), (0.25, -1.0))
    assert (coded.in_dim, coded.out_dim) == (5, 2)
    for size in (None, 7):
        x, target = samples().batch(size, seed=1, step=2, stream=3)
        mine, same = coded.batch(size, seed=1, step=2, stream=3)
        assert torch.equal(mine[:, :3], x)
        assert torch.equal(same, target)
        assert mine[:, 3:].unique(dim=0).tolist() == [[0.25, -1.0]]


def test_another_code_is_another_signal() -> None:
    told = {Coded(samples(), code).fingerprint() for code in [(0.0,), (1.0,), (0.0, 0.0)]}
    assert len(told) == 3
    assert Coded(samples(), (0.0,)).fingerprint() in told


@pytest.mark.parametrize("code", [(), (float("nan"),), (1.0, float("inf"))])
def test_a_code_that_is_none_is_refused(code: tuple[float, ...]) -> None:
    with pytest.raises(SignalError, match="finite values for a code"):
        Coded(samples(), code)
