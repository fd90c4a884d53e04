"""Cameras and rays against matrices of their own making, and against what one sees."""

import math

import pytest
import torch
from torch.testing import assert_close

from neurafield.geometry import Camera, Rays

SIZE = (48, 80)


def some_camera(**changes: object) -> Camera:
    position = torch.tensor([1.0, -2.0, 3.0]).double()
    target = torch.tensor([0.1, 0.2, -0.3]).double()
    up = torch.tensor([0.0, 3.0, 0.5]).double()
    camera = Camera.look_at(position, target, up, size=SIZE, fov=50.0)
    values = {name: getattr(camera, name) for name in ("position", "axes", "size", "focal")}
    return Camera(**{**values, **changes})


def opengl_view(eye: torch.Tensor, at: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """The matrix of gluLookAt, from its manual page: x right, y up, z backward."""
    f = (at - eye) / (at - eye).norm()
    s = torch.linalg.cross(f, up / up.norm())
    s = s / s.norm()
    return torch.stack([s, torch.linalg.cross(s, f), -f])


def test_look_at_is_that_of_opengl_with_y_and_z_turned() -> None:
    eye, at, up = torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()
    camera = Camera.look_at(eye, at, up, size=SIZE, fov=50.0)
    expected = opengl_view(eye, at, up) * torch.tensor([[1.0], [-1.0], [-1.0]]).double()
    assert_close(camera.axes, expected)


def test_the_field_of_view_is_that_of_the_shorter_side() -> None:
    camera = some_camera()
    rays = camera.rays(
        torch.tensor([[0.0, 40.0], [48.0, 40.0], [24.0, 0.0], [24.0, 80.0]]).double()
    )
    top, bottom, left, right = rays.directions
    assert math.degrees(math.acos(top @ bottom)) == pytest.approx(50.0)
    assert math.tan(math.acos(left @ right) / 2) == pytest.approx(
        80 / 48 * math.tan(math.radians(25))
    )


@pytest.mark.parametrize("centre", [None, (20.5, 41.0)])
def test_projecting_and_back(centre: tuple[float, float] | None) -> None:
    camera = some_camera(focal=(51.0, 57.0), centre=centre)
    pixels = torch.rand(5, 7, 2, generator=torch.Generator().manual_seed(0)).double() * 60
    along = torch.linspace(0.5, 9.0, 35).double().reshape(5, 7)
    points = camera.unproject(pixels, along)
    again, distance = camera.project(points)
    assert_close(again, pixels)
    assert_close(distance, along)
    rays = camera.rays(pixels)
    assert_close(rays.directions.norm(dim=-1), torch.ones(5, 7).double())
    assert_close(rays.at((points - rays.origins).norm(dim=-1)), points)


def test_what_is_right_and_above_is_seen_there() -> None:
    around = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).double()
    for up, higher, nearer in (("y", 2, 3), ("z", 3, 2)):
        camera = Camera.orbit(0.0, 0.0, 5.0, size=SIZE, up=up)
        pixels, along = camera.project(around)
        assert_close(pixels[0], torch.tensor([24.0, 40.0]).double())
        assert pixels[1, 1] > 40
        assert pixels[1, 0] == pytest.approx(24)
        assert pixels[higher, 0] < 24
        assert pixels[higher, 1] == pytest.approx(40)
        # y up looks along -z, z up along +y.
        assert along[nearer] == pytest.approx(4.0 if up == "y" else 6.0)


@pytest.mark.parametrize("up", ["y", "z"])
@pytest.mark.parametrize("elevation", [-90.0, -35.0, 0.0, 60.0, 90.0])
def test_an_orbit_is_a_sphere_of_cameras_that_look_inward(up: str, elevation: float) -> None:
    target = (0.1, 0.2, 0.3)
    axis = torch.tensor([0.0, 1, 0] if up == "y" else [0.0, 0, 1]).double()
    for azimuth in (0.0, 77.0, 200.0, -1000.0):
        camera = Camera.orbit(azimuth, elevation, 3.0, size=SIZE, target=target, up=up)
        offset = camera.position - torch.tensor(target, dtype=torch.float64)
        assert offset.norm() == pytest.approx(3.0)
        assert offset @ axis == pytest.approx(3 * math.sin(math.radians(elevation)), abs=1e-12)
        assert_close(camera.axes[2], -offset / 3)
        if abs(elevation) < 90:
            same = Camera.look_at(
                camera.position,
                torch.tensor(target, dtype=torch.float64),
                axis,
                size=SIZE,
                fov=35.0,
            )
            assert_close(same.axes, camera.axes)


def test_azimuth_grows_toward_x() -> None:
    for up in ("y", "z"):
        position = Camera.orbit(90.0, 0.0, 2.0, size=SIZE, up=up).position
        assert_close(position, torch.tensor([2.0, 0, 0]).double(), atol=1e-12, rtol=0)


def test_rays_through_the_box() -> None:
    cases = [
        # Through it, along an axis and aslant; from within; past it; away from it.
        ((-3.0, 0.0, 0.0), (1.0, 0.0, 0.0), 2.0, 4.0),
        ((-2.0, -2.0, 0.0), (0.6, 0.8, 0.0), 1 / 0.6, 3 / 0.8),
        ((0.5, 0.0, 0.0), (-1.0, 0.0, 0.0), 0.0, 1.5),
        ((-3.0, 2.0, 0.0), (1.0, 0.0, 0.0), 2.0, -math.inf),
        ((3.0, 0.0, 0.0), (1.0, 0.0, 0.0), 0.0, -2.0),
        # Along a face, at an edge.
        ((-3.0, 1.0, 0.0), (1.0, 0.0, 0.0), 2.0, 4.0),
        ((-3.0, 1.0, -1.0), (1.0, -0.0, 0.0), 2.0, 4.0),
    ]
    origins = torch.tensor([case[0] for case in cases]).double()
    directions = torch.tensor([case[1] for case in cases]).double()
    near, far = Rays(origins, directions).through_box()
    assert_close(near, torch.tensor([case[2] for case in cases]).double())
    assert_close(far, torch.tensor([case[3] for case in cases]).double())


def test_no_rays_at_all() -> None:
    rays = some_camera().rays(torch.zeros(0, 2))
    assert rays.at(torch.zeros(0)).shape == (0, 3)
    assert rays.through_box()[0].shape == (0,)
    assert some_camera().rays(torch.zeros(2)).origins.shape == (3,)


@pytest.mark.parametrize(
    "make",
    [
        lambda: some_camera(size=(0, 3)),
        lambda: some_camera(focal=(0.0, 3.0)),
        lambda: some_camera(axes=torch.eye(3).flip(0)),
        lambda: some_camera(axes=2 * torch.eye(3)),
        lambda: some_camera(axes=torch.full((3, 3), math.nan)),
        lambda: Camera.orbit(0.0, 91.0, 1.0, size=SIZE),
        lambda: Camera.orbit(math.nan, 0.0, 1.0, size=SIZE),
        lambda: Camera.orbit(0.0, 0.0, 0.0, size=SIZE),
        lambda: Camera.orbit(0.0, 0.0, 1.0, size=SIZE, fov=180.0),
        lambda: Camera.look_at(*torch.zeros(2, 3), torch.ones(3), size=SIZE, fov=9.0),
        lambda: Camera.look_at(torch.zeros(3), *torch.ones(2, 3), size=SIZE, fov=9.0),
    ],
)
def test_what_is_no_camera_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rays(torch.zeros(2, 3), torch.zeros(3, 3)),
        lambda: Rays(torch.zeros(2, 2), torch.zeros(2, 2)),
        lambda: some_camera(axes=torch.eye(2)),
        lambda: Camera.orbit(0.0, 0.0, 1.0, size=SIZE, up="x"),
    ],
)
def test_other_shapes_are_refused(make: object) -> None:
    # A TypeError where annotations are checked, before ours is.
    with pytest.raises((ValueError, TypeError)):
        make()
