"""`tasks.fit_file`: everything that `neurafield fit` does, from Python."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trimesh
from jaxtyping import TypeCheckError
from PIL import Image

import neurafield as nf
from neurafield.container import read_sealed, write_sealed
from neurafield.errors import ArgumentError, FieldFileError, SignalError
from neurafield.fit import Progress

from ..cli.test_cli import Run, check_refused
from ..cli.test_cli import photo as photo
from ..cli.test_cli import run as run
from .few_points import measure_few_points


@pytest.fixture(autouse=True)
def few_points(monkeypatch: pytest.MonkeyPatch) -> None:
    measure_few_points(monkeypatch)


def picture(folder: Path) -> Path:
    rows, columns = np.mgrid[0:17, 0:13]
    path = folder / "picture.png"
    Image.fromarray((8 * rows + 9 * columns).astype(np.uint8)).save(path)
    return path


def sound(folder: Path) -> Path:
    path = folder / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(np.arange(701) / 9), 8000, subtype="PCM_16")
    return path


def clip(folder: Path) -> Path:
    path = folder / "clip.mp4"
    rows = np.arange(32, dtype=np.float32)[:, None, None] / 16 - 1
    frames = np.broadcast_to(rows, (3, 32, 48, 3)).copy()
    grid = nf.Grid.centres((3, 32, 48))
    layout = nf.signals.VideoLayout(
        grid=grid, channels=3, dtype="uint8", low=0.0, high=255.0, frame_rate="24"
    )
    layout.write(path, iter([((frames + 1) * 127.5).astype(np.uint8)]))
    return path


def volume(folder: Path) -> Path:
    path = folder / "volume.npy"
    np.save(path, np.random.default_rng(0).uniform(0, 1, (5, 7, 3)))
    return path


def mesh(folder: Path) -> Path:
    path = folder / "ring.ply"
    trimesh.creation.torus(30.0, 12.0, 24, 12).export(path)
    return path


def points(folder: Path) -> Path:
    return _points(folder / "points.xyz", normals=False)


def oriented_points(folder: Path) -> Path:
    return _points(folder / "oriented.xyz", normals=True)


def _points(path: Path, *, normals: bool) -> Path:
    x = np.random.default_rng(0).normal(size=(500, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    np.savetxt(path, np.concatenate([7 * x + 100, x], axis=1) if normals else 7 * x + 100)
    return path


KINDS = (picture, sound, clip, volume, mesh, points, oriented_points)


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_it_leaves_the_bytes_of_the_command(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    assert run("fit", path, "--steps", 6, "--seed", 3, "--out", "command.field").code == 0
    result = nf.tasks.fit_file(path, steps=6, seed=3)
    result.save(tmp_path / "library.field")
    assert Path("library.field").read_bytes() == Path("command.field").read_bytes()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_result_has_field_figures_and_course(tmp_path: Path) -> None:
    result = nf.tasks.fit_file(picture(tmp_path), arch="relu", params=2000, steps=40, lr=2e-3)
    assert (result.status, result.finished, result.message, result.warning) == (
        "steps",
        True,
        "",
        "",
    )
    assert (result.arch, result.steps, result.settings.lr) == ("relu", 40, 2e-3)
    assert result.seconds > 0
    assert result.psnr == pytest.approx(10 * math.log10(4 / result.mse))
    assert -1 <= result.ssim <= 1
    assert result.iou is None
    assert result.surface_error is None
    for word in ("PSNR", "SSIM", f"{result.field.num_parameters:,} parameters", "40 steps"):
        assert word in result.summary


def test_a_shape_has_other_figures(tmp_path: Path) -> None:
    result = nf.tasks.fit_file(mesh(tmp_path), params=9000, steps=3)
    assert result.psnr is None
    assert 0 <= result.iou < 0.9
    assert result.surface_error > 0
    assert "More steps, time or parameters" in result.warning
    assert result.settings.quantity == "sdf"
    assert result.notices == []
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).export(tmp_path / "sheet.ply")
    unmeasured = dataclasses.replace(result, figures={})
    assert unmeasured.summary.startswith("not measured, ")
    (notice,) = nf.tasks.fit_file(tmp_path / "sheet.ply", params=9000, steps=1).notices
    assert "open" in notice
    assert "udf" in notice


def test_a_missed_target_is_a_warning(tmp_path: Path) -> None:
    result = nf.tasks.fit_file(picture(tmp_path), target_psnr=90, steps=2)
    assert "before 90 dB" in result.warning


def test_an_exact_fit_has_infinite_psnr(tmp_path: Path) -> None:
    result = nf.tasks.fit_file(picture(tmp_path), target_psnr=90, steps=1)
    exact = dataclasses.replace(result, figures={"mse": 0.0, "psnr": None, "ssim": 1.0})
    assert (exact.psnr, exact.warning) == (math.inf, "")
    assert exact.summary.startswith("exact, SSIM 1.0000, ")


def test_an_interrupted_run_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    path, kept = picture(tmp_path), tmp_path / "run.checkpoint"
    seen: list[Progress] = []
    cut = nf.tasks.fit_file(
        path,
        steps=9,
        checkpoint=kept,
        callbacks=[seen.append],
        should_stop=lambda: len(seen) >= 4,
    )
    assert (cut.status, cut.steps, cut.finished, cut.psnr) == ("interrupted", 4, False, None)
    assert cut.summary.startswith("not measured, ")
    cut.save(tmp_path / "early.field")
    assert kept.exists(), "an unfinished run keeps its checkpoint"
    with pytest.raises(FieldFileError, match=r"expected seed 0, .* got 1"):
        nf.tasks.fit_file(path, checkpoint=kept, resume=True, seed=1)
    result = nf.tasks.fit_file(path, checkpoint=kept, resume=True)
    assert (result.status, result.steps) == ("steps", 9)
    result.save(tmp_path / "resumed.field")
    assert not kept.exists()
    nf.tasks.fit_file(path, steps=9).save(tmp_path / "whole.field")
    assert Path(tmp_path / "resumed.field").read_bytes() == (tmp_path / "whole.field").read_bytes()


def test_without_resume_a_checkpoint_is_replaced(tmp_path: Path) -> None:
    path, kept = picture(tmp_path), tmp_path / "run.checkpoint"
    nf.tasks.fit_file(path, steps=5, checkpoint=kept)
    assert nf.tasks.fit_file(path, steps=2, checkpoint=kept).steps == 2


def test_a_diverged_fit_is_a_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = nf.signals.Image.batch

    def poisoned(self, size, *, seed, step, stream=0):
        query, target = real(self, size, seed=seed, step=step, stream=stream)
        return query, target * math.nan

    monkeypatch.setattr(nf.signals.Image, "batch", poisoned)
    result = nf.tasks.fit_file(picture(tmp_path), steps=90)
    assert (result.status, result.finished, result.psnr) == ("diverged", False, None)
    assert result.summary.startswith("not measured, ")
    assert "'data'" in result.message


WRONG = (
    *(("lr", value) for value in (0, -1.0, math.nan, math.inf, 10**400, "x", True)),
    *(("threads", value) for value in (0, -1, 1025, 10**9, 2.0, True)),
    *(("seed", value) for value in (-1, 2**63, 2**200, "a", 1.5)),
    *(("levels", value) for value in ("no", 0, 1)),
    *(("arch", value) for value in (5, True)),
    *(("quantity", value) for value in ("", "sfd", 3)),
    *(("params", value) for value in (0, -3, 2**41, "9")),
    *(("steps", value) for value in (-1, 2**41, "x", 1.0)),
    *(("time", value) for value in (0, -1, "x")),
    *(("target_psnr", value) for value in (0, math.nan)),
    *(("truncation", value) for value in (0, False)),
)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_refused_by_name(name: str, value: object) -> None:
    # With the type checker of the tests, a wrong type does not reach the library's own check.
    words = rf"fit: expected {name} to be .*, got|parameter {name}="
    with pytest.raises((ArgumentError, TypeCheckError), match=words):
        nf.tasks.Settings(**{name: value})


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_checkpoint_with_a_wrong_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    started = {**dataclasses.asdict(nf.tasks.Settings(arch="hash", seed=0, steps=9)), name: value}
    monkeypatch.setattr(nf.tasks.settings, "read_settings", lambda path: started)
    words = rf"run\.checkpoint: .*expected {name} |parameter {name}="
    with pytest.raises((FieldFileError, TypeCheckError), match=words):
        nf.tasks.Settings().resumed(tmp_path / "run.checkpoint")


@pytest.mark.parametrize(
    "changed", [{"arch": "nope"}, {"quantity": "sdf", "truncation": 0.1}, {"threads": 10**9}]
)
def test_a_checkpoint_with_settings_of_no_run_is_named(
    run: Run, photo: Path, changed: dict[str, object]
) -> None:
    nf.tasks.fit_file(photo, steps=2, arch="relu", checkpoint="f.field.checkpoint")
    tensors, header = read_sealed(Path("f.field.checkpoint"))
    header["settings"] |= changed
    write_sealed(Path("f.field.checkpoint"), tensors, header)
    check_refused(
        run("fit", photo, "--resume", "--out", "f.field"), "f.field.checkpoint", "--force"
    )


def test_a_setting_is_used_as_given(tmp_path: Path) -> None:
    settings = {"arch": "bacon", "params": 3000, "steps": 2}
    for levels, expected in ((None, True), (True, True), (False, False)):
        result = nf.tasks.fit_file(picture(tmp_path), levels=levels, **settings)
        assert (result.settings.levels, result.about["levels"]) == (expected, expected)
        problem = result.task.problem(result.plan, result.settings)
        assert isinstance(problem, list) is expected
    result = nf.tasks.fit_file(picture(tmp_path), steps=0, seed=2**63 - 1)
    assert (result.steps, result.settings.seed) == (0, 2**63 - 1)


def test_bad_input_is_an_error_of_the_library(tmp_path: Path) -> None:
    path = picture(tmp_path)
    with pytest.raises(SignalError, match="no such file"):
        nf.tasks.fit_file(tmp_path / "missing.png")
    with pytest.raises(ArgumentError, match="mesh or points for quantity"):
        nf.tasks.fit_file(path, quantity="sdf")
    with pytest.raises(ArgumentError, match="no target PSNR"):
        nf.tasks.fit_file(mesh(tmp_path), target_psnr=30)
    with pytest.raises(ArgumentError, match="tsdf"):
        nf.tasks.fit_file(mesh(tmp_path), truncation=0.2)
    with pytest.raises(ArgumentError, match="Did you mean siren"):
        nf.tasks.fit_file(path, arch="sirn")
    with pytest.raises(ArgumentError, match="params"):
        nf.tasks.fit_file(path, params=-3)
    with pytest.raises(ArgumentError, match="levels of detail"):
        nf.tasks.fit_file(path, arch="siren", levels=True)
    with pytest.raises(ArgumentError, match="lr"):
        nf.tasks.fit_file(path, lr=-1.0)
    nf.tasks.fit_file(path, steps=1).save(tmp_path / "p.field")
    with pytest.raises(ArgumentError, match="got a field"):
        nf.tasks.fit_file(tmp_path / "p.field")
