"""Grids and draws: where samples lie, which are drawn, and that a draw depends on its counter."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neurafield
from neurafield.geometry import Grid
from neurafield.signals import Audio, Image, Video, Volume, draw_indices
from neurafield.signals.sampling import (
    Purpose,
    choose,
    choose_by_size,
    quasi_random,
    sobol,
    uniform,
)

from .signal_files import noise

shapes = st.lists(st.integers(1, 13), min_size=1, max_size=4).map(tuple)
quick = settings(max_examples=60, deadline=None, database=None)

SIGNALS = {
    "image": lambda grid=None: Image.from_array(noise((11, 7, 3), "uint8"), grid=grid),
    "audio": lambda grid=None: Audio.from_array(
        noise((101, 2), "float32"), sample_rate=7, grid=grid
    ),
    "video": lambda grid=None: Video.from_array(
        noise((5, 11, 7, 3), "uint8"), frame_rate=25, grid=grid
    ),
    "volume": lambda grid=None: Volume.from_array(noise((5, 7, 11, 2), "int16"), grid=grid),
}


@pytest.fixture(params=SIGNALS)
def build(request: pytest.FixtureRequest):
    return SIGNALS[request.param]


def all_indices(grid: Grid) -> np.ndarray:
    return np.arange(grid.num_samples)


# -- Grids.


@quick
@given(shapes)
def test_centres_are_the_closed_form(shape) -> None:
    grid = Grid.centres(shape)
    for flat, position in enumerate(np.ndindex(shape)):
        expected = [(2 * i + 1) / n - 1 for i, n in zip(position, shape, strict=True)]
        np.testing.assert_allclose(grid.coords(np.array([flat]))[0], expected, atol=1e-7)
        if flat > 50:
            break
    assert (grid.dim, grid.num_samples) == (len(shape), np.prod(shape))


@quick
@given(shapes)
def test_endpoints_are_numpys_linspace(shape) -> None:
    grid = Grid.endpoints(shape)
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape]
    expected = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
    np.testing.assert_allclose(grid.coords(all_indices(grid)), expected, atol=1e-7)


@quick
@given(shapes, st.data())
def test_coords_are_those_of_the_indices_in_any_order(shape, data) -> None:
    grid = Grid.centres(shape)
    some = data.draw(st.lists(st.integers(0, grid.num_samples - 1), max_size=9))
    indices = np.array(some, dtype=np.int64)
    assert torch.equal(grid.coords(indices), grid.coords(all_indices(grid))[indices])


def test_coords_of_fourteen_million_samples_are_apart() -> None:
    n = 14_000_003
    last = np.array([n - 3, n - 2, n - 1])
    coords = Grid.centres((n,)).coords(last).double().numpy()[:, 0]
    np.testing.assert_allclose(coords, (2 * last + 1) / n - 1, rtol=2**-24)


def check_cells_aligned(grid: Grid, finer: Grid, factors: tuple[int, ...]) -> None:
    """The mean of the new samples in a cell is the old sample in its middle."""
    coords = finer.coords(all_indices(finer)).double().numpy()
    split = [part for n, k in zip(grid.shape, factors, strict=True) for part in (n, k)]
    inner = tuple(range(1, 2 * grid.dim, 2))
    means = coords.reshape(*split, grid.dim).mean(axis=inner).reshape(-1, grid.dim)
    expected = grid.coords(all_indices(grid))
    np.testing.assert_allclose(means, expected, atol=1e-6)
    spread = np.ptp(coords, axis=0)
    for axis, (n, k) in enumerate(zip(grid.shape, factors, strict=True)):
        # Equally spaced, so that one old cell of width w holds k samples, w / k apart.
        assert spread[axis] == pytest.approx((n * k - 1) * grid.spacing[axis] / k, abs=1e-6)


@pytest.mark.parametrize("kind", [Grid.centres, Grid.endpoints])
@quick
@given(st.data())
def test_resampled_by_whole_factors(kind, data) -> None:
    shape = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple))
    factors = tuple(data.draw(st.integers(1, 5)) for _ in shape)
    grid = kind(shape)
    finer = grid.resampled([n * k for n, k in zip(shape, factors, strict=True)])
    check_cells_aligned(grid, finer, factors)


def test_check_cells_aligned_can_fail() -> None:
    # Ends aligned instead of cells: what F.interpolate calls align_corners.
    with pytest.raises(AssertionError):
        check_cells_aligned(Grid.centres((5, 3)), Grid.endpoints((10, 9)), (2, 3))
    squeezed = Grid((10, 9), (-0.8, -2 / 3), (0.2 * 0, 2 / 9 * 0))
    with pytest.raises(AssertionError):
        check_cells_aligned(Grid.centres((5, 3)), squeezed, (2, 3))


@quick
@given(shapes)
def test_resampled_to_its_own_shape_is_itself(shape) -> None:
    grid = Grid.centres(shape)
    same = grid.resampled(shape)
    np.testing.assert_allclose(same.first, grid.first, atol=1e-15)
    np.testing.assert_allclose(same.spacing, grid.spacing, rtol=1e-15)


@quick
@given(st.data())
def test_region_of_whole_samples_is_those_samples(data) -> None:
    shape = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple))
    starts = [data.draw(st.integers(0, n - 1)) for n in shape]
    stops = [data.draw(st.integers(s + 1, n)) for s, n in zip(starts, shape, strict=True)]
    grid = Grid.centres(shape)
    part = grid.resampled(
        [b - a for a, b in zip(starts, stops, strict=True)],
        [(float(a), float(b)) for a, b in zip(starts, stops, strict=True)],
    )
    inside = np.zeros(shape, dtype=bool)
    inside[tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))] = True
    expected = grid.coords(np.flatnonzero(inside))
    np.testing.assert_allclose(part.coords(all_indices(part)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "region", [[(0.0, 8.0)], [(-1.0, 3.0)], [(3.0, 3.0)], [(5.0, 2.0)], [(0.0, 7.0), (0.0, 1.0)]]
)
def test_region_outside_is_refused(region) -> None:
    with pytest.raises(ValueError, match=r"Grid\.resampled"):
        Grid.centres((7,)).resampled((3,), region)


# -- Draws.


def test_same_counter_same_draw_in_any_order() -> None:
    counters = [(seed, step, stream) for seed in (0, 7) for step in (0, 1, 41) for stream in (0, 3)]

    def draw(counter):
        seed, step, stream = counter
        return draw_indices(1009, 53, seed=seed, step=step, stream=stream)

    forward = {counter: draw(counter) for counter in counters}
    backward = {counter: draw(counter) for counter in reversed(counters)}
    for counter in counters:
        np.testing.assert_array_equal(forward[counter], backward[counter])
    # And any difference in the counter is another draw.
    assert len({draw.tobytes() for draw in forward.values()}) == len(counters)


def test_a_longer_draw_begins_as_a_shorter_one() -> None:
    short, long = (draw_indices(1009, size, seed=3, step=5) for size in (17, 171))
    np.testing.assert_array_equal(short, long[:17])


def chi_square(indices: np.ndarray, num_samples: int) -> float:
    counts = np.bincount(indices, minlength=num_samples)
    return float(scipy.stats.chisquare(counts).pvalue)


@pytest.mark.parametrize("num_samples", [2, 13, 97, 1009])
def test_draws_are_uniform(num_samples) -> None:
    draws = [draw_indices(num_samples, 5003, seed=11, step=step) for step in range(20)]
    assert chi_square(np.concatenate(draws), num_samples) > 1e-3
    # Across steps too: the first index of each of many batches.
    firsts = [draw_indices(num_samples, 1, seed=11, step=s)[0] for s in range(10 * num_samples)]
    assert chi_square(np.array(firsts), num_samples) > 1e-3


def test_chi_square_can_fail() -> None:
    favoured = draw_indices(97, 100_000, seed=0, step=0)
    favoured[:400] = 0
    assert chi_square(favoured, 97) < 1e-6


def test_draws_are_with_replacement_and_in_range() -> None:
    indices = draw_indices(3, 1000, seed=0, step=0)
    assert (set(indices.tolist()), indices.dtype) == ({0, 1, 2}, np.int64)


@pytest.mark.parametrize("size", [0, -1])
def test_no_draw_is_refused(size) -> None:
    with pytest.raises(ValueError, match="size"):
        draw_indices(10, size, seed=0, step=0)


# -- Choices by weight.


def test_choices_follow_the_weights() -> None:
    sizes = torch.cat([torch.zeros(9000), torch.full((1000,), 10.0)])
    share = [
        (choose_by_size(sizes, 100, seed=seed, step=0, stream=0) >= 9000).double().mean().item()
        for seed in range(20)
    ]
    # Weights 1 and 11: 1000 * 11 of 9000 + 11000.
    assert sum(share) / 20 == pytest.approx(0.55, abs=0.03)
    picked = choose_by_size(sizes, 500, seed=0, step=0, stream=0)
    assert len(set(picked.tolist())) == 500, "without replacement"
    assert torch.equal(picked, choose_by_size(sizes, 500, seed=0, step=0, stream=0))
    for counters in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
        seed, step, stream = counters
        other = choose_by_size(sizes, 500, seed=seed, step=step, stream=stream)
        assert not torch.equal(picked, other)


def test_residuals_of_zero_choose_evenly() -> None:
    picked = choose_by_size(torch.zeros(1000), 500, seed=0, step=0, stream=0)
    assert picked.double().mean() == pytest.approx(500, abs=40)


def check_chances(weights: torch.Tensor, count: int, chances: list[float]) -> None:
    """Chances to be chosen, by brute force over many seeds."""
    found = torch.zeros(len(weights))
    for seed in range(4000):
        kept = choose(weights, count, purpose=Purpose.NEAR_SURFACE, seed=seed, step=0)
        found[kept] += 1 / 4000
    torch.testing.assert_close(found, torch.tensor(chances), rtol=0, atol=0.03)


def test_chances_are_those_of_draws_one_by_one() -> None:
    # Without replacement: the first by weight, the second by weight among the rest.
    w = [1.0, 2.0, 5.0]
    chances = [
        w[i] / 8 + sum(w[j] / 8 * w[i] / (8 - w[j]) for j in range(3) if j != i) for i in range(3)
    ]
    check_chances(torch.tensor(w), 2, chances)


def test_check_chances_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_chances(torch.tensor([1.0, 2.0, 5.0]), 2, [2 / 8, 4 / 8, 10 / 8])


# -- Counters.


def counters_of(draw: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Key and counter of every Philox generator that a call starts."""
    started = []
    philox = np.random.Philox

    def recorded(*, key: int, counter: list[int]) -> np.random.Philox:
        started.append((key, *counter))
        return philox(key=key, counter=counter)

    with monkeypatch.context() as patch:
        patch.setattr(np.random, "Philox", recorded)
        draw()
    return started


def test_different_draws_never_share_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every purpose, with several seeds, steps and streams that a careless sum would confuse."""
    found: list[tuple] = []
    for seed, step, stream in itertools.product((0, 1, 2), repeat=3):
        at = {"seed": seed, "step": step, "stream": stream}
        draws: dict[Purpose, Callable[[], object]] = {
            Purpose.SAMPLES: lambda at=at: draw_indices(9, 3, **at),
            Purpose.REFINEMENT: lambda at=at: choose_by_size(torch.ones(9), 3, **at),
            Purpose.NEAR_SURFACE: lambda at=at: choose(
                torch.ones(9), 3, purpose=Purpose.NEAR_SURFACE, **at
            ),
        }
        assert set(draws) == set(Purpose)
        for purpose, draw in draws.items():
            assert counters_of(draw, monkeypatch) == [(seed, 0, purpose, stream, step)]
            found += counters_of(draw, monkeypatch)
        # Points and indices are samples of one signal: a signal draws the one or the other.
        points = counters_of(lambda at=at: uniform(**at)(3, 2), monkeypatch)
        assert points == [(seed, 0, Purpose.SAMPLES, stream, step)]
    assert len(set(found)) == len(found) == 27 * len(Purpose)


def test_bits_of_every_purpose_stay_the_same() -> None:
    """Values drawn by an earlier version: another counter would change every fit."""
    at = {"seed": 7, "step": 41, "stream": 3}
    assert draw_indices(1000, 4, **at).tolist() == [926, 728, 388, 959]
    assert uniform(**at)(1, 2)[0].tolist() == [0.728088834538722, 0.9597420276581626]
    assert quasi_random(seed=7, stream=3)(2, 2).tolist() == [
        [0.6597503423690796, 0.944230318069458],
        [0.22079246304929256, 0.018832393921911716],
    ]
    assert sobol(1, 4, seed=7)[0].tolist() == [
        *(0.19947312772274017, 0.17093220353126526, 0.7493569254875183, 0.18431377410888672),
    ]
    assert sorted(choose_by_size(torch.arange(20.0), 4, **at).tolist()) == [0, 14, 17, 19]
    near = choose(torch.arange(1.0, 21.0), 4, purpose=Purpose.NEAR_SURFACE, **at)
    assert sorted(near.tolist()) == [11, 14, 15, 17]


GENERATORS = re.compile(r"Philox|quasirandom|SobolEngine|stats\.qmc")


def files_with_generators(folder: Path) -> list[str]:
    """Files that start a counter-based or quasi-random generator by themselves."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if GENERATORS.search(path.read_text())
    )


def test_one_file_starts_all_generators(tmp_path: Path) -> None:
    assert files_with_generators(Path(neurafield.__file__).parent) == ["signals/sampling.py"]
    (tmp_path / "own.py").write_text("bits = np.random.Philox(key=0)\n")
    assert files_with_generators(tmp_path) == ["own.py"]


# -- Batches of signals.


def check_pairs(signal, query: torch.Tensor, target: torch.Tensor) -> None:
    """Each query is the centre of a pixel, and its target is the value in the array there."""
    shape = np.array(signal.layout.shape)
    position = ((query.double().numpy() + 1) * shape - 1) / 2
    nearest = np.rint(position).astype(int)
    np.testing.assert_allclose(position, nearest, atol=1e-4)
    values = signal.data[tuple(nearest.T)].astype(np.float64)
    low, high = signal.layout.low, signal.layout.high
    np.testing.assert_allclose(target, 2 * (values - low) / (high - low) - 1, atol=1e-6)


def test_batch_agrees_with_the_array(build) -> None:
    signal = build()
    query, target = signal.batch(503, seed=5, step=9)
    assert query.shape == (503, signal.in_dim)
    assert target.shape == (503, signal.out_dim)
    assert query.dtype == target.dtype == torch.float32
    check_pairs(signal, query, target)
    indices = draw_indices(signal.num_samples, 503, seed=5, step=9)
    assert torch.equal(query, signal.layout.grid.coords(indices))


def test_check_pairs_can_fail(build) -> None:
    signal = build()
    query, target = signal.batch(503, seed=5, step=9)
    with pytest.raises(AssertionError):
        check_pairs(signal, query, target.roll(1, dims=0))
    with pytest.raises(AssertionError):
        check_pairs(signal, query + 0.1 / max(signal.layout.shape), target)


def test_all_samples_in_order(build) -> None:
    signal = build()
    query, target = signal.batch(None, seed=0, step=0)
    assert torch.equal(query, signal.layout.grid.coords(all_indices(signal.layout.grid)))
    check_pairs(signal, query, target)
    assert torch.equal(target.reshape(signal.data.shape), signal.layout.normalise(signal.data))


def test_batches_depend_on_seed_step_and_stream_alone(build) -> None:
    signal = build()
    first = signal.batch(53, seed=1, step=2, stream=3)
    counters = [(2, 2, 3), (1, 3, 3), (1, 2, 4), (2, 1, 3), (3, 2, 1), (1, 3, 2)]
    for seed, step, stream in counters:
        other = signal.batch(53, seed=seed, step=step, stream=stream)
        assert not torch.equal(first[0], other[0])
    again = build().batch(53, seed=1, step=2, stream=3)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_another_grid_moves_the_queries_only(build) -> None:
    plain = build()
    moved = build(Grid.endpoints(plain.layout.shape))
    query, target = moved.batch(None, seed=0, step=0)
    assert query.min() == -1
    assert query.max() == 1
    assert torch.equal(target, plain.batch(None, seed=0, step=0)[1])


def test_slabs_are_the_whole_signal(build) -> None:
    signal = build()
    expected = signal.layout.normalise(signal.data)
    for max_samples in (1, 100, 10**9):
        slabs = list(signal.slabs(max_samples))
        assert torch.equal(torch.cat(slabs), expected)
    rows = signal.layout.shape[0]
    assert len(list(signal.slabs(1))) == rows


def test_fingerprint_sees_values_and_meaning(build) -> None:
    signal, same = build(), build()
    assert signal.fingerprint() == same.fingerprint()
    changed = build()
    changed.data.reshape(-1)[-1] += 1
    moved = build(Grid.endpoints(signal.layout.shape))
    assert len({signal.fingerprint(), changed.fingerprint(), moved.fingerprint()}) == 3
