"""Blending, against the discrete Poisson equation by a sparse direct solver."""

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import skimage.data
import skimage.transform
import torch

from neurafield.errors import SignalError
from neurafield.problems import blend
from neurafield.signals import Image, render

SHAPE = (61, 67)


def photo(name: str, shape: tuple[int, int] = SHAPE) -> Image:
    array = skimage.transform.resize(getattr(skimage.data, name)(), shape, anti_aliasing=True)
    return Image.from_array((255 * array).round().astype(np.uint8))


def synthetic() -> tuple[Image, Image]:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    background = 120 + 70 * np.sin(rows / 9) * np.cos(columns / 13)
    rings = 128 + 60 * np.sin(np.hypot(rows - 30, columns - 33) / 2)
    return tuple(Image.from_array(p.round().astype(np.uint8)) for p in (background, rings))  # type: ignore[return-value]


def disk() -> np.ndarray:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    return np.hypot(rows - 28, columns - 35) < 17


def corner() -> np.ndarray:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    return (rows < 25) & (columns > 30)


def two_parts() -> np.ndarray:
    rows, columns = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    return (abs(rows - 15) < 6) & (abs(columns - 15) < 8) | (abs(rows - 45) < 9) & (columns > 40)


def picture_of(mask: np.ndarray) -> Image:
    return Image.from_array(255 * mask.astype(np.uint8))


def values(picture: Image) -> np.ndarray:
    return picture.data / 127.5 - 1


def poisson(background: np.ndarray, source: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Pérez et al., equation 7: for each pixel inside, over its neighbours in the picture."""
    number = np.full(mask.shape, -1)
    number[mask] = np.arange(mask.sum())
    matrix = scipy.sparse.lil_matrix((mask.sum(), mask.sum()))
    right = np.zeros(mask.sum())
    for (i, j), row in zip(np.argwhere(mask), number[mask], strict=True):
        for a, b in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)):
            if not (0 <= a < mask.shape[0] and 0 <= b < mask.shape[1]):
                continue
            matrix[row, row] += 1
            right[row] += source[i, j] - source[a, b]
            if mask[a, b]:
                matrix[row, number[a, b]] -= 1
            else:
                right[row] += background[a, b]
    solved = background.copy()
    solved[mask] = scipy.sparse.linalg.spsolve(matrix.tocsr(), right)
    return solved


def psnr(x: np.ndarray, y: np.ndarray) -> float:
    return 10 * np.log10(4 / np.mean((x - y) ** 2))


def drawn(field: torch.nn.Module, picture: Image) -> np.ndarray:
    return torch.cat(list(render(field, picture.layout))).numpy()


def check_clone(background: Image, source: Image, mask: np.ndarray) -> None:
    found = blend(background, source, mask=picture_of(mask))
    got = drawn(found.field, background)
    channels = range(got.shape[-1])
    a, b = values(background), values(source)
    expected = np.stack([poisson(a[..., c], b[..., c], mask) for c in channels], axis=-1)
    assert found.figures["status"] == "tolerance"
    assert psnr(got, expected) > 35
    assert psnr(got[mask], expected[mask]) > 35
    assert psnr(got[~mask], a[~mask]) > 60


@pytest.mark.parametrize("mask", [disk, corner, two_parts])
def test_cloning_is_the_discrete_poisson_solution(mask) -> None:
    check_clone(*synthetic(), mask())


def test_colour_photographs_too() -> None:
    check_clone(photo("astronaut"), photo("chelsea"), disk())


def test_check_clone_can_fail() -> None:
    background, source = synthetic()
    a, b, mask = values(background), values(source), disk()
    # Pasting is not cloning, nor is leaving the background.
    expected = poisson(a[..., 0], b[..., 0], mask)
    assert psnr(np.where(mask, b[..., 0], a[..., 0]), expected) < 25
    assert psnr(a[..., 0], expected) < 25


def test_the_whole_mask_of_a_source_that_is_the_background_changes_nothing() -> None:
    background, _ = synthetic()
    found = blend(background, background, mask=picture_of(disk()))
    assert psnr(drawn(found.field, background), values(background)) > 60


def test_mixed_gradients_are_those_of_the_mixed_pictures() -> None:
    # Linear in both pictures, so the answer is known.
    background, source = photo("astronaut"), photo("chelsea")
    for mix in (0.5, 0.8, 0.0):
        found = blend(background, source, mix=mix)
        expected = mix * values(background) + (1 - mix) * values(source)
        assert psnr(drawn(found.field, background), expected) > 50
        assert found.figures["gradient_psnr"] > 60
    assert psnr(expected, values(background)) < 25


def test_bad_input() -> None:
    background, source = synthetic()
    with pytest.raises(ValueError, match=r"mix between 0 and 1, got 1\.5"):
        blend(background, source, mix=1.5)
    with pytest.raises(SignalError, match="pictures of one size, got 67 x 61 and 30 x 20"):
        blend(background, photo("camera", (20, 30)))
    with pytest.raises(SignalError, match="two grey or two RGB pictures, got 1 and 3"):
        blend(background, photo("chelsea"))
    with pytest.raises(SignalError, match="one of 4 channels"):
        blend(background, Image.from_array(np.zeros((*SHAPE, 4), np.uint8)))
    small = picture_of(np.ones((5, 6), bool))
    with pytest.raises(SignalError, match="mask of the pictures' size, 67 x 61, got 6 x 5"):
        blend(background, source, mask=small)
    with pytest.raises(SignalError, match=r"bright pixels.*got none"):
        blend(background, source, mask=picture_of(np.zeros(SHAPE, bool)))
    with pytest.raises(SignalError, match=r"dark pixels.*got none"):
        blend(background, source, mask=picture_of(np.ones(SHAPE, bool)))
