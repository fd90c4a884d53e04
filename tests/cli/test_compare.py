"""`neurafield compare`: equal sizes, spread over seeds, learning rates, the page."""

import base64
import io
import json
import math
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from neurafield import load
from neurafield.architectures import ARCHITECTURES
from neurafield.cli.compare import run as compare
from neurafield.cli.compare.comparison import Entry, Run
from neurafield.cli.compare.page_chart import chart
from neurafield.cli.compare.page_pictures import worst_part

from .test_cli import Outcome, check_refused
from .test_cli import Run as Command
from .test_cli import photo as photo
from .test_cli import run as run

FILES = {"compare.html", "compare.json", "compare.md", "curves.png", "pictures.png"}


def report(folder: str = "c") -> dict:
    return json.loads(Path(folder, "compare.json").read_text())


def check_page(text: str) -> None:
    """One file: nothing is fetched, and every picture in it can be read."""
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text) + re.findall(r"url\(([^)]*)\)", text)
    embedded = [address for address in addresses if address.startswith("data:image/")]
    assert all(address in embedded or address.startswith("#") for address in addresses)
    assert "://" not in text
    assert "@import" not in text
    assert embedded
    for address in embedded:
        data = base64.b64decode(address.split(",", 1)[1])
        assert np.asarray(Image.open(io.BytesIO(data))).ndim >= 2


def test_it_leaves_tables_a_page_pictures_and_curves(run: Command, photo: Path) -> None:
    outcome = run(
        *("compare", photo, "--archs", "siren", "relu", "--params", 9000, "--steps", 12),
        *("--seeds", 0, 5, "--out", "c"),
    )
    assert outcome.code == 0
    assert {path.name for path in Path("c").iterdir()} == {*FILES, "relu.field", "siren.field"}
    found = report()["architectures"]
    assert [entry["arch"] for entry in found] == ["siren", "relu"]
    for entry in found:
        assert abs(entry["params"] / 9000 - 1) < 0.05
        assert [one["seed"] for one in entry["runs"]] == [0, 5]
        values = [one["psnr"] for one in entry["runs"]]
        assert entry["psnr"]["mean"] == pytest.approx(np.mean(values))
        assert entry["psnr"]["std"] == pytest.approx(np.std(values, ddof=1))
        assert len(entry["runs"][0]["curve"]["steps"]) == 12
        assert load(f"c/{entry['arch']}.field").field.num_parameters == entry["params"]
        assert Path(f"c/{entry['arch']}.field").stat().st_size == entry["bytes"]
    table = Path("c/compare.md").read_text()
    for text in (table, outcome.out):
        assert f"{found[0]['bytes']:,}" in text
        assert "seeds 0, 5" in text
        assert f"{found[0]['psnr']['mean']:.2f} ± {found[0]['psnr']['std']:.2f}" in text
        assert "within 5%" in text
    page = Path("c/compare.html").read_text()
    check_page(page)
    assert page.count("<figure>") == 3
    assert page.count("<polyline") == 4
    for name in ("curves.png", "pictures.png"):
        assert np.asarray(Image.open(Path("c") / name)).std() > 0
    check_refused(run("compare", photo, "--archs", "siren", "--out", "c"), "c", "--force")


def test_check_page_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_page('<img src="picture.png"><img src="data:image/png;base64,AAAA">')


@pytest.mark.slow
def test_the_best_is_first(run: Command, photo: Path) -> None:
    names = ["relu", "dense"]
    run("compare", photo, "--archs", *names, "--params", 9000, "--steps", 60, "--out", "c")
    found = {entry["arch"]: entry["psnr"]["mean"] for entry in report()["architectures"]}
    assert list(found) == names
    rows = [row for row in Path("c/compare.md").read_text().splitlines() if row.startswith("| ")]
    assert [row.split()[1] for row in rows[1:]] == sorted(names, key=lambda n: -found[n])
    assert "One run, seed 0" in Path("c/compare.md").read_text()


def test_tune_takes_the_best_of_its_trials(run: Command, photo: Path) -> None:
    options = ["--params", 9000, "--steps", 20, "--lr", 0.003, "--tune", "--out", "c"]
    assert run("compare", photo, "--archs", "relu", *options).code == 0
    (entry,) = report()["architectures"]
    tried = {trial["lr"]: trial["psnr"] for trial in entry["tried"]}
    assert list(tried) == pytest.approx([0.001, 0.003, 0.009])
    assert entry["lr"] == max(tried, key=lambda lr: tried[lr])
    assert entry["runs"][0]["steps"] == 20
    edge = entry["lr"] != pytest.approx(0.003)
    assert ("* |" in Path("c/compare.md").read_text()) == edge


def test_time_ends_a_run(run: Command, photo: Path) -> None:
    run("compare", photo, "--archs", "relu", "--params", 9000, "--time", 0.2, "--out", "c")
    (only,) = report()["architectures"][0]["runs"]
    assert only["status"] == "time"
    assert only["seconds"] >= 0.2
    assert report()["steps"] is None


@pytest.mark.slow
def test_all_takes_those_that_serve(
    run: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {name: ARCHITECTURES[name] for name in ("relu", "hash", "k-planes", "bacon")}
    monkeypatch.setattr("neurafield.architectures.names.ARCHITECTURES", some)
    options = ["--params", 400, "--steps", 3, "--out", "c"]
    outcome = run("compare", photo, "--archs", "all", *options)
    assert outcome.code == 0
    assert [entry["arch"] for entry in report()["architectures"]] == ["relu"]
    assert set(report()["left_out"]) == {"hash", "k-planes", "bacon"}
    assert "400 are too few" in report()["left_out"]["hash"]
    assert "bacon comes no closer than 436" in report()["left_out"]["bacon"]
    assert "Left out: hash" in outcome.out
    check_refused(run("compare", photo, "--archs", "all", "--params", 300), "no architecture")


def test_interrupted_it_keeps_what_has_finished(
    run: Command, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_one = compare.compare_one

    def interrupted(plan: object, *rest: object, **named: object) -> object:
        if plan.arch == "tanh":
            os.kill(os.getpid(), signal.SIGINT)
        return compare_one(plan, *rest, **named)

    monkeypatch.setattr(compare, "compare_one", interrupted)
    options = ["--params", 9000, "--steps", 5, "--out", "c"]
    outcome = run("compare", photo, "--archs", "relu", "tanh", "siren", *options)
    assert outcome.code == 130
    assert "interrupted; c contains 1 of 3 architectures" in outcome.err
    assert [entry["arch"] for entry in report()["architectures"]] == ["relu"]
    assert report()["interrupted"] is True
    assert "Interrupted" in Path("c/compare.md").read_text()
    check_page(Path("c/compare.html").read_text())
    check_nothing_done(run("compare", photo, "--archs", "tanh", *options[:-1], "d"))


def check_nothing_done(outcome: Outcome) -> None:
    assert outcome.code == 130
    assert "before the first run had finished" in outcome.err
    assert not Path("d/compare.html").exists()


@pytest.mark.slow
def test_sound(run: Command) -> None:
    time = np.arange(2000) / 8000
    soundfile.write("tone.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 8000)
    options = ["--params", 5000, "--steps", 5, "--out", "c"]
    assert run("compare", "tone.wav", "--archs", "siren", "cp", *options).code == 0
    page = Path("c/compare.html").read_text()
    check_page(page)
    assert "waveform" in page
    assert report()["architectures"][0]["ssim"] is None
    refused = run("compare", "tone.wav", "--archs", "tri-plane", "--params", 5000, "--out", "d")
    check_refused(refused, "1 coordinates", "audio")


@pytest.mark.slow
def test_volume_shows_its_middle_slice(run: Command) -> None:
    np.save("volume.npy", np.random.default_rng(0).random((6, 17, 19)).astype(np.float32))
    options = ["--params", 5000, "--steps", 3, "--out", "c"]
    assert run("compare", "volume.npy", "--archs", "siren", "vm", *options).code == 0
    page = Path("c/compare.html").read_text()
    check_page(page)
    assert "middle slice" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--archs", "siren", "vgg"], ["vgg"]),
        (["--archs", "siren", "siren"], ["different"]),
        (["--archs", "siren", "--seeds", "3", "3"], ["--seeds", "different"]),
        (["--archs", "siren", "--params", "5"], ["5"]),
        (["--archs", "siren", "--out", "no/where"], ["no"]),
    ],
)
def test_it_refuses(run: Command, photo: Path, options: list[str], words: list[str]) -> None:
    check_refused(run("compare", photo, *options), *words)
    assert not Path("photo-compare").exists()


def test_list_names_every_architecture(run: Command) -> None:
    outcome = run("compare", "--list")
    assert outcome.code == 0
    names = {line.split()[0] for line in outcome.out.splitlines() if not line.startswith(" ")}
    assert set(ARCHITECTURES) <= names
    assert max(map(len, outcome.out.splitlines())) <= 80


def test_spread_of_exact_and_undefined_figures() -> None:
    runs = [Run(k, value, None, 1, 1.0, "steps", {}) for k, value in enumerate((20.0, 22.0))]
    entry = Entry("relu", 10, 0.1, None, runs=runs)
    assert entry.spread("psnr") == pytest.approx((21.0, math.sqrt(2)))
    assert entry.spread("ssim") is None
    entry.runs.append(Run(2, math.inf, None, 1, 1.0, "steps", {}))
    assert entry.spread("psnr") == (math.inf, 0.0)
    assert entry.as_json()["psnr"] == {"mean": None, "std": 0.0}
    json.dumps(entry.as_json(), allow_nan=False)


def test_chart_keeps_the_order_of_numbers() -> None:
    steps = [1.0, 10.0, 100.0]
    drawn = chart("steps", {"a<b": (steps, [10.0, 20.0, 30.0])}, {"a<b": "red"})
    (points,) = re.findall(r'points="([^"]*)"', drawn)
    places = np.array([[float(v) for v in point.split(",")] for point in points.split()])
    across, down = np.diff(places, axis=0).T
    # Decades are equally wide, and higher is further up.
    assert across[0] == pytest.approx(across[1], abs=0.2)
    assert (across > 0).all()
    assert (down < 0).all()
    assert "a&lt;b" in drawn
    assert chart("steps", {}, {}) == ""


def test_the_worst_part_is_where_the_error_is() -> None:
    truth = np.zeros((60, 90))
    view = truth.copy()
    view[40:44, 70:75] = 1.0
    rows, columns = worst_part([view, truth], truth, sound=False)
    assert rows.start <= 40 < 44 <= rows.stop
    assert columns.start <= 70 < 75 <= columns.stop
    assert view[rows, columns].size < truth.size / 9
    sound = np.zeros(5000)
    (stretch,) = worst_part([np.eye(1, 5000, 1234)[0]], sound, sound=True)
    assert stretch.start <= 1234 < stretch.stop
