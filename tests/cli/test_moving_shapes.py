"""Shapes that move, from `solve` to `mesh` and `render` at a time."""

import json
import math
from pathlib import Path

import pytest
import torch

from neurafield import Field, load, networks, save
from neurafield.geometry import Camera, Frame
from neurafield.problems import _moving
from neurafield.shapes import ShapeLayout, read_shape
from neurafield.signals import near_surface
from neurafield.surfaces import region

from .test_cli import Run, check_refused
from .test_cli import run as run

BALL = "v 3 0 0\nv -3 0 0\nv 0 3 0\nv 0 -3 0\nv 0 0 3\nv 0 0 -3\n" + "".join(
    f"f {a} {b} {c}\n"
    for a, b, c in (
        *((1, 3, 5), (3, 2, 5), (2, 4, 5), (4, 1, 5)),
        *((3, 1, 6), (2, 3, 6), (4, 2, 6), (1, 4, 6)),
    )
)


@pytest.fixture(autouse=True)
def cheap(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "CELLS", 16)
    monkeypatch.setattr(near_surface, "_KNOWN", 1000)
    view = Camera.orbit(30.0, 20.0, 4.2, size=(24, 24))
    monkeypatch.setattr(_moving, "_VIEW", view)
    Path("a.obj").write_text(BALL)
    Path("b.obj").write_text(BALL.replace("v 0 3 0", "v 0 2 0"))


SMALL = ("--width", 12, "--points", 200, "--steps", 8)


@pytest.mark.slow
def test_a_body_shrinks_and_is_meshed_and_drawn(run: Run) -> None:
    # With fewer, crumbs far from the body are meshed too.
    plan = ("--width", 16, "--points", 400, "--steps", 20)
    outcome = run("solve", "mean-curvature", "a.obj", "--out", "m.field", *plan, "--json")
    assert outcome.code == 0
    volumes = outcome.json["volumes"]
    assert volumes[0] == pytest.approx(36.0, rel=0.4)
    assert volumes[-1] < 0.5 * volumes[0]
    assert Path("m.png").stat().st_size > 5000
    layout = ShapeLayout.from_spec(load("m.field").signal)
    assert layout.times == pytest.approx(tuple(outcome.json["times"][::8]))
    end = layout.times[1]
    sizes = []
    for name, at in (("first", 0), ("last", end)):
        out = f"{name}.ply"
        assert run("mesh", "m.field", "--at", at, "--out", out, "--resolution", 24).code == 0
        sizes.append(float(read_shape(out).vertices.abs().max()))
    assert sizes[1] < 0.9 * sizes[0]
    small = ("--size", 24, 24)
    assert run("render", "m.field", "--at", end, "--out", "p.png", *small).code == 0
    turn = run("render", "m.field", "--turntable", "t.mp4", "--frames", 2, *small)
    assert turn.code == 0


@pytest.mark.slow
def test_transport_and_morph(run: Run) -> None:
    assert run("solve", "transport", "a.obj", "--field", "vortex", *SMALL).code == 0
    report = json.loads(Path("a-transport.json").read_text())
    assert len(report["ious"]) == 9
    assert run("solve", "morph", "a.obj", "b.obj", *SMALL).code == 0
    report = json.loads(Path("a-morph.json").read_text())
    assert report["end_iou"] > 0.5
    check_refused(run("solve", "morph", "a.obj", "none.obj", "--out", "n.field"), "none.obj")


def test_times_are_asked_for_where_there_are_some(run: Run) -> None:
    moving = Field(networks.Siren(4, 1, width=4, depth=1))
    save("m.field", moving, signal=ShapeLayout(times=(2.0, 5.0)).spec())
    save("s.field", Field(networks.Siren(3, 1, width=4, depth=1)), signal=ShapeLayout().spec())
    check_refused(run("mesh", "m.field", "--out", "o.ply"), "--at T", "2 to 5")
    check_refused(run("mesh", "m.field", "--out", "o.ply", "--at", 6), "from 2 to 5", "got 6")
    check_refused(run("mesh", "s.field", "--out", "o.ply", "--at", 2), "does not move")
    check_refused(run("render", "m.field", "--out", "o.png"), "--at T")
    check_refused(run("solve", "mean-curvature", "m.field"), "a moving shape")


def test_a_field_at_a_time() -> None:
    layout = ShapeLayout(frame=Frame(), times=(2.0, 4.0))
    x = torch.zeros(3, 3)
    assert layout.at(lambda y: y[..., 3:], 3.5)(x).tolist() == [[0.5]] * 3


def test_a_diverged_flow_is_a_status(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = near_surface.NearSurface.batch

    def poisoned(self, *arguments, **options):
        query, target = real(self, *arguments, **options)
        return query, target * math.nan

    monkeypatch.setattr(near_surface.NearSurface, "batch", poisoned)
    outcome = run("solve", "mean-curvature", "a.obj", "--width", 4, "--points", 30, "--steps", 90)
    check_refused(outcome, "mean-curvature: ", "not finite", "Nothing was written", code=3)
    assert not list(Path().glob("*.field"))
