"""`neurafield solve helmholtz`, `solve inversion` and `solve wave`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from neurafield import load
from neurafield.problems._waves import outgoing_wave

from .test_cli import Run, check_refused
from .test_cli import run as run


def test_helmholtz_leaves_field_figure_and_report(run: Run) -> None:
    outcome = run("solve", "helmholtz", "--wavenumber", 5, "--width", 500, "--out", "w.field")
    assert outcome.code == 0
    assert "w.field: relative error" in outcome.out
    report = json.loads(Path("w.json").read_text())
    assert report["relative_error"] < 0.15
    assert Path("w.png").stat().st_size > 10_000
    found = load("w.field")
    assert found.fit["wavenumber"] == 5
    assert found.field(torch.zeros(3, 2)).shape == (3, 2)


def test_helmholtz_refuses_what_it_has_no_use_for(run: Run) -> None:
    check_refused(run("solve", "helmholtz", "--steps", 3), "--steps", "one least-squares solve")
    check_refused(run("solve", "helmholtz", "--time", 3), "--time", "one least-squares solve")
    check_refused(run("solve", "helmholtz", "--velocity", "triangle"), "triangle", "circle")
    check_refused(run("solve", "helmholtz", "--source", 0.7, 0), "source inside")


# A problem with extreme values is sampled too coarsely, which is no failure.
@pytest.mark.filterwarnings("ignore::neurafield.errors.SamplingNotice")
def test_values_that_overflow_are_refused(run: Run) -> None:
    for option, low, high in (("--pml", None, 1e6), ("--wavenumber", 1e-3, 1e3)):
        for value in (high * 1.01, 1e300, *([low * 0.99, 1e-300] if low else [])):
            check_refused(run("solve", "helmholtz", option, value), option[2:], f"{high:g}")
    for option in ("--sigma", "--duration"):
        for value in (1e300, 1.01e6, 0.99e-6):
            check_refused(run("solve", "wave", option, value), option[2:], "1e-06 to 1e+06")
    for problem, *extreme in (
        *(("helmholtz", "--pml", value) for value in (1e6, 1e-300)),
        *(("helmholtz", "--wavenumber", value) for value in (1e3, 1e-3)),
        ("wave", "--sigma", 1e-6, "--duration", 1e6),
        ("wave", "--sigma", 1e6, "--duration", 1e6),
    ):
        assert run("solve", problem, *extreme, "--width", 20, "--force").code == 0


def test_inversion_reads_a_recording(run: Run) -> None:
    sources = [[-0.3, -0.36], [0.3, -0.36]]
    ears = np.array([[x, 0.4] for x in np.linspace(-0.3, 0.3, 7)])
    waves = [outgoing_wave(torch.from_numpy(ears), at, 5.0).numpy() for at in sources]
    values = np.stack(waves, axis=1) * np.exp(0.2j)
    np.savez("r.npz", source=sources, receivers=ears, rec_val=values)
    options = ["--wavenumber", 5, "--width", 200, "--steps", 1, "--json"]
    outcome = run("solve", "inversion", "r.npz", *options)
    assert outcome.code == 0
    report = json.loads(outcome.out.splitlines()[-1])
    assert report["misfit"] < report["misfit_at_start"]
    # Phases that come early mean a medium that is faster, of less slowness.
    assert report["extreme_contrast"] < 0
    assert load("r-inversion.field").field.out_dim == 5
    check_refused(run("solve", "inversion", "none.npz"), "none.npz")


def test_wave_leaves_field_figure_and_report(run: Run) -> None:
    outcome = run("solve", "wave", "--sigma", 0.1, "--out", "w.field")
    assert outcome.code == 0
    assert json.loads(Path("w.json").read_text())["relative_error"] < 0.05
    assert Path("w.png").stat().st_size > 10_000
    found = load("w.field")
    assert found.fit["sigma"] == 0.1
    assert found.field(torch.zeros(3, 3)).shape == (3, 1)


def test_wave_refuses_what_it_has_no_use_for(run: Run) -> None:
    check_refused(run("solve", "wave", "--steps", 3), "--steps", "one least-squares solve")
    check_refused(run("solve", "wave", "--time", 3), "--time", "one least-squares solve")
    check_refused(run("solve", "wave", "--sigma", 0), "--sigma")
