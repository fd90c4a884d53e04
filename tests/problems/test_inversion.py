"""A medium from its echoes, which finite differences made."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neurafield.errors import SamplingNotice, SignalError
from neurafield.maps import HelmholtzEquation, helmholtz
from neurafield.problems import _waves, inversion
from neurafield.problems._media import MODEL_UNITS, ContrastModel, WaveSolver
from neurafield.signals import Recording
from neurafield.signals import recording as waves_recorded
from tests.problems import finite_differences


def ring(sources: int, receivers: int) -> tuple[np.ndarray, np.ndarray]:
    """Sources along the bottom, receivers along the other three sides."""
    line = np.linspace(-0.34, 0.34, sources)
    t = np.linspace(-0.36, 0.36, receivers // 3)
    sides = [[t, 0 * t + 0.4], [0 * t + 0.4, t], [0 * t - 0.4, t]]
    return (
        np.stack([line, 0 * line - 0.36], axis=1),
        np.concatenate([np.stack(side, axis=1) for side in sides]),
    )


def bump(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth slow spot, off the middle."""
    return 1 + 0.4 * np.exp(-((x - 0.1) ** 2 + (y + 0.08) ** 2) / 2 / 0.1**2)


def disc(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Fast, with a sharp edge."""
    return np.where(np.hypot(x + 0.08, y - 0.05) < 0.12, 0.5, 1.0)


def record(
    medium: finite_differences.Medium, sources: int, receivers: int, wavenumber: float, cells: int
) -> Recording:
    at, ears = ring(sources, receivers)
    found = finite_differences.helmholtz(cells, wavenumber, medium, at.tolist(), ears)
    return Recording(at, ears, found)


def as_tensors(medium: finite_differences.Medium) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.from_numpy(medium(*x.numpy().T))


def test_it_finds_a_slow_spot() -> None:
    recording = record(bump, 3, 18, 10.0, 160)
    solution = inversion(
        recording, wavenumber=10.0, width=700, steps=4, roughness=1e-4, reference=as_tensors(bump)
    )
    figures = solution.figures
    assert figures["misfit"] < figures["misfit_at_start"] / 5
    assert np.hypot(*(np.array(figures["centre"]) - [0.1, -0.08])) < 0.1
    assert 0.2 < figures["extreme_contrast"] < 0.6
    assert figures["model_error"] < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("medium", "at", "sign", "error"),
    [(bump, (0.1, -0.08), 1, 0.1), (disc, (-0.08, 0.05), -1, 0.5)],
)
def test_five_sources_and_thirty_receivers(
    medium: finite_differences.Medium, at: tuple[float, float], sign: int, error: float
) -> None:
    recording = record(medium, 5, 30, 20.0, 400)
    figures = inversion(recording, roughness=1e-4, reference=as_tensors(medium)).figures
    assert figures["misfit"] < figures["misfit_at_start"] / 5
    assert np.hypot(*(np.array(figures["centre"]) - at)) < 0.1
    assert sign * figures["extreme_contrast"] > 0
    assert figures["model_error"] < error


def test_the_field_holds_the_waves_and_the_medium() -> None:
    recording = record(bump, 2, 12, 8.0, 160)
    with pytest.warns(UserWarning, match="hidden units are too few"):
        solution = inversion(recording, wavenumber=8.0, width=150, steps=2)
    with torch.no_grad():
        values = solution.field(torch.from_numpy(recording.receivers).float()).double()
    assert values.shape == (12, 5)
    found = torch.view_as_complex(values[:, :4].reshape(12, 2, 2).contiguous()).numpy()
    misfit = np.linalg.norm(found - recording.values) / np.linalg.norm(recording.values)
    assert misfit == pytest.approx(solution.figures["misfit"], abs=1e-3)
    axis = torch.linspace(-0.38, 0.38, 101)
    with torch.no_grad():
        medium = solution.field(torch.cartesian_prod(axis, axis))[:, -1]
    panel = torch.from_numpy(solution.panels[0].values).flatten().float()
    torch.testing.assert_close(medium, panel, atol=3e-3, rtol=0)


def test_the_derivative_of_what_is_recorded_is_that_of_finite_differences() -> None:
    at, ears = ring(2, 9)
    recording = Recording(at, ears, np.ones((9, 2), dtype=complex))
    generator = torch.Generator().manual_seed(0)
    field = _waves.wave_field(600, 2, 8.0, generator, sources=at.tolist())
    solver = WaveSolver(field, recording, HelmholtzEquation(8.0, 5.0), 2400, 0)
    model = ContrastModel(16.0, 0.38, generator)
    units = model.units(solver.inner)
    weights = 0.01 * torch.randn(MODEL_UNITS, generator=generator, dtype=torch.float64)
    direction = torch.randn(MODEL_UNITS, generator=generator, dtype=torch.float64)

    def recorded(t: float) -> Tensor:
        return solver.solve(units @ (weights + t * direction)).recorded

    expected = (recorded(1e-4) - recorded(-1e-4)) / 2e-4
    found = solver.solve(units @ weights).slope(units) @ direction.to(torch.complex128)
    # Not to the last digit: a term as small as the equation's residual is left out.
    assert float((found - expected).norm() / expected.norm()) < 0.05
    assert float((found.conj() - expected).norm() / expected.norm()) > 0.5


def test_where_no_step_helps_what_is_undefined_is_none() -> None:
    at, ears = ring(1, 6)
    recording = Recording(at, ears, np.ones((6, 1), dtype=complex))
    solution = inversion(
        recording,
        wavenumber=4.0,
        width=100,
        roughness=1e200,
        reference=lambda x: torch.ones_like(x[:, 0]),
    )
    assert solution.figures["steps"] == 0
    assert solution.figures["centre"] is None
    assert solution.figures["model_error"] is None
    json.dumps(dict(solution.figures), allow_nan=False)


def test_settings_are_checked_as_those_of_helmholtz() -> None:
    at, ears = ring(1, 6)
    recording = Recording(at, ears, np.ones((6, 1), dtype=complex))
    with pytest.raises(ValueError, match=r"inversion: expected num_points \(--points\) between 18"):
        inversion(recording, num_points=3)
    with pytest.warns(SamplingNotice, match=r"inversion: a layer of strength 1 .* pml=3 \(--pml"):
        inversion(recording, wavenumber=4.0, width=60, pml=1.0, steps=1)


# ---- recordings


def test_a_recording_is_read_from_a_file(tmp_path: Path) -> None:
    at, ears = ring(2, 6)
    values = np.arange(12).reshape(6, 2) * (1 + 2j)
    np.savez(tmp_path / "r.npz", source=at, receivers=ears, rec_val=values)
    found = Recording.load(tmp_path / "r.npz")
    np.testing.assert_array_equal(found.values, values)
    np.testing.assert_array_equal(found.sources, at)


def test_a_file_that_lacks_something_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "r.npz", source=np.zeros((2, 2)))
    with pytest.raises(SignalError, match=r"r.npz: expected a file with source, receivers"):
        Recording.load(tmp_path / "r.npz")
    with pytest.raises(SignalError, match=r"none.npz"):
        Recording.load(tmp_path / "none.npz")


def test_files_of_other_kinds_are_refused_in_one_sentence(tmp_path: Path) -> None:
    at, ears = ring(2, 6)
    np.savez(tmp_path / "whole.npz", source=at, receivers=ears, rec_val=np.full((6, 2), 1j))
    whole = (tmp_path / "whole.npz").read_bytes()
    np.save(tmp_path / "one.npy", at)
    # A MATLAB file of version 7.3 is HDF5 behind 512 bytes that say so.
    header = b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM"
    contents = {
        "empty.npz": b"",
        "empty.mat": b"",
        "short.npz": whole[:-30],
        "flipped.npz": whole.replace(np.float64(at[0, 0]).tobytes(), bytes(8)),
        "noise.mat": bytes(range(256)),
        "new.mat": header.ljust(512) + b"\x89HDF\r\n\x1a\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    hints = {"one.npy": "one array without a name", "new.mat": "-v7"}
    for name in [*contents, "one.npy"]:
        with pytest.raises(SignalError, match=rf"{name}: expected.*{hints.get(name, '')}"):
            Recording.load(tmp_path / name)
    assert Recording.load(tmp_path / "whole.npz").values.shape == (6, 2)


def test_shapes_that_do_not_fit_are_refused() -> None:
    at, ears = ring(2, 6)
    with pytest.raises(SignalError, match=r"values of shape \(6, 2\)"):
        Recording(at, ears, np.ones((2, 6), dtype=complex))
    with pytest.raises(SignalError, match=r"sources of two coordinates below 0\.5"):
        Recording(2 * at, ears, np.ones((6, 2), dtype=complex))
    with pytest.raises(SignalError, match="finite values"):
        Recording(at, ears, np.full((6, 2), np.nan + 0j))


def test_a_region_beyond_the_layer_is_refused() -> None:
    at, ears = ring(2, 6)
    with pytest.raises(ValueError, match=r"region below 0.5, got 0.6"):
        inversion(Recording(at, ears, np.ones((6, 2), dtype=complex)), region=0.6)


def test_sources_and_receivers_lie_inside_the_absorbing_layer() -> None:
    """Two files that may not import each other state the same half-side."""
    assert helmholtz.LAYER == waves_recorded.INNER
