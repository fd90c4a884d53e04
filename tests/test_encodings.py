"""Encodings against recursions and plain NumPy."""

import math

import numpy as np
import pytest
import torch

from neurafield.encodings import Positional, RandomFourier


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
