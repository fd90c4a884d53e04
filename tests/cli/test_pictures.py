"""`neurafield blend` and `neurafield solve poisson-image`."""

import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurafield import load, problems
from neurafield.fit import Progress
from neurafield.signals import Samples

from .test_cli import Run, check_refused
from .test_cli import photo as photo
from .test_cli import run as run


@pytest.fixture
def source() -> Path:
    rows, columns = np.mgrid[0:23, 0:31]
    grey = (127 + 90 * np.sin(rows * columns / 40)).astype(np.uint8)
    Image.fromarray(np.stack([grey, grey // 2, 255 - grey], -1)).save("source.png")
    mask = (np.hypot(rows - 11, columns - 15) < 7).astype(np.uint8) * 255
    Image.fromarray(mask).save("mask.png")
    return Path("source.png")


def pixels(path: str | Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_blend_mixes(run: Run, photo: Path, source: Path) -> None:
    outcome = run("blend", photo, source, "--out", "b.png", "--mix", "0.25")
    assert outcome.code == 0
    assert "b.png: 31 x 23" in outcome.out
    expected = 0.25 * pixels(photo) + 0.75 * pixels(source)
    assert np.abs(pixels("b.png") - expected).max() < 3
    check_refused(run("blend", photo, source, "--out", "b.png"), "b.png", "--force")
    assert run("blend", photo, source, "--out", "b.png", "--force").code == 0


def test_blend_clones(run: Run, photo: Path, source: Path) -> None:
    assert run("blend", photo, source, "--mask", "mask.png", "--out", "b.tif").code == 0
    outside = pixels("mask.png") == 0
    difference = np.abs(pixels("b.tif") - pixels(photo))
    assert difference[outside].max() <= 2
    assert difference[outside].mean() < 0.5
    assert difference[~outside].max() > 30


def test_blend_refuses(run: Run, photo: Path, source: Path) -> None:
    Image.fromarray(np.zeros((5, 6), np.uint8)).save("small.png")
    Image.fromarray(np.zeros((23, 31), np.uint8)).save("black.png")
    Path("sound.wav").write_bytes(b"RIFF")
    out = ["--out", "b.png"]
    check_refused(run("blend", photo, source, "--mask", "small.png", *out), "31 x 23", "6 x 5")
    check_refused(run("blend", photo, source, "--mask", "black.png", *out), "bright")
    check_refused(run("blend", photo, "small.png", *out), "one size")
    check_refused(run("blend", photo, "missing.png", *out), "missing.png")
    check_refused(run("blend", photo, source, "--out", "b.wav"), "b.wav", ".png")
    check_refused(run("blend", photo, source, "--mix", "2", *out), "from 0 to 1", "'2'")
    check_refused(run("blend", photo, source, "--mask", "mask.png", "--mix", "0.9", *out), "--mix")
    check_refused(run("blend", photo, source), "--out")
    assert not Path("b.png").exists()


def test_inputs_are_never_overwritten(run: Run, photo: Path, source: Path) -> None:
    Path("folder").mkdir()
    for victim in (photo, source, Path("mask.png")):
        before = victim.read_bytes()
        out = ["--out", f"folder/../{victim.name}", "--force"]
        check_refused(
            run("blend", photo, source, "--mask", "mask.png", *out),
            victim.name,
            "other than the inputs",
        )
        assert victim.read_bytes() == before
    before = photo.read_bytes()
    options = ["--out", photo.with_suffix(".field"), "--force"]
    check_refused(
        run("solve", "poisson-image", photo, *options), "photo.png", "other than the inputs"
    )
    assert photo.read_bytes() == before
    assert not photo.with_suffix(".field").exists()


@pytest.mark.parametrize("kind", ["gradient", "laplacian"])
def test_poisson_image(run: Run, photo: Path, kind: str) -> None:
    outcome = run("solve", "poisson-image", photo, "--from", kind, "--json")
    assert outcome.code == 0
    figures = json.loads(Path("photo-poisson-image.json").read_text())
    assert figures["psnr"] is None or figures["psnr"] > 50
    assert figures[f"{kind}_psnr"] > 70
    assert outcome.json["figure"] == "photo-poisson-image.png"
    file = load("photo-poisson-image.field")
    assert (file.fit["source"], file.fit["seed"]) == (kind, 0)
    assert run("render", "photo-poisson-image.field", "--out", "again.png").code == 0
    assert np.abs(pixels("again.png") - pixels(photo)).max() <= 2


def test_poisson_image_of_another_size_by_a_network(run: Run, photo: Path) -> None:
    options = ["--size", 12, 14, "--arch", "siren", "--steps", 3, "--seed", 5]
    options += ["--derivatives", "filter"]
    outcome = run("solve", "poisson-image", photo, *options, "--out", "p.field")
    assert outcome.code == 0
    assert json.loads(Path("p.json").read_text())["steps"] == 3
    assert load("p.field").signal["grid"]["shape"] == [12, 14]
    assert load("p.field").fit["seed"] == 5


def test_poisson_image_refuses(run: Run, photo: Path) -> None:
    check_refused(run("solve", "poisson-image", photo, "--from", "curl"), "curl", "laplacian")
    check_refused(run("solve", "poisson-image", photo, "--arch", "vgg"), "vgg", "siren")
    check_refused(run("solve", "poisson-image", photo, "--seed", 7), "--seed", "got 7", "--arch")
    check_refused(run("solve", "poisson-image", "missing.png"), "missing.png")
    check_refused(run("solve", "poisson-image", photo, "--size", 2, 2), "3 to 4,096 pixels")
    check_refused(run("solve", "poisson-image"), "PHOTO")


def test_a_diverged_poisson_image_is_a_status(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Samples.batch

    def poisoned(self, *arguments, **options):
        query, target = real(self, *arguments, **options)
        return query, target * math.nan

    monkeypatch.setattr(Samples, "batch", poisoned)
    options = ("--arch", "siren", "--steps", 90, "--size", 12, 14)
    outcome = run("solve", "poisson-image", photo, *options)
    check_refused(outcome, "poisson-image: the loss of constraint 'derivatives'", code=3)
    assert {path.name for path in Path().iterdir()} == {"photo.png"}


@pytest.fixture
def pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed after the second step."""

    def press(progress: Progress) -> None:
        if progress.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    for name in ("poisson_image", "blend"):
        solve = getattr(problems, name)

        def wrapped(*arguments, solve=solve, callbacks, **options):
            return solve(*arguments, callbacks=[*callbacks, press], **options)

        monkeypatch.setattr(problems, name, wrapped)


@pytest.mark.parametrize("arch", ["spline", "siren"])
def test_ctrl_c_keeps_what_was_found(run: Run, photo: Path, pressed: None, arch: str) -> None:
    before = signal.getsignal(signal.SIGINT)
    outcome = run("solve", "poisson-image", photo, "--arch", arch, "--json")
    assert outcome.code == 130
    assert "interrupted at step 2; photo-poisson-image.field holds the result so far" in outcome.err
    assert (outcome.json["status"], outcome.json["steps"]) == ("interrupted", 2)
    assert load("photo-poisson-image.field").fit["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_keeps_what_was_blended(run: Run, photo: Path, source: Path, pressed: None) -> None:
    outcome = run("blend", photo, source, "--mask", "mask.png", "--out", "b.png")
    assert outcome.code == 130
    assert "interrupted at step 2; b.png holds the result so far" in outcome.err
    assert pixels("b.png").shape == (23, 31, 3)
