"""Collocation points: counted draws, targets, fingerprints, errors."""

from collections.abc import Callable

import pytest
import torch

from neurafield.domains import Ball, Box
from neurafield.signals import AbstractSignal, Boundary, Interior, Slice

SQUARE = Box((0.0, -1.0), (1.0, 2.0))
SIGNALS: dict[str, Callable[..., AbstractSignal]] = {
    "interior": lambda **options: Interior(SQUARE, **options),
    "interior of a difference": lambda **options: Interior(SQUARE - Ball((0, 0), 0.5), **options),
    "boundary": lambda **options: Boundary(SQUARE, **options),
    "slice": lambda **options: Slice(SQUARE, 0, 0.0, **options),
}


@pytest.fixture(params=SIGNALS)
def build(request: pytest.FixtureRequest) -> Callable[..., AbstractSignal]:
    return SIGNALS[request.param]


def test_a_batch_depends_on_its_counters_alone(build) -> None:
    first, other = build(), build()
    other.batch(99, seed=5, step=3)
    x, target = first.batch(7, seed=1, step=2, stream=3)
    assert (x.shape, target.shape) == ((7, 2), (7, 1))
    assert torch.equal(x, other.batch(7, seed=1, step=2, stream=3)[0])
    for change in ({"seed": 2}, {"step": 3}, {"stream": 4}):
        drawn = other.batch(7, **{"seed": 1, "step": 2, "stream": 3, **change})[0]
        assert not torch.equal(x, drawn), change


def test_points_stay_for_some_steps(build) -> None:
    signal = build(resample_every=10)
    first = signal.batch(7, seed=1, step=20)[0]
    assert torch.equal(first, signal.batch(7, seed=1, step=29)[0])
    assert not torch.equal(first, signal.batch(7, seed=1, step=30)[0])


def test_a_fixed_set_is_the_same_at_every_step(build) -> None:
    signal = build(num_points=100)
    x, target = signal.batch(None, seed=1, step=2)
    assert (x.shape, target.shape) == ((100, 2), (100, 1))
    assert torch.equal(x, signal.batch(None, seed=1, step=9)[0])
    assert not torch.equal(x, signal.batch(None, seed=2, step=2)[0])
    assert not torch.equal(x, signal.batch(None, seed=1, step=2, stream=1)[0])


def test_a_fixed_set_leaves_no_gaps() -> None:
    def error(signal: AbstractSignal, size: int | None, seed: int) -> float:
        x, _ = signal.batch(size, seed=seed, step=0)
        return abs((x[:, 0] ** 2).mean().item() - 1 / 3)

    even = [error(Interior(SQUARE, num_points=512), None, seed) for seed in range(8)]
    drawn = [error(Interior(SQUARE), 512, seed) for seed in range(8)]
    assert sum(even) < sum(drawn) / 5


def test_targets() -> None:
    x, target = Interior(SQUARE, lambda x: x.prod(-1, keepdim=True)).batch(9, seed=0, step=0)
    assert torch.equal(target[:, 0], x[:, 0] * x[:, 1])
    _, target = Interior(SQUARE, (1.0, -2.0), out_dim=2).batch(3, seed=0, step=0)
    assert target.tolist() == [[1.0, -2.0]] * 3
    _, target = Boundary(SQUARE, 0.5, out_dim=3).batch(1, seed=0, step=0)
    assert target.tolist() == [[0.5] * 3]


def test_fingerprints_tell_signals_apart() -> None:
    def shifted(by: float) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: x[:, :1] + by

    signals = [
        Interior(SQUARE),
        Interior(SQUARE, 1.0),
        Interior(Box.cube(2)),
        Interior(SQUARE, num_points=5),
        Interior(SQUARE, resample_every=2),
        Interior(SQUARE, shifted(0.0)),
        Interior(SQUARE, shifted(1e-12)),
        Interior(SQUARE, lambda x: x[:, 1:]),
        Interior(SQUARE, lambda x: torch.where(x[:, :1] > 1 - 1e-9, 7.0, 0.0)),
        Interior(SQUARE, lambda x: torch.where(x[:, :1] > 1 - 1e-9, 8.0, 0.0)),
        Boundary(SQUARE),
        Boundary(SQUARE, where=lambda x: x[:, 0] == 0),
        Boundary(SQUARE, where=lambda x: x[:, 0] == 1),
        Slice(SQUARE, 0, 0.0),
        Slice(SQUARE, 0, 1.0),
        Slice(SQUARE, 1, 0.0),
    ]
    prints = [signal.fingerprint() for signal in signals]
    assert len(set(prints)) == len(prints)
    assert prints[0] == Interior(Box((0.0, -1.0), (1.0, 2.0))).fingerprint()
    assert prints[5] == Interior(SQUARE, shifted(0.0)).fingerprint()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Interior(Ball((0.0,), 1.0) - Box.cube(1)), "with an interior"),
        (lambda: Slice(SQUARE, 0, 3.0), "coordinate 0 is 3, got one between 0 and 1"),
        (lambda: Slice(SQUARE, 0, float("nan")), "coordinate 0 is nan"),
        (lambda: Boundary(SQUARE, where=lambda x: x[:, 0]), r"booleans.*got torch\.float64"),
        (lambda: Boundary(SQUARE, where=lambda x: x == 0), r"booleans.*of shape \(\d+, 2\)"),
        (lambda: Boundary(SQUARE, where=lambda x: True), "booleans, one per point, got True"),
        (lambda: Interior(SQUARE, float("nan")), "a finite target, got nan"),
        (lambda: Interior(SQUARE, (0.0, float("inf")), out_dim=2), "a finite target"),
        (lambda: Slice(SQUARE, 2, 0.0), "axis between 0 and 1"),
        (lambda: Boundary(SQUARE, where=lambda x: x[:, 0] > 5), "a boundary where"),
        (lambda: Interior(SQUARE, lambda x: x[:, 0]), r"shape \(2, 1\) from <lambda>, got \(2,\)"),
        (lambda: Interior(SQUARE, (1.0, 2.0), out_dim=3), "target of 3 numbers"),
        (lambda: Interior(SQUARE, num_points=0), "num_points between 1"),
        (lambda: Interior(SQUARE, resample_every=0), "resample_every between 1"),
        (lambda: Interior(SQUARE).batch(None, seed=0, step=0), "expected a number of points"),
    ],
)
def test_bad_signals_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
