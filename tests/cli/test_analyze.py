"""`neurafield analyze`, in process: what it leaves, and what it refuses."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurafield import analysis, architectures
from neurafield.cli.analyze import figures as spectrum_figures
from neurafield.cli.main import build_parser, main

Run = Callable[..., "Outcome"]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(["analyze", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return Outcome(ended.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[0:24, 0:32]
    grey = 127 + 60 * np.sin(rows / 5) + 50 * np.cos(columns / 2)
    path = tmp_path / "photo.png"
    Image.fromarray(grey.astype(np.uint8)).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def read(path: str) -> dict:
    return json.loads(Path(path).read_text(), parse_constant=pytest.fail)


def test_the_sum_of_sines(run: Run) -> None:
    outcome = run("spectrum", "--archs", "siren", "relu", "--steps", 60, "--seeds", 4, 5)
    assert outcome.code == 0
    folder = Path("sines-spectrum")
    assert {path.name for path in folder.iterdir()} == {
        *("spectrum.png", "kernel.png", "spectrum.json")
    }
    for name in ("siren", "relu", "sines-spectrum", "never", "rank"):
        assert name in outcome.out
    report = read("sines-spectrum/spectrum.json")
    assert report["bands"] == [[k, k] for k in range(5, 55, 5)]
    assert [each["arch"] for each in report["archs"]] == ["siren", "relu"]
    siren, relu = report["archs"]
    assert abs(relu["params"] / siren["params"] - 1) < 0.05
    # A SIREN has all of it after 60 steps, and a ReLU network nothing.
    for entry, learnt in ((siren, True), (relu, False)):
        assert [each["seed"] for each in entry["runs"]] == [4, 5]
        for each in entry["runs"]:
            assert (None not in each["steps_until_half"]) == learnt
            assert len(each["error"]) == len(each["response"]) == len(each["steps"])
            assert (max(each["error"][-1]) < 0.5) == learnt
    assert siren["exact"]
    assert siren["bias_factor"] < 10
    for entry in (siren, relu):
        assert f"{entry['kernel']['effective_rank']:.1f}" in outcome.out
    assert siren["kernel"]["effective_rank"] > 2 * relu["kernel"]["effective_rank"]
    for name in ("spectrum.png", "kernel.png"):
        assert min(size_of(folder / name)) > 400


def test_the_axis_of_a_kernel_fits_its_values() -> None:
    assert spectrum_figures.lowest_decade(np.array([1.0, 5e-5, 0.0, -1e-12])) == pytest.approx(1e-5)
    assert spectrum_figures.lowest_decade(np.array([1.0, 3e-15])) == 1e-8
    assert spectrum_figures.lowest_decade(np.array([0.0])) == 1.0


@pytest.mark.slow
def test_the_numbers_are_those_of_the_library(run: Run) -> None:
    run("spectrum", "--archs", "fourier", "--steps", 20, "--seeds", 3, "--lr", 2e-3, "--rising")
    (entry,) = read("sines-spectrum/spectrum.json")["archs"]
    sines = analysis.sum_of_sines(rising=True, seed=3)
    plan = architectures.plan(sines.layout.extent, "fourier", seed=3)
    bands = analysis.Harmonics(200, analysis.FREQUENCIES)
    kernel = analysis.kernel_spectrum(plan.field, in_dim=1, num_points=200)
    found = analysis.learn(plan.field, sines, bands, steps=20, lr=2e-3, seed=3)
    assert entry["lr"] == 2e-3
    assert tuple(entry["runs"][0]["steps"]) == found.steps
    np.testing.assert_allclose(entry["runs"][0]["error"], found.error, rtol=1e-4)
    np.testing.assert_allclose(entry["kernel"]["rates"], kernel.rates, rtol=1e-4, atol=1e-12)


def test_a_picture(run: Run, photo: Path) -> None:
    arguments = [photo, "--archs", "relu", "--params", 3000, "--steps", 10, "--seeds", 0]
    outcome = run("spectrum", *arguments, "--out", "here", "--json")
    assert outcome.code == 0
    report = json.loads(outcome.out.splitlines()[-1])
    assert report == read("here/spectrum.json")
    assert report["input"] == "photo.png"
    assert report["shape"] == [24, 32]
    assert report["bands"][0] == [0.5, 1.0]
    assert len(report["bands"]) == 5
    assert abs(report["archs"][0]["params"] / 3000 - 1) < 0.05


@pytest.mark.slow
def test_more_architectures_than_a_row_holds(tmp_path: Path) -> None:
    steps = (0, 1, 10, 100)
    error = np.array([[1, 1, np.nan], [1, 0.4, np.nan], [0.3, 0.1, np.nan], [0.1, 1e-4, np.nan]])
    learning = analysis.Learning(steps, error, 1 - error, "steps")
    fits = {str(i): (f"title {i}", [learning]) for i in range(6)}
    ranges = [(0.5, 1.0), (1.0, 2.0), (2.0, 3.5)]
    path = tmp_path / "figure.png"
    spectrum_figures.save_spectra(path, ranges, fits, response=False)
    assert min(size_of(path)) > 1000


def test_runs_of_which_some_diverged_have_a_figure(tmp_path: Path) -> None:
    def run(count: int, error: float) -> analysis.Learning:
        return analysis.Learning((0, 1, 10, 100)[:count], *2 * [np.full((count, 2), error)], "")

    longest = [run(4, 0.2), run(4, 0.4)]
    steps, error, response = spectrum_figures._mean([run(2, 9.0), *longest])
    assert steps.tolist() == [0, 1, 10, 100]
    np.testing.assert_allclose(error, 0.3)
    np.testing.assert_allclose(response, 0.3)
    fits = {str(n): ("title", [run(n, 0.1), run(max(1, n - 1), 0.1)]) for n in (1, 2, 3, 4)}
    for way in (False, True):
        path = tmp_path / "figure.png"
        spectrum_figures.save_spectra(path, [(0.5, 1.0), (1.0, 2.0)], fits, response=way)
        assert min(size_of(path)) > 400


def interrupt_at(monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    learn, calls = analysis.learn, iter(range(100))
    # Whatever runs the tests in the background may have them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted(*arguments: object, **named: object) -> analysis.Learning:
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGINT)
        return learn(*arguments, **named)

    monkeypatch.setattr(analysis, "learn", interrupted)


def test_interrupted_it_keeps_what_has_finished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--archs", "relu", "tanh", "siren", "--steps", 5, "--seeds", 0, 1]
    interrupt_at(monkeypatch, call=3)
    outcome = run("spectrum", *arguments, "--out", "a", "--json")
    assert outcome.code == 130
    assert "interrupted; a contains 1 of 3 architectures" in outcome.err
    assert [entry["arch"] for entry in read("a/spectrum.json")["archs"]] == ["relu"]
    assert json.loads(outcome.out.splitlines()[-1]) == read("a/spectrum.json")
    assert Path("a/spectrum.png").exists()
    interrupt_at(monkeypatch, call=1)
    outcome = run("spectrum", *arguments, "--out", "b")
    assert outcome.code == 130
    assert "nothing was written" in outcome.err
    assert not Path("b").exists()


def test_no_architecture_is_fitted_before_all_are_planned(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "learn", pytest.fail)
    monkeypatch.setattr(analysis, "kernel_spectrum", pytest.fail)
    arguments = ["--archs", "relu", "tri-plane", "--params", 3000]
    check_refused(run("spectrum", *arguments), "tri-plane")


def test_a_large_field_has_fewer_points(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [photo, "--archs", "relu", "--params", 3000, "--steps", 2, "--seeds", 0]
    run("spectrum", *arguments, "--out", "a")
    monkeypatch.setattr(analysis.ntk, "_MAX_NUMBERS", 4000)
    outcome = run("spectrum", *arguments, "--out", "b")
    assert "relu, kernel" in outcome.err
    for folder, points in (("a", 32), ("b", 16)):
        (entry,) = read(f"{folder}/spectrum.json")["archs"]
        assert entry["kernel"]["points"] == points
        assert len(entry["kernel"]["eigenvalues"]) == points - 1


def check_refused(outcome: Outcome, *words: str) -> None:
    assert outcome.code == 2
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1, outcome.err
    for word in words:
        assert word in outcome.err, outcome.err


def test_check_refused_can_fail() -> None:
    for bad in (Outcome(0, "", "no"), Outcome(2, "{}", "no"), Outcome(2, "", "a\nb")):
        with pytest.raises(AssertionError):
            check_refused(bad, "no")
    with pytest.raises(AssertionError):
        check_refused(Outcome(2, "", "no"), "yes")


def test_it_refuses(run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relu = ("--archs", "relu")
    check_refused(run(), "ANALYSIS")
    check_refused(run("spectrum"), "--archs")
    check_refused(run("spectrum", "--archs", "rleu"), "rleu", "relu")
    check_refused(run("spectrum", "--archs", "relu", "relu"), "--archs", "different")
    check_refused(run("spectrum", *relu, "--seeds", 1, 1), "--seeds", "different")
    check_refused(run("spectrum", *relu, "--sedes", 1), "--sedes", "--seeds")
    check_refused(run("spectrum", photo, *relu, "--rising"), "--rising", "INPUT")
    check_refused(run("spectrum", "none.png", *relu), "none.png")
    check_refused(run("spectrum", *relu, "--params", 3), "3", "params")
    monkeypatch.setattr("neurafield.cli.analyze.run.MAX_SAMPLES", 767)
    check_refused(run("spectrum", photo, *relu), "767", "768", "part")
    Path("full").mkdir()
    Path("full/precious").write_text("")
    check_refused(run("spectrum", *relu, "--out", "full"), "full", "--force")
    assert not Path("photo-spectrum").exists()


def test_the_list_of_options_is_frozen() -> None:
    commands = build_parser()._subparsers._group_actions[0].choices
    (analyses,) = commands["analyze"]._subparsers._group_actions
    assert set(analyses.choices) == {"spectrum"}
    options = {o for a in analyses.choices["spectrum"]._actions for o in a.option_strings}
    assert {option for option in options if option.startswith("--")} == {
        *("--help", "--archs", "--rising", "--params", "--steps", "--seeds", "--lr", "--threads"),
        *("--out", "--force", "--json"),
    }
