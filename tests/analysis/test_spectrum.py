"""What is learnt when, on fits whose outcome is known, and the spectral bias itself."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from neurafield import Field, Grid, analysis, encodings, networks
from neurafield.errors import SignalError
from neurafield.signals import Audio, Image

BANDS = analysis.Harmonics(200, analysis.FREQUENCIES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Sines(nn.Module):
    """A field whose components are known: a factor for each harmonic of a signal."""

    def __init__(self, sound: Audio) -> None:
        super().__init__()
        spectrum = torch.fft.rfft(next(sound.slabs())[:, 0].double())
        parts = []
        for k in analysis.FREQUENCIES:
            only = torch.zeros_like(spectrum)
            only[k] = spectrum[k]
            parts.append(torch.fft.irfft(only, n=200))
        self.register_buffer("parts", torch.stack(parts, 1).float())
        self.share = nn.Parameter(torch.zeros(len(parts), 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        at = ((x[:, 0] + 1) * 100 - 0.5).round().long()
        return self.parts[at] @ self.share


def test_error_and_response_of_a_field_that_is_known() -> None:
    sound = analysis.sum_of_sines(seed=3)
    field = Sines(sound)
    field.share.data[:4, 0] = torch.tensor([1.0, 0.25, -1.0, 2.0])
    before = analysis.learn(field, sound, BANDS, steps=1, lr=1e-12)
    assert before.steps == (0, 1)
    expected = [0, 0.75, 2, 1] + [1] * 6
    np.testing.assert_allclose(before.error[0], expected, atol=1e-5)
    np.testing.assert_allclose(before.response[0], [1, 0.25, 1, 2] + [0] * 6, atol=1e-5)
    # What has the right amplitude and the wrong sign is not learnt.
    assert before.steps_until()[:3] == [1, None, None]


def test_components_of_their_own_are_learnt_together() -> None:
    sound = analysis.sum_of_sines(seed=1)
    found = analysis.learn(Sines(sound), sound, BANDS, steps=300, lr=0.01)
    assert found.status == "steps"
    assert str(found.bias_factor()) == "1"
    assert found.error[-1].max() < 0.1


def relu_field() -> nn.Module:
    return Field(networks.MLP(1, 1, width=64, depth=2, generator=seeded()))


def fourier_field() -> nn.Module:
    lift = encodings.RandomFourier(1, 64, sigma=10.0, generator=seeded())
    return Field(networks.MLP(128, 1, width=64, depth=2, generator=seeded()), encoding=lift)


def sine_field() -> nn.Module:
    return Field(networks.Siren(1, 1, width=64, depth=2, omega_0=100, generator=seeded()))


def check_bias(field: nn.Module, *, at_least: float) -> None:
    """The highest of three frequencies comes so many times later than the lowest."""
    frequencies = [1, 4, 16]
    sound = analysis.sum_of_sines(frequencies, num_samples=64)
    bands = analysis.Harmonics(64, frequencies)
    factor = analysis.learn(field, sound, bands, steps=300, lr=1e-3).bias_factor()
    assert factor.factor is not None
    assert factor.factor >= at_least, str(factor)


def test_a_relu_network_learns_low_frequencies_first() -> None:
    check_bias(relu_field(), at_least=10)


@pytest.mark.parametrize("build", [fourier_field, sine_field])
def test_with_fourier_features_or_sines_it_does_so_less(build) -> None:
    with pytest.raises(AssertionError):
        check_bias(build(), at_least=10)


def learning(rows: list[list[float]], steps: tuple[int, ...]) -> analysis.Learning:
    error = np.array(rows)
    return analysis.Learning(steps, error, 1 - error, "steps")


def test_steps_until_and_what_is_never_learnt() -> None:
    found = learning([[1, 1, 0.3], [0.5, 1, 0.9], [0.1, 0.51, 0.9]], (0, 7, 90))
    assert found.steps_until() == [7, None, 1]
    assert found.steps_until(0.2) == [90, None, None]


def test_bias_factor() -> None:
    late = learning([[1, 1], [0.4, 1], [0.4, 0.4]], (0, 4, 50))
    assert late.bias_factor() == analysis.BiasFactor(12.5, exact=True)
    never = learning([[1, 1], [0.4, 1], [0.4, 0.6]], (0, 4, 50))
    assert never.bias_factor() == analysis.BiasFactor(12.5, exact=False)
    assert str(never.bias_factor()) == "> 12.5"
    nothing = learning([[1, 1], [1, 0.2]], (0, 4))
    assert nothing.bias_factor() == analysis.BiasFactor(None, exact=True)
    assert str(nothing.bias_factor()) == "none"
    # Bands in which the signal has nothing do not count.
    nan = math.nan
    empty = learning([[nan, 1, 1, nan], [nan, 0.4, 1, nan], [nan, 0.1, 0.1, nan]], (0, 4, 8))
    assert empty.bias_factor() == analysis.BiasFactor(2.0, exact=True)
    assert empty.steps_until() == [None, 4, 8, None]


def test_a_picture_in_octaves() -> None:
    rows, columns = np.mgrid[0:24, 0:32]
    grey = 127 + 60 * np.sin(rows / 5) + 50 * np.cos(columns / 2)
    picture = Image.from_array(grey.astype(np.uint8))
    field = Field(networks.MLP(2, 1, width=32, depth=2, generator=seeded()))
    bands = analysis.Octaves((24, 32))
    seen: list[int] = []
    found = analysis.learn(
        field,
        picture,
        bands,
        steps=30,
        lr=1e-3,
        num_records=5,
        callbacks=[lambda progress: seen.append(progress.step)],
    )
    assert found.steps == (0, 1, 2, 5, 13, 30)
    assert seen == list(range(1, 31))
    assert found.error.shape == found.response.shape == (6, len(bands.ranges))
    # The last measurement is of the field as it is left: together with the mean it is the error.
    values = field(picture.layout.grid.coords(np.arange(768))).reshape(24, 32, 1)
    difference = (values - next(picture.slabs())).detach()
    energy = bands.energy(next(picture.slabs())).numpy()
    total = (found.error[-1] ** 2 * energy).sum() + difference.sum().item() ** 2 / 768
    assert total == pytest.approx(difference.square().sum().item(), rel=1e-5)


def test_small_batches_are_drawn_and_large_ones_are_everything() -> None:
    sound = analysis.sum_of_sines()
    few, many, whole = (
        analysis.learn(relu_field(), sound, BANDS, steps=2, lr=1e-3, batch_size=size).error[-1]
        for size in (16, 200, None)
    )
    assert (many == whole).all()
    assert (few != whole).any()


def test_median_factor() -> None:
    def median(*factors: tuple[float | None, bool]) -> tuple[float | None, bool]:
        found = analysis.median_factor([analysis.BiasFactor(*each) for each in factors])
        return found.factor, found.exact

    assert median((8.0, True), (5.0, True), (20.0, False)) == (8.0, True)
    # The one of at least 5 may be above 8, and then the median is.
    assert median((8.0, True), (5.0, False), (20.0, True)) == (8.0, False)
    assert median((8.0, True), (5.0, True)) == (5.0, True)
    assert median((8.0, True), (None, True)) == (None, True)


def test_the_sum_of_sines_is_what_it_says() -> None:
    equal = analysis.sum_of_sines(seed=5)
    assert equal.data.shape == (200, 1)
    energy = BANDS.energy(torch.from_numpy(equal.data))
    torch.testing.assert_close(energy, energy[:1].expand(10), rtol=1e-5, atol=0)
    rising = BANDS.energy(torch.from_numpy(analysis.sum_of_sines(rising=True).data)).sqrt()
    wanted = torch.arange(1, 11, dtype=torch.float64) / 10
    torch.testing.assert_close(rising / rising[-1], wanted, rtol=1e-5, atol=0)
    assert (analysis.sum_of_sines(seed=6).data != equal.data).any()
    # Nothing else is in it.
    whole = 2 * torch.fft.rfft(torch.from_numpy(equal.data[:, 0]), norm="ortho").abs() ** 2
    assert whole.sum().item() == pytest.approx(energy.sum().item(), rel=1e-5)


def test_the_sum_of_sines_lies_where_it_is_put() -> None:
    grid = Grid((200,), (0.0,), (1 / 200,))
    assert analysis.sum_of_sines(grid=grid).layout.grid == grid


def test_learn_refuses() -> None:
    flat = Audio.from_array(np.full(200, 0.5, np.float32), sample_rate=200)
    with pytest.raises(SignalError, match="constant"):
        analysis.learn(relu_field(), flat, analysis.Octaves((200,)), steps=3, lr=1e-3)
    with pytest.raises(ValueError, match="num_records between 2"):
        analysis.learn(
            relu_field(), analysis.sum_of_sines(), BANDS, steps=3, lr=1e-3, num_records=1
        )
    with pytest.raises(ValueError, match="below half of 64"):
        analysis.sum_of_sines([5, 32], num_samples=64)
