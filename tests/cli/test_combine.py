"""`neurafield combine`, against bodies whose distances are known."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

import neurafield
from neurafield import Field, networks
from neurafield.cli import combine as command
from neurafield.cli.main import main
from neurafield.composition import Sphere, Torus
from neurafield.geometry import Frame
from neurafield.shapes import ShapeLayout, implicit_kind

FRAMES = {"a": Frame((10.0, 0.0, 0.0), 5.0), "b": Frame((13.0, 1.0, 0.0), 2.0)}


def combine(folder: Path, *options: str) -> neurafield.FieldFile:
    """A ball of radius 4 around (10, 0, 0) and one of 1 around (13, 1, 0), in the user's units."""
    for name, radius in (("a", 0.8), ("b", 0.5)):
        layout = ShapeLayout(frame=FRAMES[name])
        neurafield.save(folder / f"{name}.field", Sphere(radius=radius), signal=layout.spec())
    inputs = [str(folder / "a.field"), str(folder / "b.field")]
    with pytest.raises(SystemExit, match="0"):
        main(["combine", *inputs, "--out", str(folder / "c.field"), *options])
    return neurafield.load(folder / "c.field")


def points() -> Tensor:
    g = torch.Generator().manual_seed(0)
    spread = torch.rand(997, 3, generator=g, dtype=torch.float64) - 0.5
    return spread * 12 + torch.tensor([11.0, 0.0, 0.0])


def by_hand(x: Tensor) -> tuple[Tensor, Tensor]:
    a = (x - x.new_tensor([10.0, 0.0, 0.0])).norm(dim=1) - 4
    b = (x - x.new_tensor([13.0, 1.0, 0.0])).norm(dim=1) - 1
    return a, b


def check_signs(file: neurafield.FieldFile, expected: Tensor) -> None:
    """Inside is inside, in the user's units; within the box distances are what they are."""
    layout = ShapeLayout.from_spec(file.signal)
    x = points()
    y = layout.frame.to_unit(x)
    held = (y.abs() <= 1).all(1)
    got = layout.frame.scale * file.field(y)[:, 0]
    assert torch.equal(got[held] < 0, expected[held] < 0)
    # The second is a bound beyond its own box, and exact in it.
    assert float((got - expected)[held].max()) < 1e-9
    near = held & (FRAMES["b"].to_unit(x).abs() <= 1).all(1)
    torch.testing.assert_close(got[near], expected[near])


def test_a_union_in_the_units_of_the_shapes(tmp_path: Path) -> None:
    check_signs(combine(tmp_path, "--with", "union"), torch.minimum(*by_hand(points())))


def test_what_is_in_the_first_alone_stays_in_its_frame(tmp_path: Path) -> None:
    a, b = by_hand(points())
    y = FRAMES["a"].to_unit(points())
    for name, expected in [
        ("intersection", torch.maximum(a, b)),
        ("difference", torch.maximum(a, -b)),
    ]:
        file = combine(tmp_path, "--with", name, "--force")
        assert file.signal == ShapeLayout(frame=FRAMES["a"]).spec()
        # Beyond the box of what is cut away a distance is a bound, so only its sign is compared.
        assert torch.equal(file.field(y)[:, 0] < 0, expected < 0)


def test_check_signs_can_fail(tmp_path: Path) -> None:
    a, b = by_hand(points() + 0.1)
    with pytest.raises(AssertionError):
        check_signs(combine(tmp_path, "--with", "union"), torch.minimum(a, b))


def test_the_width_is_in_the_units_of_the_shapes(tmp_path: Path) -> None:
    sharp = combine(tmp_path, "--with", "union")
    smooth = combine(tmp_path, "--with", "union", "--smooth", "0.6", "--force")
    layout = ShapeLayout.from_spec(smooth.signal)
    y = layout.frame.to_unit(points())
    added = layout.frame.scale * (sharp.field(y) - smooth.field(y))
    assert 0.09 < float(added.max()) <= 0.1 + 1e-9


def test_each_operation_names_its_class() -> None:
    for name, cls in command.OPERATIONS.items():
        assert cls.lower() == name
        assert issubclass(getattr(neurafield.composition, cls), neurafield.AbstractField)


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit, match="2"):
        main(["combine", *arguments, "--with", "union", "--out", str(folder / "c.field")])
    return capsys.readouterr().err


def test_what_is_no_signed_distance_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    combine(tmp_path, "--with", "union")
    (tmp_path / "c.field").unlink()
    one, other = str(tmp_path / "a.field"), str(tmp_path / "o.field")
    assert "two or more fields" in refused(tmp_path, capsys, one)
    occupancy = ShapeLayout(quantity=implicit_kind("occupancy")).spec()
    neurafield.save(Path(other), Torus(ring=0.5, tube=0.2), signal=occupancy)
    assert "signed distances, got occupancy" in refused(tmp_path, capsys, one, other)
    moving = ShapeLayout(times=(0.0, 1.0)).spec()
    neurafield.save(Path(other), Sphere(radius=0.5, in_dim=4), signal=moving)
    assert "static shape" in refused(tmp_path, capsys, one, other)
    neurafield.save(Path(other), Field(networks.Linear(3, 1)))
    assert "field of a shape" in refused(tmp_path, capsys, one, other)
    (tmp_path / "c.field").write_bytes(b"mine")
    assert "--force" in refused(tmp_path, capsys, one, one)
    assert (tmp_path / "c.field").read_bytes() == b"mine"
    with pytest.raises(SystemExit, match="2"):
        main(["combine", one, one, "--with", "union", "--out", str(tmp_path / "c.ply")])
    assert "ends in .field" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("operation", "far", "words"),
    [
        ("union", 1e4, "0.083 cells long"),
        ("union", 2.0, ""),
        ("intersection", 2.1, "intersection is empty"),
        ("difference", 2.1, "cuts nothing off"),
        ("intersection", 1.9, ""),
    ],
)
def test_shapes_that_are_apart_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], operation: str, far: float, words: str
) -> None:
    # Without a layout of its own a composition is where its coordinates say.
    neurafield.save(tmp_path / "a.field", Sphere(radius=0.8))
    layout = ShapeLayout(frame=Frame((0.0, far, 0.0)))
    neurafield.save(tmp_path / "b.field", Sphere(radius=0.8), signal=layout.spec())
    names = [str(tmp_path / name) for name in ("a.field", "b.field", "c.field")]
    with pytest.raises(SystemExit, match="0"):
        main(["combine", *names[:2], "--with", operation, "--out", names[2]])
    said = capsys.readouterr().err
    assert words in said
    assert bool(said) == bool(words)
