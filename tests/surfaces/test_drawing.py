"""Pictures of surfaces: what is where, how bright, and how much of a pixel is covered."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield.errors import ArgumentError
from neurafield.geometry import Camera, Rays
from neurafield.surfaces import RenderSurface, drawing, trace
from neurafield.surfaces.shading import ambient_occlusion, linear_to_srgb, shade

SIZE = (40, 56)


def ball(x: Tensor, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Tensor:
    return (x - x.new_tensor(centre)).norm(dim=-1, keepdim=True) - 0.5


def picture(surface: RenderSurface, camera: Camera, **options: object) -> Tensor:
    return torch.cat(list(drawing.draw(surface, camera, **options)))


def front(**options: object) -> Camera:
    return Camera.orbit(0.0, 0.0, **{"distance": 4.0, "size": SIZE, "fov": 30.0, **options})


def test_a_ball_covers_what_it_should() -> None:
    seen = picture(RenderSurface.of(ball), front(), samples=4, transparent=True)
    assert seen.shape == (*SIZE, 4)
    # A ball of radius r at distance d is a disc of radius focal * r / sqrt(d^2 - r^2).
    focal = 20 / math.tan(math.radians(15))
    disc = math.pi * (focal * 0.5 / math.sqrt(16 - 0.25)) ** 2
    assert seen[..., 3].sum() == pytest.approx(disc, rel=2e-3)
    # One ray a pixel knows less.
    coarse = picture(RenderSurface.of(ball), front(), samples=1, transparent=True)[..., 3]
    assert set(coarse.unique().tolist()) == {0.0, 1.0}
    assert_close(coarse[seen[..., 3] == 1], torch.ones(int((seen[..., 3] == 1).sum())))


@pytest.mark.parametrize(
    ("centre", "up", "row", "column"),
    [
        ((0.4, 0.0, 0.0), "y", 0, 1),
        ((0.0, 0.4, 0.0), "y", -1, 0),
        ((0.4, 0.0, 0.0), "z", 0, 1),
        ((0.0, 0.0, 0.4), "z", -1, 0),
    ],
)
def test_where_things_are(
    centre: tuple[float, float, float], up: str, row: int, column: int
) -> None:
    surface = RenderSurface.of(lambda x: ball(x, centre))
    cover = picture(surface, front(up=up), transparent=True)[..., 3]
    rows, columns = torch.arange(40) + 0.5 - 20, torch.arange(56) + 0.5 - 28
    middle = (cover.sum(1) @ rows / cover.sum(), cover.sum(0) @ columns / cover.sum())
    assert [round(float(m) / 6) for m in middle] == [row, column]


@pytest.mark.parametrize("distance", [1e4, 1e6])
def test_from_afar_it_is_the_same_ball(distance: float) -> None:
    # Depths of 1e6 are 0.06 apart in 32 bits: rays have to begin at the box.
    fov = math.degrees(2 * math.atan(1 / distance))
    seen = picture(
        RenderSurface.of(ball), front(distance=distance, fov=fov), samples=4, transparent=True
    )
    assert seen[..., 3].sum() == pytest.approx(math.pi * 10**2, rel=2e-3)


def test_light_comes_from_the_upper_left() -> None:
    seen = picture(RenderSurface.of(ball), front())[..., 0]
    lit, dark = seen[15, 23], seen[25, 33]
    assert lit > dark + 0.2
    # And goes with the camera.
    other = picture(RenderSurface.of(ball), Camera.orbit(130.0, -40.0, 4.0, size=SIZE, fov=30.0))[
        ..., 0
    ]
    assert_close(other, seen, atol=0.03, rtol=0)
    # Nothing is black, and nothing brighter than white.
    assert float(seen.min()) > 0.15
    assert float(seen.max()) == pytest.approx(1.0)


def test_a_white_or_no_background() -> None:
    surface = RenderSurface.of(ball)
    white = picture(surface, front())
    clear = picture(surface, front(), transparent=True)
    assert white.shape == (*SIZE, 3)
    assert_close(white[0, 0], torch.ones(3))
    assert clear[0, 0, 3] == 0
    whole = clear[..., 3] == 1
    assert_close(white[whole], clear[..., :3][whole])


def test_parts_of_a_picture_are_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    surface = RenderSurface.of(ball)
    whole = picture(surface, front())
    monkeypatch.setattr(drawing, "RAYS", 3 * SIZE[1])
    parts = list(drawing.draw(surface, front()))
    assert [len(part) for part in parts] == [3] * 13 + [1]
    assert_close(torch.cat(parts), whole)


def test_what_is_seen_from_within_is_lit() -> None:
    seen = picture(RenderSurface.of(ball), Camera.orbit(0.0, 0.0, 0.1, size=(8, 8)))
    assert (seen < 1).all()
    assert (seen > 0.1).all()


def test_nothing_in_view() -> None:
    surface = RenderSurface.of(lambda x: ball(x) + 9)
    assert_close(picture(surface, front()), torch.ones(*SIZE, 3))
    assert (picture(surface, front(), transparent=True)[..., 3] == 0).all()


def test_narrow_places_are_darker() -> None:
    def corner(x: Tensor) -> Tensor:
        """A floor, and a wall at the left."""
        return torch.minimum(x[..., 1:2] + 0.5, x[..., :1] + 0.5)

    origins = torch.tensor([[-0.45, 0.9, 0.0], [0.0, 0.9, 0.0], [0.7, 0.9, 0.0]])
    rays = Rays(origins, torch.tensor([0.0, -1.0, 0.0]).expand(3, 3))
    hits = trace(corner, rays, slope=1.0)
    open_sky = ambient_occlusion(corner, hits, rays, rise=1.0, reach=0.2)
    # Distances of 0.05 at heights of 0.05, 0.1, 0.15 and 0.2.
    closed = 1 / 4 + 1 / 4 * 2 / 3 + 1 / 8 * 3 / 4
    assert open_sky[0].item() == pytest.approx(1 - closed / 1.875, abs=1e-4)
    assert_close(open_sky[1:], torch.ones(2))
    # The same shape as three times its distance.
    same = ambient_occlusion(lambda x: 3 * corner(x), hits, rays, rise=3.0, reach=0.2)
    assert_close(same, open_sky)
    camera = Camera.orbit(0.0, 40.0, 3.0, size=SIZE)
    light = shade(hits, rays, camera, open_sky)
    assert (light[0] < 0.9 * light[1]).all()


def test_the_curve_of_srgb() -> None:
    # IEC 61966-2-1, to eight bits: for example of linear 1/2.
    values = linear_to_srgb(torch.tensor([-1.0, 0.0, 0.0031308, 0.21586, 0.5, 1.0, 7.0])) * 255
    assert values.round().tolist() == [0, 0, 10, 128, 188, 255, 255]


def test_the_number_of_samples_is_checked() -> None:
    with pytest.raises(ValueError, match="samples"):
        picture(RenderSurface.of(ball), front(), samples=0)


def test_a_camera_too_far_away_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at most 1e\\+06 units away"):
        picture(RenderSurface.of(ball), front(distance=1.1e6))
