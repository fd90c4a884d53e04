"""Waves against the Hankel function of SciPy, and against finite differences."""

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch

from neurafield.derivatives import Derivatives
from neurafield.errors import SamplingNotice
from neurafield.maps import HelmholtzEquation
from neurafield.problems import Solution, _waves
from neurafield.problems.helmholtz import MEDIA, helmholtz
from tests.problems import finite_differences

AXIS = np.linspace(-0.45, 0.45, 61)
PLACES = np.stack(np.meshgrid(AXIS, AXIS, indexing="ij"), axis=-1).reshape(-1, 2)


def hankel(places: np.ndarray, at: tuple[float, float], wavenumber: float) -> np.ndarray:
    r = np.hypot(*(places - at).T)
    spread = np.exp(-(wavenumber**2) * 1e-4 / 2)
    return 0.25j * (1 + 1j) * spread * scipy.special.hankel2(0, wavenumber * r + 1e-12)


def relative_error(solution: Solution, truth: np.ndarray, at: tuple[float, float]) -> float:
    """Of the field as it is stored, in float32, outside the source's disc."""
    outside = np.hypot(*(PLACES - at).T) > 0.05
    with torch.no_grad():
        values = solution.field.double()(torch.from_numpy(PLACES)).numpy()
    found = values[:, 0] + 1j * values[:, 1]
    return float(np.linalg.norm((found - truth)[outside]) / np.linalg.norm(truth[outside]))


def fast(velocity: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    inside = {
        "square": (np.abs(x) < 0.3) & (np.abs(y) < 0.3),
        "circle": np.hypot(x, y) < 0.1,
        "uniform": np.zeros_like(x, dtype=bool),
    }
    return np.where(inside[velocity], 0.25, 1.0)


@pytest.mark.filterwarnings("ignore::neurafield.errors.KernelNotice")
def test_a_long_wave_is_the_hankel_function() -> None:
    solution = helmholtz(wavenumber=10.0, width=600, source=(0.1, -0.05), seed=3)
    truth = hankel(PLACES, (0.1, -0.05), 10.0)
    found = relative_error(solution, truth, (0.1, -0.05))
    assert found < 0.03
    assert solution.figures["relative_error"] == pytest.approx(found, rel=0.2)
    # An incoming wave, or another source, would be seen.
    assert relative_error(solution, truth.conj() * 1j, (0.1, -0.05)) > 0.5
    assert relative_error(solution, hankel(PLACES, (0.1, 0.05), 10.0), (0.1, -0.05)) > 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neurafield.errors.KernelNotice")
def test_the_published_uniform_medium() -> None:
    solution = helmholtz()
    assert relative_error(solution, hankel(PLACES, (0.0, 0.0), 20.0), (0.0, 0.0)) < 0.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::neurafield.errors.KernelNotice")
@pytest.mark.parametrize(("velocity", "bound"), [("square", 0.07), ("circle", 0.05)])
def test_the_published_inclusions(velocity: str, bound: float) -> None:
    at = MEDIA[velocity].source
    coarse, fine = (
        finite_differences.helmholtz(cells, 20.0, lambda x, y: fast(velocity, x, y), [at], PLACES)[
            :, 0
        ]
        for cells in (200, 400)
    )
    truth = fine + (fine - coarse) / 3
    solution = helmholtz(velocity=velocity)
    assert relative_error(solution, truth, at) < bound
    # The inclusion matters: without it the wave is another one.
    assert relative_error(solution, hankel(PLACES, at, 20.0), at) > 3 * bound


def test_the_oracle_converges_to_the_hankel_function() -> None:
    errors = []
    outside = np.hypot(*PLACES.T) > 0.15
    # A wider source, which coarse grids can hold.
    wider = np.exp(-(10.0**2) * (9e-4 - 1e-4) / 2)
    truth = wider * hankel(PLACES, (0.0, 0.0), 10.0)[outside]
    for cells in (100, 200):
        found = finite_differences.helmholtz(
            cells, 10.0, lambda x, y: np.ones_like(x), [(0.0, 0.0)], PLACES, variance=9e-4
        )[outside, 0]
        errors.append(np.linalg.norm(found - truth) / np.linalg.norm(truth))
    assert errors[1] < 0.005
    assert 3.5 < errors[0] / errors[1] < 4.5


# ---- the equation


def test_an_outgoing_wave_solves_the_stretched_equation_and_decays() -> None:
    # exp(-i k s(x)) with s' = e(x), along the first axis: the layer is transparent to it.
    k, a0 = 7.0, 5.0

    def wave(x: torch.Tensor) -> torch.Tensor:
        depth = (x[:, 0].abs() - 0.5).clamp(min=0)
        path = torch.complex(x[:, 0], -a0 * 4 / 3 * depth**3 * x[:, 0].sign())
        return torch.view_as_real((-1j * k * path).exp())

    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(50, 2, generator=generator, dtype=torch.float64) - 1
    x[:, 1] *= 0.5
    equation = HelmholtzEquation(k, a0)
    with torch.no_grad():
        assert float(equation(Derivatives(wave, x), x).abs().max()) < 1e-9
        assert float(equation(Derivatives(lambda x: wave(x).flip(-1), x), x).abs().max()) > 1
    ends = wave(torch.tensor([[0.5, 0.0], [1.0, 0.0]], dtype=torch.float64)).norm(dim=1)
    assert float(ends[1] / ends[0]) == pytest.approx(np.exp(-k * a0 / 6))


def test_the_source_has_its_weight_and_spread() -> None:
    axis = torch.linspace(-0.1, 0.1, 201, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    mass = _waves.source(x + torch.tensor([0.3, 0.2]), (0.3, 0.2)) * 1e-6
    torch.testing.assert_close(mass.sum(0), torch.ones(2, dtype=torch.float64))
    variance = (mass[:, 0] * x[:, 0] ** 2).sum()
    assert float(variance) == pytest.approx(1e-4, rel=1e-6)


def test_the_closed_form_is_that_of_scipy() -> None:
    found = _waves.outgoing_wave(torch.from_numpy(PLACES[7:50]), (0.1, 0.2), 20.0).numpy()
    np.testing.assert_allclose(found, hankel(PLACES[7:50], (0.1, 0.2), 20.0), rtol=1e-6)


# ---- bad input


def test_a_wave_number_that_the_units_cannot_carry_is_said_with_the_number_to_change() -> None:
    with pytest.warns(
        SamplingNotice, match=r"take width=\d+ \(--width\) or more, or a wave number up to 5"
    ):
        helmholtz(wavenumber=20.0, width=90)


def test_too_few_points_are_said_with_the_number_to_change() -> None:
    with pytest.warns(SamplingNotice, match=r"take num_points=240 \(--points\) or more"):
        helmholtz(wavenumber=5.0, width=120, num_points=200)


@pytest.mark.parametrize(
    ("wavenumber", "pml", "message"),
    [
        (8.0, 0.5, r"too weak for wave number 8, .* take pml=1.5 \(--pml\)"),
        (8.0, 40.0, r"too strong .* take pml=10 \(--pml\) or less"),
        (1.0, 5.0, "too long for this domain.*wave number of 2 or more"),
    ],
)
def test_a_layer_that_does_not_absorb_is_said(wavenumber: float, pml: float, message: str) -> None:
    with pytest.warns(SamplingNotice, match=message):
        solution = helmholtz(wavenumber=wavenumber, pml=pml, width=400)
    # What the notice speaks of is there.
    assert solution.figures["relative_error"] > 0.1


@pytest.mark.parametrize(("pml", "width"), [(1.5, 500), (10.0, 800)])
def test_within_the_bounds_a_layer_absorbs(pml: float, width: int) -> None:
    solution = helmholtz(wavenumber=8.0, pml=pml, width=width)
    assert solution.figures["relative_error"] < 0.05


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wavenumber": 0.0}, "wavenumber to be positive"),
        ({"pml": -1.0}, "pml to be positive"),
        ({"velocity": "triangle"}, "uniform, square, circle, got 'triangle'"),
        ({"source": (0.5, 0.0)}, "source inside"),
        ({"width": 0}, "width between"),
        ({"num_points": 17}, r"num_points \(--points\) between 18"),
    ],
)
def test_it_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        helmholtz(**options)


def test_media_are_where_they_are_said_to_be() -> None:
    for velocity, medium in MEDIA.items():
        places = np.array(list(itertools.product(np.linspace(-0.99, 0.99, 41), repeat=2)))
        found = medium.squared_slowness(torch.from_numpy(places)).numpy()
        np.testing.assert_array_equal(found, fast(velocity, *places.T))
