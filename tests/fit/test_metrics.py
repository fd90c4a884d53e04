"""PSNR and SSIM against scikit-image."""

import numpy as np
import pytest
import skimage.metrics
import torch
from torch import Tensor, nn

from neurafield.fit import metrics
from neurafield.signals import Audio, Image, Video, Volume


def noisy_pair(*shape: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    smooth = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    a = np.clip(smooth + 0.1 * rng.standard_normal(shape), 0, 1)
    return a, np.clip(a + 0.05 * rng.standard_normal(shape), 0, 1)


def skimage_ssim(a: np.ndarray, b: np.ndarray, data_range: float) -> float:
    return skimage.metrics.structural_similarity(
        a,
        b,
        channel_axis=-1,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


class Lookup(nn.Module):
    """A field that returns the nearest sample of an array."""

    def __init__(self, array: np.ndarray) -> None:
        super().__init__()
        self.array = torch.from_numpy(np.ascontiguousarray(array)).float()

    def forward(self, x: Tensor) -> Tensor:
        shape = self.array.shape[:-1]
        index = [((x[..., i] + 1) / 2 * n).long() for i, n in enumerate(shape)]
        return self.array[tuple(index)]


def test_psnr_agrees_with_scikit_image() -> None:
    a, b = noisy_pair(17, 19)
    expected = skimage.metrics.peak_signal_noise_ratio(a, b, data_range=1)
    assert metrics.psnr(float(((a - b) ** 2).mean()), peak=1.0) == pytest.approx(expected)
    assert metrics.psnr(0.0) == float("inf")


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_scikit_image(channels: int) -> None:
    a, b = noisy_pair(31, 23, channels)
    got = metrics.ssim(torch.from_numpy(a), torch.from_numpy(b))
    assert got == pytest.approx(skimage_ssim(a, b, 1.0), abs=1e-9)
    assert metrics.ssim(torch.from_numpy(a), torch.from_numpy(a)) == pytest.approx(1.0)


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(ValueError, match="at least 11 x 11"):
        metrics.ssim(torch.zeros(10, 40, 1), torch.zeros(10, 40, 1))


@pytest.mark.parametrize("rows_at_a_time", [1, 7, 1000])
def test_evaluate_of_a_picture_in_parts_agrees_with_scikit_image(
    rows_at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = noisy_pair(37, 29, 3)
    a8, b8 = (np.rint(255 * x).astype(np.uint8) for x in (a, b))
    signal = Image.from_array(a8)
    pairs = metrics._pairs

    def cut(field, signal):
        for p, t in pairs(field, signal):
            for start in range(0, len(p), rows_at_a_time):
                yield p[start : start + rows_at_a_time], t[start : start + rows_at_a_time]

    monkeypatch.setattr(metrics, "_pairs", cut)
    got = metrics.evaluate(Lookup(b8 / 127.5 - 1), signal)
    assert got.psnr == pytest.approx(skimage.metrics.peak_signal_noise_ratio(a8, b8), abs=1e-6)
    assert got.ssim == pytest.approx(skimage_ssim(a8, b8, 255), abs=1e-6)


def test_evaluate_of_a_clip_is_the_mean_over_frames() -> None:
    a, b = noisy_pair(5, 17, 13, 3)
    a8, b8 = (np.rint(255 * x).astype(np.uint8) for x in (a, b))
    got = metrics.evaluate(Lookup(b8 / 127.5 - 1), Video.from_array(a8, frame_rate=5))
    expected = np.mean([skimage_ssim(x, y, 255) for x, y in zip(a8, b8, strict=True)])
    assert got.ssim == pytest.approx(expected, abs=1e-6)


def test_evaluate_rounds_to_the_values_of_the_file() -> None:
    # The error is less than half a grey level, so rounding makes the values exact.
    a8 = np.arange(17 * 13, dtype=np.uint8).reshape(17, 13, 1)
    got = metrics.evaluate(Lookup(a8 / 127.5 - 1 + 0.3 / 127.5), Image.from_array(a8))
    assert got.mse == 0
    assert got.psnr == float("inf")


def test_sound_and_volumes_have_no_ssim() -> None:
    rng = np.random.default_rng(0)
    sound = rng.uniform(-1, 1, (41, 2)).astype(np.float32)
    volume = rng.uniform(-1, 1, (3, 5, 7))
    assert metrics.evaluate(Lookup(sound), Audio.from_array(sound, sample_rate=8)).ssim is None
    assert metrics.evaluate(Lookup(volume[..., None]), Volume.from_array(volume)).ssim is None


def test_a_picture_too_small_for_a_window_has_no_ssim() -> None:
    tiny = np.zeros((3, 40, 1), np.uint8)
    assert metrics.evaluate(Lookup(tiny / 127.5 - 1), Image.from_array(tiny)).ssim is None
