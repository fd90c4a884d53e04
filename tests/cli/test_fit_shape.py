"""`neurafield fit` of meshes and points, in process."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from neurafield import load
from neurafield.shapes import ShapeLayout

from .test_cli import Run, check_refused
from .test_cli import run as run

SMALL = ("--params", 9000, "--threads", 1)


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurafield.signals import distances
    from neurafield.tasks import shape_distance

    monkeypatch.setattr(shape_distance, "_MEASURED", 500)
    monkeypatch.setattr(shape_distance, "_MEASURED_INSIDE", 2**14)
    # The hook that checks shapes has defaults of its own.
    made = distances.DistanceSamples.__init__
    defaults = {**made.__kwdefaults__, "num_points": 4000}
    monkeypatch.setattr(made, "__kwdefaults__", defaults)


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    path = tmp_path / "ring.ply"
    trimesh.creation.torus(30.0, 12.0, 24, 12).export(path)
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(500, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    path = tmp_path / "points.xyz"
    np.savetxt(path, 7 * x + 100)
    return path


def test_a_mesh_becomes_a_field_of_its_distance(run: Run, ring: Path) -> None:
    outcome = run("fit", ring, "--steps", 60, "--json", *SMALL)
    assert outcome.code == 0
    figures = outcome.json
    keys = {"surface_error", "iou", "steps", "seconds", "params", "bytes", "file"}
    assert figures.keys() == keys
    assert 0 < figures["iou"] <= 1
    file = load("ring.field")
    layout = ShapeLayout.from_spec(file.signal)
    assert layout.quantity.name == "sdf"
    # The outer radius fills 0.9.
    assert layout.frame.scale == pytest.approx(42 / 0.9, rel=0.01)
    for word in ("error near the surface", "IoU", "60 steps"):
        assert word in outcome.err
    told = run("info", "ring.field", "--json").json
    assert told["signal"]["quantity"] == "sdf"
    assert told["fit"]["arch"] == "hash"


@pytest.mark.parametrize(
    ("steps", "poor"), [(2, True), pytest.param(500, False, marks=pytest.mark.slow)]
)
def test_a_poor_fit_is_told(run: Run, ring: Path, steps: int, poor: bool) -> None:
    outcome = run("fit", ring, "--steps", steps, "--json", *SMALL)
    assert (outcome.json["iou"] < 0.9) == poor
    assert ("More steps, time or parameters help" in outcome.err) == poor


@pytest.mark.parametrize("quantity", ["tsdf", "occupancy", "udf"])
def test_every_quantity_by_name(run: Run, ring: Path, quantity: str) -> None:
    outcome = run("fit", ring, "--quantity", quantity, "--steps", 3, "--json", *SMALL)
    assert outcome.code == 0
    assert load("ring.field").signal["quantity"] == quantity
    assert ("iou" in outcome.json) == (quantity != "udf")
    assert ("surface_error" in outcome.json) == (quantity != "occupancy")


def test_points_without_normals(run: Run, points: Path) -> None:
    outcome = run("fit", points, "--steps", 20, "--json", *SMALL)
    assert 0 < outcome.json["iou"] <= 1
    layout = ShapeLayout.from_spec(load("points.field").signal)
    assert layout.frame.centre == pytest.approx((100, 100, 100), abs=1)


@pytest.mark.parametrize("arch", ["siren", "positional", "dense", "nglod"])
def test_architectures_by_name(run: Run, ring: Path, arch: str) -> None:
    options = ("--arch", arch, "--steps", 1, "--params", 20_000, "--threads", 1)
    assert run("fit", ring, *options).code == 0
    assert load("ring.field").fit["arch"] == arch


def test_an_interrupted_run_goes_on_to_the_same_bytes(
    run: Run, ring: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.cli.fit import run as command

    assert run("fit", ring, "--steps", 6, "--out", "whole.field", *SMALL).code == 0
    asked: list[int] = []

    def third_time() -> bool:
        asked.append(1)
        return len(asked) == 4

    with monkeypatch.context() as patch:
        patch.setattr(command, "interruption", lambda: contextlib.nullcontext(third_time))
        cut = run("fit", ring, "--steps", 6, "--out", "cut.field", *SMALL)
    assert cut.code == 130
    assert "step 3" in cut.err
    other = run("fit", ring, "--out", "cut.field", "--resume", "--quantity", "udf")
    check_refused(other, "quantity sdf", "got udf")
    assert run("fit", ring, "--out", "cut.field", "--resume").code == 0
    assert (tmp_path / "whole.field").read_bytes() == (tmp_path / "cut.field").read_bytes()


def test_what_makes_no_sense_is_refused(run: Run, ring: Path, tmp_path: Path) -> None:
    check_refused(run("fit", ring, "--target-psnr", 30), "ring.ply", "no PSNR")
    check_refused(run("fit", ring, "--truncation", 0.2), "ring.ply", "tsdf")
    assert run("fit", ring, "--quantity", "depth").code == 2
    np.save("v.npy", np.random.default_rng(0).uniform(0, 1, (4, 4, 4)))
    check_refused(run("fit", "v.npy", "--quantity", "sdf"), "v.npy", "mesh or points")
    (tmp_path / "empty.ply").write_bytes(b"")
    check_refused(run("fit", "empty.ply"), "empty.ply", "empty")


def test_other_kinds_of_files_name_those_of_shapes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "scene.gltf").write_bytes(b"{}")
    check_refused(run("fit", "scene.gltf"), "scene.gltf", ".obj", ".glb")


def test_an_open_mesh_is_told_of_distances_without_sign(run: Run, ring: Path) -> None:
    trimesh.creation.box((2.0, 2.0, 1.0)).export("box.ply")
    box = trimesh.load("box.ply", process=False)
    sheet = trimesh.Trimesh(box.vertices, box.faces[:5], process=False)
    sheet.export("sheet.ply")
    options = ("--steps", 1, *SMALL)
    assert "--quantity udf" in run("fit", "sheet.ply", *options).err
    assert "udf" not in run("fit", "sheet.ply", "--quantity", "udf", "--force", *options).err
    assert "udf" not in run("fit", ring, *options).err


def test_a_log_is_written(run: Run, ring: Path, tmp_path: Path) -> None:
    assert run("fit", ring, "--steps", 10, "--log", "log.jsonl", *SMALL).code == 0
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()
    assert json.loads(line)["terms"].keys() == {"sdf"}
