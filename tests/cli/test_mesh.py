"""`neurafield mesh`: a field of a shape to a mesh file in the shape's units."""

import json
from pathlib import Path

import pytest
import torch

from neurafield import Field, networks, save
from neurafield.cli.main import main
from neurafield.cli.shared.values import MAX_CELLS
from neurafield.composition import Sphere, Union
from neurafield.geometry import Frame
from neurafield.shapes import Mesh, ShapeLayout, implicit_kind, read_shape
from neurafield.surfaces import meshing

FRAME = Frame(centre=(10.0, 20.0, 30.0), scale=4.0)


class Steps:
    """Runs the command in this process and keeps what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["mesh", *map(str, arguments), "--threads", "1"])
        said = self.capsys.readouterr()
        return ended.value.code, said.out, said.err


@pytest.fixture
def mesh(capsys: pytest.CaptureFixture[str]) -> Steps:
    return Steps(capsys)


def slab_field(tmp_path: Path, quantity: str = "sdf", sign: float = 1.0) -> Path:
    """Of the half-space x < 0.25 by one linear layer: its surface is known and meets the border."""
    network = networks.Linear(3, 1)
    with torch.no_grad():
        network.layer.weight.copy_(torch.tensor([[sign, 0.0, 0.0]]))
        network.layer.bias.fill_(-0.25 * sign)
    path = tmp_path / f"{quantity}.field"
    layout = ShapeLayout(frame=FRAME, quantity=implicit_kind(quantity))
    save(path, Field(network), signal=layout.spec())
    return path


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "off", "glb"])
def test_it_comes_back_in_the_units_of_the_shape(mesh: Steps, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"m.{suffix}"
    code, said, warned = mesh(slab_field(tmp_path), "--out", out, "--resolution", 8, "--json")
    assert code == 0
    assert "--closed" in warned
    found = json.loads(said)
    keys = ["vertices", "faces", "evaluations", "seconds", "euler", "watertight", "bytes", "file"]
    assert list(found) == keys
    assert not found["watertight"]
    assert found["euler"] == 1
    read = read_shape(out)
    assert isinstance(read, Mesh)
    assert len(read.faces) == found["faces"]
    assert (read.vertices[:, 0] - 11).abs().max() < 1e-5
    assert read.vertices[:, 1].min() == pytest.approx(16, abs=1e-4)


def test_occupancy_is_turned_round_and_closed(mesh: Steps, tmp_path: Path) -> None:
    path, out = slab_field(tmp_path, "occupancy", sign=-1.0), tmp_path / "m.ply"
    options = ("--out", out, "--resolution", 8, "--closed", "--level", 0.5, "--json")
    code, said, warned = mesh(path, *options)
    assert (code, "border" in warned) == (0, False)
    assert json.loads(said)["watertight"]
    read = read_shape(out)
    assert isinstance(read, Mesh)
    # 0.25 - x is 0.5 at x = -0.25; what is on the smaller side of that is inside.
    assert read.vertices[:, 0].max() == pytest.approx(9, abs=1e-4)
    assert float((read.corners[:, 0] * read.face_vectors).sum()) > 0


@pytest.mark.parametrize(
    ("quantity", "options", "words"),
    [
        ("sdf", ("--level", "3"), "level 3, got -1.25 to 0.75, so there is no surface"),
        ("occupancy", ("--level", "3"), "level 3, got -1.25 to 0.75, so there is no surface"),
        ("sdf", ("--level", "-3"), "or smaller than a cell: try a larger --resolution"),
        ("udf", ("--level", "0"), "--level: expected more than 0"),
        ("sdf", ("--lod", "1"), "one level, 0"),
        ("sdf", ("--resolution", "1"), "--resolution: expected 2 to 4096, got '1'"),
        ("sdf", ("--resolution", "100000"), "--resolution: expected 2 to 4096"),
    ],
)
def test_refused_in_one_sentence(
    mesh: Steps, tmp_path: Path, quantity: str, options: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "m.ply"
    resolution = () if "--resolution" in options else ("--resolution", 8)
    code, said, warned = mesh(slab_field(tmp_path, quantity), "--out", out, *resolution, *options)
    assert (code, said) == (2, "")
    assert words in warned
    assert not out.exists()


def test_other_fields_and_existing_files_are_refused(mesh: Steps, tmp_path: Path) -> None:
    other = tmp_path / "other.field"
    save(other, Field(networks.Linear(3, 1)))
    code, _, warned = mesh(other, "--out", tmp_path / "m.ply")
    assert (code, "expected the field of a shape" in warned) == (2, True)
    flat = tmp_path / "flat.field"
    save(flat, Field(networks.Linear(2, 1)), signal=ShapeLayout().spec())
    code, _, warned = mesh(flat, "--out", tmp_path / "m.ply")
    assert (
        code,
        "from 3 coordinates to 1 values for its shape, got one from 2 to 1" in warned,
    ) == (2, True)
    path, out = slab_field(tmp_path), tmp_path / "m.ply"
    out.write_text("mine")
    assert mesh(path, "--out", out, "--resolution", 8)[0] == 2
    assert out.read_text() == "mine"
    assert mesh(path, "--out", out, "--resolution", 8, "--force")[0] == 0
    code, _, warned = mesh(path, "--out", tmp_path / "m.xyz", "--resolution", 8)
    assert (code, "expected one of .ply" in warned) == (2, True)


def test_the_limit_is_that_of_extract() -> None:
    assert MAX_CELLS == meshing.MOST


def test_what_is_no_field_file_is_told_as_such(mesh: Steps, tmp_path: Path) -> None:
    given, out = tmp_path / "spot.obj", tmp_path / "m.ply"
    assert "spot.obj: no such file" in mesh(given, "--out", out)[2]
    given.write_text("v 0 0 0\n")
    assert "neurafield fit" in mesh(given, "--out", out)[2]


def test_an_unsigned_distance_gives_a_shell_and_says_so(mesh: Steps, tmp_path: Path) -> None:
    out = tmp_path / "m.ply"
    code, _, warned = mesh(slab_field(tmp_path, "udf"), "--out", out, "--resolution", 8)
    assert (code, "a shell" in warned) == (0, True)
    read = read_shape(out)
    assert isinstance(read, Mesh)
    # x - 0.25 is 0.01 at x = 0.26.
    assert (read.vertices[:, 0] - 11.04).abs().max() < 1e-5


def test_a_composition_is_a_shape_as_it_is(mesh: Steps, tmp_path: Path) -> None:
    path, out = tmp_path / "both.field", tmp_path / "m.ply"
    save(path, Union(Sphere(radius=0.5), Sphere(radius=0.3)))
    assert mesh(path, "--out", out, "--resolution", 16)[0] == 0
    read = read_shape(out)
    assert isinstance(read, Mesh)
    assert (read.vertices.norm(dim=1) - 0.5).abs().max() < 1e-5
    save(path, Union(Sphere(radius=0.5, in_dim=2), Sphere(radius=0.3, in_dim=2)))
    assert "expected the field of a shape" in mesh(path, "--out", out, "--force")[2]


@pytest.mark.parametrize(
    ("far", "suffix", "told"), [(1e4, "stl", True), (1e4, "ply", False), (10.0, "stl", False)]
)
def test_the_loss_of_32_bits_is_told(
    mesh: Steps, tmp_path: Path, far: float, suffix: str, told: bool
) -> None:
    path = tmp_path / "far.field"
    save(path, Sphere(radius=0.5), signal=ShapeLayout(frame=Frame((far, 0.0, 0.0))).spec())
    code, _, warned = mesh(path, "--out", tmp_path / f"m.{suffix}", "--resolution", 16)
    assert (code, ".ply, .obj and .off" in warned) == (0, told)
