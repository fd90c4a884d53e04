"""`neurafield evaluate`: spheres in all kinds of fields and meshes, whose measures are known."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from neurafield import Field, encodings, networks, save
from neurafield.geometry import Frame
from neurafield.shapes import Mesh, ShapeLayout, implicit_kind, write_mesh

from .test_cli import Run, check_refused
from .test_cli import photo as photo
from .test_cli import run as run

sys.path.append(str(Path(__file__).parents[1] / "shapes"))
import shape_files as make

CELLS, RADIUS = 32, 0.6
FRAME = Frame(centre=(100.0, -20.0, 3.0), scale=5.0)
FEW = ("--points", 4000, "--threads", 1)
COARSE = ("--resolution", 32, *FEW)


def write_sphere(path: Path, radius: float, part: slice = slice(None)) -> Path:
    vertices, faces = make.sphere(radius, 24)
    places = torch.from_numpy(vertices * FRAME.scale) + torch.tensor(FRAME.centre).double()
    write_mesh(Mesh(places, torch.tensor(faces)[part]), path)
    return path


def sphere_field(path: Path, quantity: str = "sdf", times: tuple | None = None) -> Path:
    """A sphere's distance on a grid, so exact but between its vertices."""
    dims = 3 if times is None else 4
    cells = CELLS if times is None else 4
    grid = encodings.DenseGrid(dims, resolution=cells, features=1)
    linear = networks.Linear(1, 1)
    ticks = torch.linspace(-1, 1, cells + 1)
    places = torch.stack(torch.meshgrid([ticks] * 3, indexing="ij"), -1)
    distance = places.norm(dim=-1) - RADIUS
    values = {"occupancy": -20 * distance, "udf": distance.abs()}.get(
        quantity, implicit_kind(quantity).target(distance)
    )
    with torch.no_grad():
        if times is None:
            grid.table.copy_(values.reshape(grid.table.shape))
        linear.layer.weight.fill_(1)
        linear.layer.bias.zero_()
    layout = ShapeLayout(frame=FRAME, quantity=implicit_kind(quantity), times=times)
    save(path, Field(linear, encoding=grid), signal=layout.spec())
    return path


@pytest.mark.parametrize("quantity", ["sdf", "tsdf", "occupancy"])
def test_a_field_of_a_sphere_against_spheres(run: Run, tmp_path: Path, quantity: str) -> None:
    field = sphere_field(tmp_path / "a.field", quantity)
    against = write_sphere(tmp_path / "a.ply", 0.6)
    same = run("evaluate", field, "--against", against, *COARSE, "--json")
    assert same.code == 0
    assert list(same.json)[:4] == ["chamfer", "normal_consistency", "iou", "fscore"]
    assert same.json["chamfer"] < 0.003
    assert same.json["normal_consistency"] > 0.99
    assert same.json["iou"] > 0.97
    assert same.json["fscore"] == 1
    larger = write_sphere(tmp_path / "b.ply", 0.75)
    other = run("evaluate", field, "--against", larger, *COARSE, "--json").json
    assert other["chamfer"] == pytest.approx(0.15 / 1.5, rel=0.03)
    assert other["iou"] == pytest.approx((0.6 / 0.75) ** 3, abs=0.03)
    assert other["fscore"] == 0
    far = run("evaluate", field, "--against", larger, *COARSE, "--distance", 0.11, "--json").json
    assert far["fscore"] == 1


def test_an_unsigned_distance_has_no_inside(run: Run, tmp_path: Path) -> None:
    field = sphere_field(tmp_path / "a.field", "udf")
    against = write_sphere(tmp_path / "a.ply", 0.6)
    found = run("evaluate", field, "--against", against, "--resolution", 48, *FEW, "--json").json
    assert found["iou"] is None
    assert "no inside" in found["no_iou"]
    assert found["chamfer"] < 0.02
    assert found["accuracy"] < 0.02


def test_an_open_reference_has_no_inside(run: Run, tmp_path: Path) -> None:
    field = sphere_field(tmp_path / "a.field")
    against = write_sphere(tmp_path / "half.ply", 0.6, slice(0, 1000))
    found = run("evaluate", field, "--against", against, *COARSE, "--json").json
    assert found["iou"] is None
    assert "half.ply is open" in found["no_iou"]
    assert "iou: none" in run("evaluate", field, "--against", against, *COARSE).out


def test_two_meshes(run: Run, tmp_path: Path) -> None:
    one = write_sphere(tmp_path / "a.ply", 1.0)
    other = write_sphere(tmp_path / "b.obj", 1.25)
    found = run("evaluate", one, "--against", other, *FEW, "--json").json
    assert found["chamfer"] == pytest.approx(0.1, rel=0.03)
    assert found["iou"] == pytest.approx(0.8**3, abs=0.03)
    again = run("evaluate", one, "--against", other, *FEW, "--json").json
    seed = run("evaluate", one, "--against", other, *FEW, "--seed", 5, "--json").json
    assert found == again
    assert found != seed
    half = write_sphere(tmp_path / "half.stl", 1.0, slice(0, 1000))
    assert run("evaluate", half, "--against", one, *FEW, "--json").json["iou"] is None


@pytest.mark.parametrize("normals", [True, False])
def test_against_points(run: Run, tmp_path: Path, normals: bool) -> None:
    field, mesh = sphere_field(tmp_path / "a.field"), write_sphere(tmp_path / "a.ply", 0.6)
    outward = np.random.default_rng(0).normal(size=(500, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    places = 0.75 * FRAME.scale * outward + FRAME.centre
    columns = np.concatenate([places, outward], 1) if normals else places
    np.savetxt(tmp_path / "scan.xyz", columns)
    options = ("--against", "scan.xyz", "--threads", 1, "--json")
    for given in ((field, "--resolution", 32), (mesh,)):
        found = run("evaluate", *given, *options).json
        assert list(found) == ["completeness", "normal_consistency", "recall"]
        assert found["completeness"] == pytest.approx(0.15 / 1.5, rel=0.03)
        if normals:
            assert found["normal_consistency"] > 0.98
        else:
            assert found["normal_consistency"] is None
        assert found["recall"] == 0
        assert run("evaluate", *given, *options, "--distance", 0.11).json["recall"] == 1


def test_a_picture(run: Run, photo: Path) -> None:
    fitted = run("fit", photo, "--steps", 3, "--json", "--threads", 1).json
    found = run("evaluate", "photo.field", "--against", photo, "--json", "--threads", 1).json
    assert found["psnr"] == pytest.approx(fitted["psnr"], abs=1e-3)
    assert found.keys() == {"psnr", "ssim"}
    refused = run("evaluate", "photo.field", "--against", photo, "--points", 10)
    check_refused(refused, "--points", "a field of a picture")


def test_what_cannot_be_measured(run: Run, tmp_path: Path) -> None:
    field, mesh = sphere_field(tmp_path / "a.field"), write_sphere(tmp_path / "a.ply", 0.6)
    (tmp_path / "a.xyz").write_bytes(make.xyz(np.random.default_rng(0).random((9, 3))))
    (tmp_path / "bad.ply").write_bytes(b"ply\n")
    check_refused(run("evaluate", field, "--against", "a.xyz", *COARSE), "--points", "all of")
    check_refused(run("evaluate", "a.xyz", "--against", mesh), "a.xyz", "fit")
    (tmp_path / "a.foo").write_bytes(b"mine")
    other = run("evaluate", field, "--against", "a.foo", *COARSE)
    check_refused(other, "a.foo", ".ply", ".xyz")
    check_refused(run("evaluate", field, "--against", "bad.ply", *COARSE), "bad.ply")
    check_refused(run("evaluate", field, "--against", "none.ply", *COARSE), "none.ply", "no such")
    check_refused(run("evaluate", "none.field", "--against", mesh), "none.field")
    check_refused(run("evaluate", mesh, "--against", mesh, "--resolution", 9), "--resolution")
    moving = sphere_field(tmp_path / "t.field", times=(0.0, 1.0))
    check_refused(run("evaluate", moving, "--against", mesh, *COARSE), "t.field", "a moving shape")
    empty = Field(networks.Linear(3, 1))
    with torch.no_grad():
        empty.network.layer.weight.zero_()
        empty.network.layer.bias.fill_(1)
    save(tmp_path / "e.field", empty, signal=ShapeLayout().spec())
    check_refused(run("evaluate", "e.field", "--against", mesh, *COARSE), "no surface")
    finest = run("evaluate", field, "--against", mesh, "--resolution", 5000)
    check_refused(finest, "--resolution", "2 to 4096")
    assert "no surface" not in finest.err
