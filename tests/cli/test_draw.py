"""`neurafield render` of shapes: pictures, films, and what it refuses."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import neurafield
from neurafield import Field, networks
from neurafield.cli.render import shape as command
from neurafield.shapes import (
    ImplicitKind,
    ShapeLayout,
    SignedDistance,
    TruncatedDistance,
    implicit_kind,
)

from .test_cli import Outcome, check_refused, run

__all__ = ["run"]
Run = Callable[..., Outcome]


def half_space(kind: ImplicitKind, name: str, *, times: tuple[float, float] | None = None) -> None:
    """A field file of what is below y = 0.2, exact but for occupancy, whose logit is linear."""
    in_dim = 3 if times is None else 4
    field = Field(networks.Linear(in_dim, 1))
    sign = float(kind.sign)
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.zero_()
        (weight,) = (p for p in field.parameters() if p.ndim == 2)
        (bias,) = (p for p in field.parameters() if p.ndim == 1)
        weight[0, 1] = sign
        bias[0] = -0.2 * sign
    neurafield.save(name, field, signal=ShapeLayout(quantity=kind, times=times).spec())


@pytest.fixture
def shape(run: Run) -> Path:
    half_space(SignedDistance(), "half.field")
    return Path("half.field")


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_picture_of_each_quantity(run: Run) -> None:
    drawn = []
    for name in ("sdf", "tsdf", "occupancy"):
        kind = TruncatedDistance(1.0) if name == "tsdf" else implicit_kind(name)
        half_space(kind, f"{name}.field")
        found = run("render", f"{name}.field", "--out", f"{name}.png", "--size", 30, 40)
        assert found.code == 0, found.err
        assert "30 x 40" in found.out
        drawn.append(pixels(f"{name}.png"))
    assert drawn[0].shape == (30, 40, 3)
    # The surface is a square floor: neither nothing nor everything.
    share = (drawn[0] < 255).any(-1).mean()
    assert 0.1 < share < 0.8
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert ((drawn[0] < 255) == (drawn[2] < 255)).mean() > 0.99


def test_levels_and_transparency(run: Run, shape: Path) -> None:
    options = ("--elevation", 30, "--distance", 5, "--size", 24, 24, "--azimuth", 0)
    for level in (-0.5, 0.5):
        out = ("--out", f"at{level}.png", "--background", "transparent", "--level", level)
        assert run("render", shape, *options, *out).code == 0
    low, high = (pixels(f"at{level}.png")[..., 3].astype(float) for level in (-0.5, 0.5))
    rows = np.arange(24)
    # A higher level is higher in the picture, where rows count from the top.
    assert rows @ high.sum(1) / high.sum() < rows @ low.sum(1) / low.sum() - 2


def test_what_points_up(run: Run, shape: Path) -> None:
    for up in "yz":
        run("render", shape, "--out", f"{up}.png", "--up", up, "--size", 24, 24, "--azimuth", 0)
    floor, wall = ((pixels(f"{up}.png") < 255).any(-1) for up in "yz")
    assert np.ptp(np.nonzero(wall)[0]) > np.ptp(np.nonzero(floor)[0]) + 3


def test_a_turn_as_a_film(run: Run, shape: Path) -> None:
    found = run(
        *("render", shape, "--turntable", "turn.mp4", "--frames", 4, "--size", 32, 48),
        *("--azimuth", 20, "--elevation", 60, "--out", "still.png", "--samples", 1),
    )
    assert found.code == 0, found.err
    with av.open("turn.mp4") as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * 4
    still = pixels("still.png").astype(float)
    options = ("--azimuth", 65, "--elevation", 60, "--size", 32, 48)
    assert run("render", shape, *options, "--out", "other.png").code == 0
    other = abs(pixels("other.png").astype(float) - still)[..., 1].mean()
    # It begins with the picture, and a square looks the same after a quarter of a turn.
    assert max(abs(frame.astype(float) - still)[..., 1].mean() for frame in frames) < other / 2


def test_the_same_picture_again(run: Run, shape: Path) -> None:
    for name in ("a.png", "b.png"):
        run("render", shape, "--out", name, "--size", 16, 16)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_nothing_in_view_is_told(run: Run, shape: Path) -> None:
    for background in ("white", "transparent"):
        found = run(
            *("render", shape, "--out", "x.png", "--size", 8, 8, "--level", 3, "--force"),
            *("--background", background),
        )
        assert found.code == 0
        assert "no part of the surface is in view" in found.err


def test_a_camera_too_far_away_is_refused(run: Run, shape: Path) -> None:
    arguments = ("render", shape, "--out", "x.png", "--size", 8, 8)
    for option, value in (("--distance", 1e300), ("--distance", 1.5e6), ("--fov", 1e-300)):
        check_refused(run(*arguments, option, value), "1e+06 units", "--distance", "--fov")
    assert run(*arguments, "--distance", 1e6).code == 0


def test_an_end_from_outside_leaves_no_half_picture(
    run: Run, shape: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, **__: object) -> Iterator[torch.Tensor]:
        yield torch.ones(4, 8, 3)
        os.kill(os.getpid(), signal.SIGTERM)
        yield torch.ones(4, 8, 3)

    monkeypatch.setattr(command, "draw", ended)
    found = run("render", shape, "--out", "x.png", "--size", 8, 8)
    assert (found.code, "interrupted" in found.err) == (130, True)
    assert [path.name for path in Path().iterdir()] == [shape.name]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.png", "--scale", "2"], ["--scale", "shape"]),
        (["--out", "x.png", "--region", "0", "1", "0", "1"], ["--region", "shape"]),
        (["--out", "x.png", "--size", "5"], ["--size", "H W"]),
        (["--out", "x.wav"], ["x.wav", ".png"]),
        (["--out", "x.jpg", "--background", "transparent"], ["x.jpg", "alpha"]),
        (["--out", "x.png", "--frames", "3"], ["--frames", "--turntable"]),
        (["--out", "x.obj"], ["x.obj", "neurafield mesh"]),
        (["--out", "x.mp4"], ["x.mp4", "--turntable"]),
        (["--turntable", "x.gif"], ["x.gif", ".mp4"]),
        (["--turntable", "x.mp4", "--background", "transparent"], ["--background", "film"]),
        (["--out", "half.field"], ["half.field"]),
        (["--out", "x.png", "--elevation", "91"], ["--elevation", "90"]),
        (["--out", "x.png", "--fov", "180"], ["--fov", "180"]),
        (["--out", "x.png", "--samples", "9"], ["--samples", "8"]),
        (["--out", "x.png", "--azimuth", "nan"], ["--azimuth", "finite"]),
        ([], ["--out", "--turntable", "--help"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_render_of_shapes_refuses(
    run: Run, shape: Path, arguments: list[str], words: list[str]
) -> None:
    check_refused(run("render", shape, *arguments), *words)
    assert [path.name for path in Path().iterdir()] == [shape.name]


@pytest.mark.parametrize("option", [("--azimuth", 3), ("--turntable", "m.mp4"), ("--up", "z")])
def test_pictures_refuse_what_is_for_shapes(run: Run, option: tuple[object, ...]) -> None:
    field = Field(networks.Linear(2, 1))
    grid = neurafield.Grid.centres((4, 4))
    layout = neurafield.signals.ImageLayout(
        grid=grid, channels=1, dtype="uint8", low=0.0, high=255.0
    )
    neurafield.save("picture.field", field, signal=layout.spec())
    check_refused(
        run("render", "picture.field", "--out", "x.png", *option), str(option[0]), "image"
    )


def test_a_file_that_says_nonsense_is_refused(run: Run) -> None:
    field = Field(networks.Linear(2, 1))
    neurafield.save("flat.field", field, signal=ShapeLayout().spec())
    check_refused(run("render", "flat.field", "--out", "x.png"), "flat.field", "3 coordinates to 1")
    neurafield.save("odd.field", field, signal={"kind": "shape"})
    check_refused(run("render", "odd.field", "--out", "x.png"), "odd.field", "understood")


def test_info_tells_a_truncation_where_there_is_one(run: Run) -> None:
    for name, told in (("tsdf", True), ("sdf", False)):
        half_space(implicit_kind(name), f"{name}.field")
        assert ("truncation: 0.1" in run("info", f"{name}.field").out) == told
