"""Encodings against recursions and plain NumPy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import ndtr, sph_harm_y

from neurafield.derivatives import Jet
from neurafield.encodings import (
    Composite,
    DenseGrid,
    Enrichment,
    GaussianEmbedding,
    HashGrid,
    Identity,
    LogPositional,
    OneBlob,
    Positional,
    RandomFourier,
    SphericalHarmonics,
    SuperGaussianEmbedding,
    TriangleWave,
    coord_channels,
)
from neurafield.encodings.hash_grid import growing_resolutions
from neurafield.geometry import Grid


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


# ---- log-spaced, bumps, triangles


def grid_points(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, shape)


def test_identity_is_the_identity() -> None:
    x = torch.rand(5, 3)
    assert torch.equal(Identity(3)(x), x)


def test_log_positional_is_its_formula() -> None:
    x = grid_points(7, 3)
    phases = [np.pi * 11 ** (j / 5) * x for j in range(5)]
    expected = np.concatenate([f(p) for p in phases for f in (np.sin, np.cos)], axis=-1)
    got = LogPositional(3, 5, sigma=11.0)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-13)


def test_log_positional_at_a_power_of_two_is_positional() -> None:
    x = torch.from_numpy(grid_points(7, 2))
    octaves = Positional(2, 6, include_input=False)(x)
    torch.testing.assert_close(LogPositional(2, 6, sigma=64.0)(x), octaves, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="sigma to be at most 16777216"):
        LogPositional(2, 6, sigma=2.0**25)


def centres(num: int) -> np.ndarray:
    return np.linspace(-1 + 1 / num, 1 - 1 / num, num)


def test_gaussian_embedding_is_its_formula() -> None:
    x = 2 * grid_points(7, 3)  # Also outside the box.
    expected = np.exp(-((x[..., None] - centres(5)) ** 2) / (2 * 0.3**2)).reshape(7, 15)
    got = GaussianEmbedding(3, 5, sigma=0.3)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert got.max() > 0.9


def test_super_gaussian_embedding_is_its_formula_and_a_narrower_gaussian() -> None:
    x = grid_points(7, 2)
    bump = np.exp(-((x[..., None] - centres(5)) ** 2) / (2 * 0.7**2))
    got = SuperGaussianEmbedding(2, 5, sigma=0.7, power=3.0)(torch.from_numpy(x))
    np.testing.assert_allclose(got.numpy(), (bump**3).reshape(7, 10), rtol=1e-12)
    narrow = GaussianEmbedding(2, 5, sigma=0.7 / math.sqrt(3))(torch.from_numpy(x))
    torch.testing.assert_close(got, narrow)


def test_one_blob_is_a_gaussian_counted_in_bins() -> None:
    x = 1.5 * grid_points(11, 3)
    edges = np.linspace(-1, 1, 9)
    expected = np.diff(ndtr((edges - x[..., None]) / (2 / 8))).reshape(11, 24)
    got = OneBlob(3, 8)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-14)


def test_one_blob_loses_what_leaves_the_box() -> None:
    x = torch.tensor([0.0, 0.03, -1.0, 1.0, 3.0], dtype=torch.float64)[:, None]
    sums = OneBlob(1, 32)(x).sum(-1)
    expected = torch.tensor([1, 1, 0.5, 0.5, 0], dtype=torch.float64)
    torch.testing.assert_close(sums, expected, rtol=0, atol=1e-12)


def test_triangle_wave_is_an_arcsine() -> None:
    x = grid_points(101, 2)
    octaves = [
        2 / np.pi * np.arcsin(np.cos(2 * np.pi * (2.0 ** (k - 2) * (x + 1) + k / 4)))
        for k in range(5)
    ]
    got = TriangleWave(2, 5)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(got, np.concatenate(octaves, axis=-1), atol=1e-12)


def test_the_slowest_triangle_wave_tells_all_places_apart() -> None:
    x = torch.linspace(-1, 1, 101)[:, None]
    assert (TriangleWave(1, 1)(x).diff(dim=0) < 0).all()
    # Two float32 places near 0 that only the finest octave tells apart.
    near = torch.tensor([[1e-7], [2e-7]])
    assert TriangleWave(1, 24)(near).diff(dim=0)[0, -1].abs() > 0.5
    with pytest.raises(ValueError, match="num_octaves between 1 and 24"):
        TriangleWave(1, 25)


# ---- spherical harmonics


def directions(num: int) -> np.ndarray:
    v = np.random.default_rng(0).normal(size=(num, 3))
    # The poles and the axes too, where the angles are special.
    v = np.concatenate([v, np.eye(3), -np.eye(3)])
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


@pytest.mark.parametrize("degree", [1, 2, 8, 32])
def test_spherical_harmonics_are_those_of_scipy(degree: int) -> None:
    v = directions(50)
    polar, around = np.arccos(v[:, 2]), np.arctan2(v[:, 1], v[:, 0])
    expected = []
    for l in range(degree + 1):  # noqa: E741
        for m in range(-l, l + 1):
            y = (-1) ** m * sph_harm_y(l, abs(m), polar, around)
            expected.append(y.real if m == 0 else math.sqrt(2) * (y.real if m > 0 else y.imag))
    harmonics = SphericalHarmonics(degree)
    got = harmonics(torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(got, np.stack(expected, axis=-1), atol=1e-13)
    rounded = harmonics(torch.from_numpy(v).float()).double().numpy()
    np.testing.assert_allclose(rounded, got, atol=1e-5)


def test_spherical_harmonics_are_orthonormal() -> None:
    # Gauss-Legendre in height, equal steps around: exact for the products of these.
    height, weights = np.polynomial.legendre.leggauss(8)
    around = 2 * np.pi * np.arange(16) / 16
    z, angle = np.repeat(height, 16), np.tile(around, 8)
    ring = np.sqrt(1 - z**2)
    v = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=-1)
    y = SphericalHarmonics(7)(torch.from_numpy(v)).numpy()
    gram = y.T @ (np.repeat(weights, 16)[:, None] * y) * 2 * np.pi / 16
    np.testing.assert_allclose(gram, np.eye(64), atol=1e-13)


def test_spherical_harmonics_off_the_sphere_grow_with_the_degree() -> None:
    v = torch.from_numpy(directions(7))
    degrees = torch.tensor([l for l in range(6) for _ in range(2 * l + 1)]).double()  # noqa: E741
    harmonics = SphericalHarmonics(5)
    torch.testing.assert_close(harmonics(1.7 * v), 1.7**degrees * harmonics(v))
    at_zero = harmonics(torch.zeros(3))
    assert at_zero[0] == pytest.approx(math.sqrt(1 / (4 * math.pi)))
    assert not at_zero[1:].any()


def test_spherical_harmonics_are_harmonic() -> None:
    found = SphericalHarmonics(6).jet(Jet.root(torch.from_numpy(grid_points(5, 3))))
    assert found.laplacian.abs().max() < 1e-12
    assert found.jacobian[..., 1:, :].abs().amax(-1).min() > 1e-6


# ---- composite


def test_a_composite_is_its_parts_side_by_side() -> None:
    x = torch.from_numpy(grid_points(7, 6))
    place, view = Positional(3, 2), SphericalHarmonics(2)
    expected = torch.cat([place(x[:, :3]), view(x[:, 3:])], dim=-1)
    assert torch.equal(Composite([place, view])(x), expected)
    crossed = Composite([view, place], axes=[[5, 0, 2], [1, 4, 3]])
    expected = torch.cat([view(x[:, [5, 0, 2]]), place(x[:, [1, 4, 3]])], dim=-1)
    assert torch.equal(crossed(x), expected)


def test_a_composite_hands_on_the_tables_of_its_parts() -> None:
    grid = DenseGrid(2, resolution=3)
    assert Composite([Identity(1), Composite([grid])]).tables()[0] is grid.table


@pytest.mark.parametrize(
    ("parts", "axes", "message"),
    [
        ([], None, "at least one part"),
        ([Identity(2)], [[0]], r"in_dim \[2\], got \[\[0\]\]"),
        ([Identity(2)], [[0, 1], [1, 0]], r"in_dim \[2\]"),
        ([Identity(2)], [[0, 2]], "none for coordinate 1"),
        ([Identity(2)], [[0, -1]], "axis between 0"),
        ([{"type": "Siren", "hyperparams": {}}], None, "encodings: expected one of .*'Siren'"),
        ([{"type": "Identity"}], None, "a type and hyperparams for each component"),
    ],
)
def test_a_composite_refuses(parts: list, axes: list | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Composite(parts, axes=axes)


# ---- coordinate channels


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 5)], ids=str)
def test_coord_channels_are_the_centres_of_cells(shape: tuple[int, ...]) -> None:
    features = torch.rand(2, 7, *shape)
    got = coord_channels(features, radius=True)
    assert torch.equal(got[:, :7], features)
    coords = Grid.centres(shape).coords(np.arange(math.prod(shape))).mT.reshape(-1, *shape)
    radius = np.linalg.norm(coords.numpy(), axis=0, keepdims=True)
    for item in got:
        torch.testing.assert_close(item[7:-1], coords)
        torch.testing.assert_close(item[-1:], torch.from_numpy(radius))
    assert coord_channels(features).shape == (2, 7 + len(shape), *shape)


def test_coord_channels_refuse_what_is_no_feature_map() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 3\)"):
        coord_channels(torch.zeros(2, 3))
    with pytest.raises(TypeError, match=r"floating-point|Float"):
        coord_channels(torch.zeros(2, 3, 4, dtype=torch.int64))


def test_a_convolution_can_learn_where_it_is_with_coord_channels_only() -> None:
    # A least-squares fit of the row number by a 1x1 convolution.
    target = Grid.centres((7, 5)).coords(np.arange(35))[:, 0]
    plain = torch.ones(1, 1, 7, 5)
    for features, exact in ((plain, False), (coord_channels(plain), True)):
        columns = features[0].flatten(1).mT
        weights = torch.linalg.lstsq(columns, target[:, None]).solution
        assert (((columns @ weights)[:, 0] - target).abs().max() < 1e-5) == exact


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
    jump = found.weighted_hessian[0, 2:, 0] - found.weighted_hessian[1, 2:, 0]
    torch.testing.assert_close(jump, torch.tensor([300.0, 300.0], dtype=torch.float64))
    assert float(found.value[:, 2:].abs().max()) < 1e-6
    assert float(found.jacobian[:, 2:].abs().max()) < 1e-6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "1 to 1024 points and shapes, got 0"),
        ({"points": [[0.0]]}, "points of 2 finite values"),
        ({"points": [[0.0, float("nan")]]}, "points of 2 finite values"),
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
        ({"base_resolution": [16, 16, 16]}, "base_resolution to have 2 values.*got 3"),
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
