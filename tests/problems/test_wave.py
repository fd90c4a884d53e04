"""The wave equation against finite differences, which share no code with it."""

import numpy as np
import pytest
import torch

from neurafield.errors import SamplingNotice
from neurafield.problems.wave import PUBLISHED_SIGMA, exact_wave, wave


def leapfrog(sigma: float, duration: float, half: float, size: int = 201) -> np.ndarray:
    """Second-order differences in time and space; at rest at first, zero at the sides."""
    axis = np.linspace(-half, half, size)
    spacing = axis[1] - axis[0]
    steps = int(np.ceil(duration / (0.5 * spacing)))
    ratio = (duration / steps / spacing) ** 2
    u = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * sigma**2))

    def laplacian(u: np.ndarray) -> np.ndarray:
        found = np.zeros_like(u)
        found[1:-1, 1:-1] = (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
        return found

    before, now = u, u + 0.5 * ratio * laplacian(u)
    for _ in range(steps - 1):
        before, now = now, 2 * now - before + ratio * laplacian(now)
    return now


def relative(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def grid(duration: float, half: float, size: int) -> torch.Tensor:
    axis = torch.linspace(-half, half, size, dtype=torch.float64)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([torch.full_like(rows, duration), rows, columns], -1).reshape(-1, 3)


def test_the_closed_form_is_what_differences_converge_to() -> None:
    errors = [
        relative(
            exact_wave(grid(0.2, 0.6, size), 0.1).reshape(size, size).numpy(),
            leapfrog(0.1, 0.2, 0.6, size),
        )
        for size in (51, 101, 201)
    ]
    assert errors[0] > 3.5 * errors[1] > 3.5**2 * errors[2]
    assert errors[2] < 2e-3
    start = grid(0.0, 0.6, 51)
    torch.testing.assert_close(
        exact_wave(start, 0.1), torch.exp(-start[:, 1:].square().sum(1) / 0.02)
    )


def test_a_wave_of_another_speed_would_be_seen() -> None:
    x = grid(0.2, 0.6, 51)
    slow = x * torch.tensor([0.9, 1.0, 1.0])
    assert relative(exact_wave(slow, 0.1).numpy(), exact_wave(x, 0.1).numpy()) > 0.05


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        ({"sigma": 0.1}, 0.03),
        pytest.param({"sigma": 0.05}, 0.02, marks=pytest.mark.slow),
        pytest.param({"seed": 1}, 0.03, marks=pytest.mark.slow),
    ],
)
def test_the_wave_at_the_end(options: dict, limit: float) -> None:
    found = wave(**options)
    sigma = options.get("sigma", PUBLISHED_SIGMA)
    half = 0.2 + 4 * sigma
    # The finer the pulse, the finer the differences.
    size = 2 * round(20 * half / sigma) + 1
    with torch.no_grad():
        parts = [found.field(x) for x in grid(0.2, half, size).float().split(4096)]
    u = torch.cat(parts).reshape(size, size).double().numpy()
    error = relative(u, leapfrog(sigma, 0.2, half, size))
    assert error < limit
    assert found.figures["relative_error"] == pytest.approx(error, abs=5e-3)
    assert [panel.values.shape for panel in found.panels] == [(161, 161)] * 3


def test_the_same_seed_gives_the_same_wave() -> None:
    a, b = (wave(sigma=0.2).field.state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_too_few_units_are_told() -> None:
    with pytest.warns(SamplingNotice, match="width=720, a larger sigma"):
        found = wave(sigma=0.1, width=200)
    assert found.figures["relative_error"] > 0.05


@pytest.mark.parametrize("name", ["sigma", "duration", "width"])
def test_bad_arguments_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        wave(**{name: 0})


def test_a_duration_in_which_nothing_moves_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"wave: expected duration of at least 0\.001 sigma = 0\.0001"
    ):
        wave(sigma=0.1, duration=9e-5)
    assert wave(sigma=0.1, duration=1e-4, width=400).figures["relative_error"] < 0.01


def test_the_published_window_grows_with_the_steps() -> None:
    from neurafield.domains import Box
    from neurafield.signals import Interior
    from recipes.siren_wave import Growing

    inner = Interior(Box((0.0, -1.0, -1.0), (0.4, 1.0, 1.0)))
    signal = Growing(inner, steps=100)
    for step, window in ((0, 0.004), (49, 0.2), (99, 0.4), (500, 0.4)):
        x, _ = signal.batch(2000, seed=0, step=step)
        assert x[:, 0].max().item() == pytest.approx(window, rel=0.01)
        assert torch.equal(x[:, 1:], inner.batch(2000, seed=0, step=step)[0][:, 1:])
    assert signal.fingerprint() != Growing(inner, steps=50).fingerprint()
