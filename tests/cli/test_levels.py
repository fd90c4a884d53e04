"""`fit --levels`, `render --lod` and what `info` tells of levels."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import neurafield
from neurafield import signals
from neurafield.fit import metrics

from .test_cli import Run, check_refused
from .test_cli import photo as photo
from .test_cli import run as run


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def level_psnr(path: str, original: Path, lod: int) -> float:
    field = neurafield.load(path).field
    return metrics.evaluate(field.at_lod(lod), signals.load(original)).psnr


def test_levels_are_trained_drawn_and_told(run: Run, photo: Path) -> None:
    options = ("--steps", 60, "--params", 9000)
    assert run("fit", photo, "--out", "plain.field", *options).code == 0
    fitted = run("fit", photo, "--out", "levels.field", *options, "--levels", "--json")
    assert fitted.code == 0
    told = json.loads(run("info", "levels.field", "--json").out)
    last = told["num_lods"] - 1
    assert last >= 3
    assert told["fit"]["levels"] is True
    assert f"num_lods: {last + 1}" in run("info", "plain.field").out
    assert "every level trained: yes\n" in run("info", "levels.field").out

    coarse = run("render", "levels.field", "--out", "coarse.png", "--lod", 0)
    assert (coarse.code, coarse.err.count("--levels")) == (0, 0)
    assert run("render", "levels.field", "--out", "whole.png").code == 0
    assert run("render", "levels.field", "--out", "last.png", "--lod", last).code == 0
    assert np.array_equal(pixels("last.png"), pixels("whole.png"))
    assert not np.array_equal(pixels("coarse.png"), pixels("whole.png"))
    assert level_psnr("levels.field", photo, 0) > level_psnr("plain.field", photo, 0) + 3
    assert level_psnr("levels.field", photo, last) > level_psnr("levels.field", photo, 0)


def test_levels_that_were_not_trained_are_told_once(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--steps", 5).code == 0
    outcome = run("render", "photo.field", "--out", "coarse.png", "--lod", 0)
    assert outcome.code == 0
    assert outcome.err.count("--levels") == 1
    last = neurafield.load("photo.field").field.num_lods - 1
    assert "--levels" not in run("render", "photo.field", "--out", "b.png", "--lod", last).err


def test_levels_that_are_not_there_are_refused(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--steps", 1).code == 0
    num_lods = neurafield.load("photo.field").field.num_lods
    outcome = run("render", "photo.field", "--out", "a.png", "--lod", num_lods)
    check_refused(outcome, "photo.field", f"{num_lods} levels", f"got {num_lods}")
    check_refused(run("render", "photo.field", "--out", "a.png", "--lod", -1), "-1")
    assert not Path("a.png").exists()
    assert run("fit", photo, "--arch", "relu", "--steps", 1, "--out", "relu.field").code == 0
    check_refused(run("render", "relu.field", "--out", "a.png", "--lod", 1), "one level", "got 1")
    assert run("render", "relu.field", "--out", "a.png", "--lod", 0).code == 0
    check_refused(run("fit", photo, "--arch", "siren", "--levels", "--force"), "siren", "bacon")


def test_bacon_trains_its_levels_unasked(run: Run, photo: Path) -> None:
    assert run("fit", photo, "--arch", "bacon", "--params", 9000, "--steps", 100).code == 0
    told = json.loads(run("info", "photo.field", "--json").out)
    assert told["field"]["hyperparams"]["network"]["type"] == "Bacon"
    assert told["fit"]["levels"] is True
    found = [level_psnr("photo.field", photo, lod) for lod in range(told["num_lods"])]
    assert found[-1] > found[0] > 15


def test_a_run_is_resumed_with_its_levels(
    run: Run,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from neurafield.tasks import training as command

    options = ("--levels", "--steps", 12, "--params", 4000)
    assert run("fit", photo, *options, "--out", "whole.field").code == 0

    def stop_early(*arguments, should_stop, callbacks, **given):
        steps = []
        return neurafield.fit.fit(
            *arguments,
            callbacks=[*callbacks, steps.append],
            should_stop=lambda: len(steps) >= 5,
            **given,
        )

    with monkeypatch.context() as patch:
        patch.setattr(command, "fit", stop_early)
        assert run("fit", photo, *options).code == 130
    assert run("fit", photo, "--resume").code == 0
    assert Path("photo.field").read_bytes() == Path("whole.field").read_bytes()


def test_target_psnr_is_that_of_the_last_level(run: Run, photo: Path) -> None:
    outcome = run("fit", photo, "--levels", "--target-psnr", 22, "--steps", 500, "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["psnr"] >= 22
