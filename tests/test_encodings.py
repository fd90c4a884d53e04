"""Encodings against recursions and plain NumPy."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from neurafield.derivatives import Jet
from neurafield.encodings import DenseGrid, Enrichment, HashGrid, Positional, RandomFourier
from neurafield.encodings.hash_grid import growing_resolutions


def test_positional_follows_the_double_angle_recursion() -> None:
    x = torch.linspace(-1, 1, 11, dtype=torch.float64).reshape(-1, 1)
    features = Positional(1, 6, include_input=False)(x)
    sine, cosine = torch.sin(math.pi * x[:, 0]), torch.cos(math.pi * x[:, 0])
    for octave in range(6):
        torch.testing.assert_close(features[:, 2 * octave], sine, atol=1e-12, rtol=0)
        torch.testing.assert_close(features[:, 2 * octave + 1], cosine, atol=1e-12, rtol=0)
        sine, cosine = 2 * sine * cosine, 2 * cosine**2 - 1


def test_positional_channel_order_is_the_documented_one() -> None:
    x = torch.tensor([0.25, -0.5])
    got = Positional(2, 2)(x)
    s, c = math.sin, math.cos
    a, b = 0.25 * math.pi, -0.5 * math.pi
    octaves = [s(a), s(b), c(a), c(b), s(2 * a), s(2 * b), c(2 * a), c(2 * b)]
    torch.testing.assert_close(got, torch.tensor([0.25, -0.5, *octaves]))


def test_positional_refuses_octaves_that_float32_cannot_resolve() -> None:
    with pytest.raises(ValueError, match="num_octaves between 1 and 24"):
        Positional(2, 25)


def test_random_fourier_is_its_formula() -> None:
    g = torch.Generator().manual_seed(0)
    encoding = RandomFourier(3, 5, sigma=2.0, generator=g).double()
    x = np.random.default_rng(0).uniform(-1, 1, (7, 3))
    phase = 2 * np.pi * x @ encoding.B.numpy().T
    expected = np.concatenate([np.cos(phase), np.sin(phase)], axis=-1)
    np.testing.assert_allclose(encoding(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


def test_random_fourier_frequencies_have_the_asked_bandwidth() -> None:
    g = torch.Generator().manual_seed(0)
    encoding = RandomFourier(2, 4096, sigma=3.0, generator=g)
    assert abs(encoding.B.std() - 3.0) < 0.1
    assert not list(encoding.parameters())
    assert "B" in encoding.state_dict()


def test_random_fourier_kernel_is_the_gaussian_one() -> None:
    # The mean of cos(2 pi b d) over b ~ N(0, sigma^2) is exp(-2 (pi sigma d)^2).
    g = torch.Generator().manual_seed(0)
    encoding = RandomFourier(1, 60_000, sigma=1.0, generator=g)
    for distance in (0.0, 0.1, 0.3):
        a, b = encoding(torch.tensor([[0.2], [0.2 + distance]]))
        kernel = (a @ b / 60_000).item()
        assert abs(kernel - math.exp(-2 * (math.pi * distance) ** 2)) < 0.02


def test_random_fourier_refuses_a_bandwidth_of_zero() -> None:
    with pytest.raises(ValueError, match="sigma to be positive"):
        RandomFourier(2, 4, sigma=0.0)


# ---- enrichment


def test_enrichment_is_its_formula() -> None:
    lift = Enrichment(
        2,
        points=[[0.1, -0.2], [2.0, 0.0]],
        radius=0.05,
        scale=0.7,
        balls=[[0.2, 0.3, 0.4]],
        boxes=[[-0.1, 0.2, 0.5, 0.7]],
        jump=11.0,
    )
    x = np.random.default_rng(0).uniform(-1, 1, (101, 2))
    logs = [0.35 * np.log(((x - c) ** 2).sum(-1) + 0.05**2) for c in ([0.1, -0.2], [2.0, 0.0])]
    ball = np.clip(1 - ((x - [0.2, 0.3]) ** 2).sum(-1) / 0.4**2, 0, None) ** 2
    sides = np.clip(1 - (x - [-0.1, 0.2]) ** 2 / np.square([0.5, 0.7]), 0, None) ** 2
    shapes = [11 * 0.4**2 / 8 * ball, 11 * 0.5**2 / 8 * sides.prod(-1)]
    assert 0 < (ball > 0).mean() < 1
    expected = np.stack([*x.T, *logs, *shapes], axis=-1)
    np.testing.assert_allclose(lift(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


def test_enrichment_is_harmonic_away_from_a_point_in_the_plane() -> None:
    # The Laplacian of log r is 0 in 2-D; of ours 2 rho^2 / (r^2 + rho^2)^2.
    x = torch.tensor([[0.5, 0.0], [0.0, 0.0]], dtype=torch.float64)
    found = Enrichment(2, points=[[0.0, 0.0]], radius=0.1).jet(Jet.root(x)).laplacian[:, 2]
    expected = torch.tensor([2 * 0.01 / 0.26**2, 2 / 0.01], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_enrichment_jumps_in_the_second_derivative_by_what_was_asked() -> None:
    lift = Enrichment(2, balls=[[0.1, 0.0, 0.4]], boxes=[[0.1, 0.0, 0.4, 0.9]], jump=300.0)
    x = torch.tensor([[0.5 - 1e-9, 0.0], [0.5 + 1e-9, 0.0]], dtype=torch.float64)
    found = lift.jet(Jet.root(x, torch.tensor([[1.0, 0.0]])))
    jump = found.second[0, 2:, 0] - found.second[1, 2:, 0]
    torch.testing.assert_close(jump, torch.tensor([300.0, 300.0], dtype=torch.float64))
    assert float(found.value[:, 2:].abs().max()) < 1e-6
    assert float(found.jacobian[:, 2:].abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "1 to 1024 points and shapes, got 0"),
        ({"points": [[0.0]]}, "points of 2 finite numbers"),
        ({"points": [[0.0, float("nan")]]}, "points of 2 finite numbers"),
        ({"balls": [[0.0, 0.0, 0.0]]}, "size to be positive"),
        ({"boxes": [[0.0, 0.0, 1.0, -1.0]]}, "size to be positive"),
    ],
)
def test_enrichment_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Enrichment(2, **options)


# ---- grids


@pytest.mark.parametrize("resolution", [[6, 10], [2, 6, 4]], ids=str)
def test_dense_grid_is_grid_sample(resolution: list[int]) -> None:
    g = torch.Generator().manual_seed(0)
    dim = len(resolution)
    grid = DenseGrid(dim, resolution=resolution, features=4, generator=g)
    x = 2.4 * torch.rand(31, dim, generator=g) - 1.2  # Also outside the box.
    x.requires_grad_()
    # As a picture of channels; grid_sample wants the last axis first.
    picture = grid.table.reshape(*(n + 1 for n in resolution), 4).movedim(-1, 0)[None]
    places = x.flip(-1).reshape(1, *[1] * (dim - 1), 31, dim)
    expected = torch.nn.functional.grid_sample(
        picture, places, mode="bilinear", padding_mode="border", align_corners=True
    )
    expected = expected.reshape(4, 31).mT
    torch.testing.assert_close(grid(x), expected, rtol=1e-4, atol=1e-9)
    weight = torch.randn(31, 4, generator=g)
    got = torch.autograd.grad((weight * grid(x)).sum(), (x, grid.table))
    want = torch.autograd.grad((weight * expected).sum(), (x, grid.table))
    for ours, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_smoothstep_has_no_jumps_in_its_slope() -> None:
    g = torch.Generator().manual_seed(0)
    for interpolation, jumps in (("linear", True), ("smoothstep", False)):
        grid = DenseGrid(
            1, resolution=4, features=1, interpolation=interpolation, generator=g
        ).double()
        sides = torch.tensor([[-1e-9], [1e-9]], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(grid(sides).sum(), sides)
        assert ((slope[0] - slope[1]).abs().item() > 1e-6) == jumps


def test_resolutions_grow_by_one_factor() -> None:
    levels = growing_resolutions([16, 3], [512, 24], 4)
    assert levels == [(16, 3), (50, 6), (161, 12), (512, 24)]
    # The factor is 2, and no level may end one cell short of it.
    assert [n for (n,) in growing_resolutions([1], [2**20], 21)] == [2**k for k in range(21)]
    for finest in range(5, 300):
        sizes = [n for (n,) in growing_resolutions([5], [finest], 7)]
        assert sizes[0] == 5
        assert sizes[-1] == finest
        assert sizes == sorted(sizes)
    assert growing_resolutions([7], [7], 1) == [(7,)]


def test_hash_grid_holds_what_its_sizes_say() -> None:
    g = torch.Generator().manual_seed(0)
    grid = HashGrid(2, generator=g)
    assert (grid.out_dim, len(grid.levels.levels)) == (32, 16)
    kinds = [level.kind for level in grid.levels.levels]
    assert kinds == ["dense"] * 11 + ["hashed"] * 5
    assert grid.table.shape == (grid.levels.num_rows, 2)
    assert grid.table.abs().max() <= 1e-4
    assert grid.table.abs().mean() > 0.4e-4
    tiled = HashGrid(2, overflow="tiled", finest_resolution=[300, 512], generator=g)
    assert {level.kind for level in tiled.levels.levels} == {"dense", "tiled"}


def test_a_hash_grid_can_be_fitted() -> None:
    g = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(101, 2, generator=g) - 1
    target = torch.randn(101, 4, generator=g)
    dense = HashGrid(2, features=4, num_levels=1, base_resolution=64, finest_resolution=64)
    for _ in range(300):
        (grad,) = torch.autograd.grad((dense(x) - target).square().sum(), dense.table)
        dense.table.data -= 0.5 * grad
    assert (dense(x) - target).square().mean() < 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_levels": 0}, "num_levels between 1 and 64"),
        ({"features": 3}, "features to be one of 1, 2, 4, 8, got 3"),
        ({"log2_table_size": 33}, "log2_table_size between 1 and 32"),
        ({"base_resolution": [16, 16, 16]}, "base_resolution to have 2 numbers.*got 3"),
        ({"base_resolution": 0}, "base_resolution between 1"),
        ({"finest_resolution": [8, 512]}, "finest_resolution to be at least.*got 8 after 16"),
        ({"finest_resolution": 2**25}, "finest_resolution between 1 and 16777216"),
        ({"num_levels": 1}, "equal base and finest resolutions of a single level"),
        ({"interpolation": "cubic"}, "interpolation to be linear or smoothstep, got 'cubic'"),
        ({"overflow": "wrap"}, "overflow to be hashed or tiled, got 'wrap'"),
    ],
    ids=str,
)
def test_hash_grid_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HashGrid(2, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"resolution": 2.5},
        {"resolution": "12"},
        {"resolution": [True, 3]},
        {"resolution": 3, "sparse": 1},
    ],
    ids=str,
)
def test_dense_grid_refuses_what_is_no_number(options: dict) -> None:
    with pytest.raises(TypeError):
        DenseGrid(2, **options)


def test_dense_grid_refuses_more_rows_than_any_memory_has() -> None:
    with pytest.raises(ValueError, match="at most 68719476736 rows, got"), torch.device("meta"):
        DenseGrid(4, resolution=2**20)
    with pytest.raises(ValueError, match="in_dim between 1 and 4"):
        DenseGrid(5, resolution=3)
