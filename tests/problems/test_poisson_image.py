"""Pictures from derivatives, against SciPy's filters and splines."""

import json
import sys

import numpy as np
import pytest
import scipy.ndimage
import skimage.data
import skimage.transform
import torch

from neurafield.derivatives import operators
from neurafield.errors import SignalError
from neurafield.geometry import Grid
from neurafield.problems import _pictures, poisson_image
from neurafield.problems.poisson_image import targets
from neurafield.signals import Image, render


def photo(rows: int = 37, columns: int = 41, channels: int = 3) -> Image:
    cat = skimage.transform.resize(skimage.data.chelsea(), (rows, columns), anti_aliasing=True)
    return Image.from_array((255 * cat[..., :channels]).round().astype(np.uint8))


def camera(size: int) -> Image:
    grey = skimage.transform.resize(skimage.data.camera(), (size, size), anti_aliasing=True)
    return Image.from_array((255 * grey).round().astype(np.uint8))


def test_filters_are_those_of_scipy() -> None:
    picture = photo()
    values = picture.data / 127.5 - 1
    # The SIREN code has Sobel's sums as they are, eight times the derivative per pixel.
    per_row, per_column = 37 / 2, 41 / 2
    # ndimage takes the third axis, the channels, for one of the picture's.
    gradient = np.stack(
        [
            np.stack(
                [
                    scipy.ndimage.sobel(values[..., c], axis=axis) / 8 * scale
                    for axis, scale in ((0, per_row), (1, per_column))
                ],
                axis=-1,
            )
            for c in range(3)
        ],
        axis=2,
    )
    got = targets(picture, source="gradient", derivatives="filter")
    np.testing.assert_allclose(got.reshape(37, 41, 3, 2), gradient, atol=1e-5)
    square = camera(29)
    laplacian = scipy.ndimage.laplace(square.data[..., 0] / 127.5 - 1) * (29 / 2) ** 2
    got = targets(square, source="laplacian", derivatives="filter")
    np.testing.assert_allclose(got.reshape(29, 29), laplacian, atol=1e-3)


@pytest.mark.parametrize("degree", [2, 4])
def test_the_spline_goes_through_the_pixels_and_is_scipys(degree: int) -> None:
    picture = photo()
    field = _pictures.interpolated(picture, degree)
    values = _pictures.pixel_values(picture)
    at_pixels = field(_pictures.pixel_coords(picture)).reshape(values.shape)
    torch.testing.assert_close(at_pixels, values, atol=1e-5, rtol=0)
    places = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    index = ((places + 1) * np.array([37, 41]) / 2 - 0.5).T
    expected = np.stack(
        [
            scipy.ndimage.map_coordinates(
                values[..., c].numpy(), index, order=degree, mode="reflect"
            )
            for c in range(3)
        ],
        axis=-1,
    )
    got = field(torch.from_numpy(places)).detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("source", ["gradient", "laplacian"])
def test_exact_derivatives_give_the_picture_back(source: str) -> None:
    picture = photo()
    found = poisson_image(picture, source=source)
    assert found.figures["status"] == "tolerance"
    assert found.figures["psnr"] is None or found.figures["psnr"] > 55
    assert found.figures[f"{source}_psnr"] > 75
    assert found.figures["steps"] < 100
    # The field that is handed out has those derivatives itself.
    x = _pictures.pixel_coords(picture).float()
    given = targets(picture, source=source, derivatives="spline")
    got = getattr(operators, "jacobian" if source == "gradient" else "laplacian")(found.field, x)
    assert _pictures.range_psnr(got.detach().double(), given) > 60
    assert found.signal == picture.layout.spec()
    assert [panel.title for panel in found.panels][3] == "the picture"


def test_derivatives_of_another_picture_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    # The figures measure the picture: with the derivatives of another one they are bad.
    picture, other = photo(), Image.from_array(np.ascontiguousarray(photo().data[::-1]))
    given = targets(other, source="gradient", derivatives="spline")
    module = sys.modules[poisson_image.__module__]
    monkeypatch.setattr(module, "targets", lambda *_, **__: given)
    assert poisson_image(picture).figures["psnr"] < 25


def test_offset_and_scale_are_those_of_least_squares() -> None:
    picture = photo()
    field = _pictures.interpolated(picture, 2)
    with torch.no_grad():
        _pictures.spline_grid(field).table.mul_(3).add_(torch.tensor([1.0, -2.0, 0.5]))
    _pictures.level(field, picture)
    got = field(_pictures.pixel_coords(picture))
    expected = _pictures.pixel_values(picture).flatten(0, 1)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "picture_db", "derivative_db"), [("gradient", 32.9, 46.9), ("laplacian", 15.0, 57.1)]
)
@pytest.mark.parametrize("derivatives", ["spline", "filter"])
def test_the_camera_is_as_good_as_published(
    source: str, picture_db: float, derivative_db: float, derivatives: str
) -> None:
    figures = poisson_image(camera(256), source=source, derivatives=derivatives).figures
    assert figures["psnr"] is None or figures["psnr"] > picture_db
    assert figures[f"{source}_psnr"] > derivative_db


@pytest.mark.parametrize(
    ("arch", "source", "steps", "gain"),
    [
        ("siren", "gradient", 60, 20),
        ("siren", "laplacian", 60, 20),
        ("fourier", "gradient", 400, 3),
        ("fourier", "laplacian", 100, 5),
    ],
)
def test_networks_learn_from_derivatives(arch: str, source: str, steps: int, gain: float) -> None:
    picture = camera(16)
    given = targets(picture, source=source, derivatives="spline")
    # What a field of one grey has: a network that learns nothing is hardly better.
    nothing = _pictures.range_psnr(torch.zeros_like(given), given)
    found = poisson_image(picture, source=source, arch=arch, steps=steps, seed=3)
    assert found.figures[f"{source}_psnr"] > nothing + gain
    assert (found.figures["status"], found.figures["steps"]) == ("steps", steps)
    few = [poisson_image(picture, source=source, arch=arch, steps=3, seed=s) for s in (3, 3, 4)]
    psnr = [found.figures["psnr"] for found in few]
    assert psnr[0] == psnr[1] != psnr[2]
    assert few[0].figures[f"{source}_psnr"] < nothing + gain / 2


def test_it_stops_when_told_to() -> None:
    found = poisson_image(photo(), steps=2)
    assert (found.figures["status"], found.figures["steps"]) == ("steps", 2)
    assert poisson_image(photo(), time=1e-9).figures["status"] == "time"
    seen: list[object] = []
    poisson_image(photo(), steps=3, callbacks=[seen.append])
    assert len(seen) == 3


@pytest.mark.parametrize("source", ["gradient", "laplacian"])
@pytest.mark.parametrize("derivatives", ["spline", "filter"])
def test_a_constant_picture_has_no_derivatives(source: str, derivatives: str) -> None:
    flat = Image.from_array(np.full((9, 8), 77, np.uint8))
    found = poisson_image(flat, source=source, derivatives=derivatives)
    # Infinite, and of no range: a PSNR of either would be one of rounding.
    assert found.figures["psnr"] is None
    assert found.figures[f"{source}_psnr"] is None
    json.dumps(found.figures, allow_nan=False)
    drawn = torch.cat(list(render(found.field, flat.layout)))
    assert (flat.layout.denormalise(drawn) == 77).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"source to be \('gradient', 'laplacian'\), got 'curl'"):
        poisson_image(photo(), source="curl")
    with pytest.raises(ValueError, match="derivatives to be"):
        poisson_image(photo(), derivatives="exact")
    with pytest.raises(ValueError, match=r"arch to be.*got 'hash'"):
        poisson_image(photo(), arch="hash")
    with pytest.raises(SignalError, match="got one of 4 channels"):
        poisson_image(Image.from_array(np.zeros((9, 8, 4), np.uint8)))
    with pytest.raises(SignalError, match=r"3 to 4,096 pixels a side.*got 8 x 2"):
        poisson_image(Image.from_array(np.zeros((2, 8), np.uint8)))
    with pytest.raises(SignalError, match="got 5000 x 3"):
        poisson_image(Image.from_array(np.zeros((3, 5000), np.uint8)))
    ends = Image.from_array(np.zeros((9, 8), np.uint8), grid=Grid.endpoints((9, 8)))
    with pytest.raises(SignalError, match="centres of cells"):
        poisson_image(ends)
