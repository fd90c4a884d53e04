"""Bands against SciPy's transform and against sines whose frequency is known."""

import math

import pytest
import scipy.fft
import torch

from neurafield.analysis import Harmonics, Octaves, cosine_transform


@pytest.mark.parametrize(("shape", "axis"), [((1,), 0), ((7,), 0), ((5, 8, 3), 1), ((6, 5), 0)])
def test_cosine_transform_is_scipys(shape: tuple[int, ...], axis: int) -> None:
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = scipy.fft.dct(x.numpy(), axis=axis, norm="ortho")
    torch.testing.assert_close(cosine_transform(x, axis), torch.from_numpy(expected))


@pytest.mark.parametrize("shape", [(8,), (11,), (7, 13), (16, 5, 3), (6, 1)])
def test_octaves_and_the_mean_add_up_to_the_sum_of_squares(shape: tuple[int, ...]) -> None:
    values = torch.randn(*shape, 2, generator=torch.Generator().manual_seed(0))
    bands = Octaves(shape)
    mean = values.double().flatten(0, -2).sum(0).square().sum() / math.prod(shape)
    total = bands.energy(values).sum() + mean
    torch.testing.assert_close(total, values.double().square().sum())
    lows, highs = zip(*bands.ranges, strict=True)
    assert lows[0] == 0.5
    assert lows[1:] == highs[:-1]


def test_octaves_agree_with_a_plain_sum_over_coefficients() -> None:
    shape = (12, 9)
    values = torch.randn(*shape, 1, generator=torch.Generator().manual_seed(1))
    coefficients = scipy.fft.dctn(values[..., 0].double().numpy(), norm="ortho")
    bands = Octaves(shape)
    expected = [0.0] * len(bands.ranges)
    for i in range(shape[0]):
        for j in range(shape[1]):
            # Cycles a sample, times the samples along the longest axis.
            frequency = math.hypot(i / 2 / shape[0], j / 2 / shape[1]) * 12
            held = [b for b, (low, _) in enumerate(bands.ranges) if frequency > low - 1e-9]
            if held:
                expected[held[-1]] += coefficients[i, j] ** 2
    torch.testing.assert_close(bands.energy(values), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("cycles", "band"), [(1.5, 1), (3.0, 2), (13.0, 4), (31.0, 5)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_wave_lies_in_its_octave(cycles: float, band: int, axis: int) -> None:
    # As many cycles a sample along either axis, of which one is half as long.
    z = (torch.arange(64) + 0.5) / 64
    wave = torch.cos(2 * math.pi * cycles * z)
    shape = (64, 32) if axis == 0 else (32, 64)
    values = wave[:, None] if axis == 0 else wave[None]
    energy = Octaves(shape).energy(values.expand(shape)[..., None])
    assert energy[band] / energy.sum() > 0.999999


def test_a_ramp_shows_no_detail_that_is_not_there() -> None:
    # Repeated, a ramp jumps; mirrored, it does not. The Fourier transform is the case that fails.
    ramp = torch.linspace(-1, 1, 256, dtype=torch.float64)
    energy = Octaves((256,)).energy(ramp[:, None])
    spectrum = torch.fft.rfft(ramp).abs().square()
    assert energy[-1] / energy.sum() < 1e-6
    assert spectrum[64:].sum() / spectrum[1:].sum() > 1e-3


def test_harmonics_measure_amplitudes_whatever_the_phase() -> None:
    z = torch.arange(200, dtype=torch.float64) / 200 + 0.123
    values = 3 * torch.sin(2 * math.pi * 5 * z + 1) + 0.5 * torch.sin(2 * math.pi * 50 * z - 2)
    energy = Harmonics(200, [5, 25, 50]).energy((values + 7)[:, None])
    amplitudes = (energy / 100).sqrt()
    expected = torch.tensor([3, 0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(amplitudes, expected)


@pytest.mark.parametrize(
    ("samples", "frequencies", "words"),
    [
        (200, [5, 5], "ascending"),
        (200, [], "ascending"),
        (200, [0, 5], "ascending"),
        (200, [5, 100], "below half of 200"),
        (2, [1], "num_samples"),
    ],
)
def test_harmonics_refuse(samples: int, frequencies: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Harmonics(samples, frequencies)


def test_octaves_refuse_what_has_no_frequency_and_other_shapes() -> None:
    with pytest.raises(ValueError, match="samples on the longest axis"):
        Octaves((1, 1))
    with pytest.raises(ValueError, match=r"\(4, 5, 'c'\), got \(5, 4, 1\)"):
        Octaves((4, 5)).energy(torch.zeros(5, 4, 1))
    with pytest.raises(ValueError, match=r"\(200, c\), got \(5, 1\)"):
        Harmonics(200, [5]).energy(torch.zeros(5, 1))
