"""Observations at given points."""

import pytest
import torch

from neurafield.errors import SignalError
from neurafield.signals import Samples


def test_it_gives_back_what_it_got_and_draws_pairs() -> None:
    x = torch.arange(22.0).reshape(11, 2)
    slopes = x.repeat(1, 3).reshape(11, 3, 2)
    samples = Samples(x, slopes)
    assert (samples.in_dim, samples.out_dim) == (2, 3)
    all_x, all_slopes = samples.batch(None, seed=0, step=0)
    assert torch.equal(all_x, x)
    assert torch.equal(all_slopes, slopes)
    drawn, target = samples.batch(500, seed=0, step=3)
    assert torch.equal(target[:, 1], drawn)
    assert len(drawn.unique(dim=0)) == 11
    again, _ = samples.batch(500, seed=0, step=3)
    other, _ = samples.batch(500, seed=0, step=4)
    assert torch.equal(drawn, again)
    assert not torch.equal(drawn, other)


def test_its_fingerprint_tells_all() -> None:
    x, y = torch.rand(5, 2), torch.rand(5, 1)
    same = Samples(x, y).fingerprint()
    assert Samples(x.clone(), y.clone()).fingerprint() == same
    assert Samples(x + 1, y).fingerprint() != same
    assert Samples(x, y + 1).fingerprint() != same
    assert Samples(x, y[..., None]).fingerprint() != same


def test_it_refuses_what_does_not_go_together() -> None:
    with pytest.raises(SignalError, match=r"as many targets as points.*got 4 and 5"):
        Samples(torch.rand(5, 2), torch.rand(4, 1))
    with pytest.raises(SignalError, match="at least one"):
        Samples(torch.rand(0, 2), torch.rand(0, 1))
    for x, y, shapes in (
        (torch.rand(7), torch.rand(7, 1), r"got \(7,\) and \(7, 1\)"),
        (torch.rand(7, 2), torch.rand(7), r"got \(7, 2\) and \(7,\)"),
        (torch.rand(7, 2, 1), torch.rand(7, 1), r"got \(7, 2, 1\) and"),
    ):
        with pytest.raises(SignalError, match=shapes):
            Samples(x, y)
    bad = torch.tensor([[float("nan")], [float("inf")], [1.0]])
    with pytest.raises(SignalError, match="finite targets, got 2 that are not"):
        Samples(torch.rand(3, 2), bad)
    with pytest.raises(SignalError, match="finite points, got 2"):
        Samples(bad, torch.rand(3, 1))
