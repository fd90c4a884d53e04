"""Bacon: its formula in NumPy, and the bound on its spectrum, by FFT over the periodic box."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from neurafield.networks import Bacon

WIDE = 64


def network(**options: object) -> Bacon:
    given = {"bandwidths": [[3, 2], [1, 4], [5, 0]], "width": 17} | options
    return Bacon(2, 3, generator=torch.Generator().manual_seed(0), **given).double()


def test_it_is_the_formula() -> None:
    bacon = network()
    x = 2 * torch.rand(11, 2, dtype=torch.float64) - 1
    state = {name: tensor.numpy() for name, tensor in bacon.state_dict().items()}

    def filters(i: int) -> np.ndarray:
        return np.sin(np.pi * x.numpy() @ state["frequencies"][i].T + state["phases"][i])

    z = filters(0)
    for i in range(2):
        z = filters(i + 1) * (z @ state["weights"][i].T + state["biases"][i])
        y = z @ state["out_weights"][i].T + state["out_biases"][i]
        assert_close(bacon.at_lod(i)(x).detach(), torch.from_numpy(y))


# ---- the bound


def spectrum(bacon: Bacon, lod: int) -> np.ndarray:
    """Largest amplitude among the channels at each pair of whole cycles across the box."""
    along = 2 * torch.arange(WIDE, dtype=torch.float64) / WIDE - 1
    grid = torch.cartesian_prod(along, along)
    with torch.no_grad():
        values = bacon.at_lod(lod)(grid).numpy().reshape(WIDE, WIDE, -1)
    return np.abs(np.fft.fft2(values, axes=(0, 1))).max(axis=2) / WIDE**2


def check_band_limit(bacon: Bacon, lod: int, bandwidth: tuple[int, ...]) -> None:
    """Beyond the bound there is rounding alone, and just within it there is more."""
    amplitudes = spectrum(bacon, lod)
    cycles = np.abs(np.fft.fftfreq(WIDE, 1 / WIDE))
    beyond = (cycles[:, None] > bandwidth[0]) | (cycles[None, :] > bandwidth[1])
    assert amplitudes[beyond].max() < 1e-13 * amplitudes.max()


@pytest.mark.parametrize("lod", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_no_output_exceeds_its_bandwidth(lod: int, seed: int) -> None:
    bacon = network()
    # Any parameters: the bound does not depend on how they were drawn.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in bacon.parameters():
            parameter.copy_(5 * torch.randn(parameter.shape, generator=generator))
    assert bacon.level_bandwidths() == [(4, 6), (9, 6)]
    check_band_limit(bacon, lod, bacon.level_bandwidths()[lod])


@pytest.mark.parametrize("tighter", [(8, 6), (9, 5)])
def test_the_bound_is_reached_so_the_check_can_fail(tighter: tuple[int, int]) -> None:
    wide = network(width=200)
    check_band_limit(wide, 1, (9, 6))
    with pytest.raises(AssertionError):
        check_band_limit(wide, 1, tighter)


def test_frequencies_between_whole_cycles_would_be_seen() -> None:
    bacon = network()
    bacon.frequencies += 0.3
    with pytest.raises(AssertionError):
        check_band_limit(bacon, 1, (9, 6))


def test_it_goes_on_periodically() -> None:
    bacon = network()
    x = 2 * torch.rand(11, 2, dtype=torch.float64) - 1
    assert_close(bacon(x + torch.tensor([2.0, -4.0])), bacon(x))
    assert bacon(torch.tensor([[0.0, torch.nan]]).double()).isnan().all()


# ---- how it starts


def test_frequencies_are_whole_uniform_and_not_trained() -> None:
    bacon = Bacon(2, 1, bandwidths=[[3, 50], [7, 0]], width=4_000)
    for i, along_axes in enumerate(bacon.bandwidths):
        for axis, bandwidth in enumerate(along_axes):
            drawn = bacon.frequencies[i, :, axis]
            assert torch.equal(drawn, drawn.round())
            values, counts = drawn.unique(return_counts=True)
            assert values.tolist() == list(range(-bandwidth, bandwidth + 1))
            expected = 4_000 / len(values)
            assert (counts - expected).abs().max() < 5 * expected**0.5
    assert "frequencies" not in dict(bacon.named_parameters())


@pytest.mark.parametrize("depth", [1, 8])
def test_variance_of_outputs_does_not_depend_on_depth(depth: int) -> None:
    bacon = Bacon(
        2,
        64,
        bandwidths=[4] * (depth + 1),
        width=512,
        generator=torch.Generator().manual_seed(0),
    )
    x = 2 * torch.rand(2000, 2, generator=torch.Generator().manual_seed(1)) - 1
    with torch.no_grad():
        assert 0.7 < bacon(x).std() < 1.3


# ---- what is refused


def test_bad_bandwidths_are_told() -> None:
    with pytest.raises(ValueError, match="2 to 257 bandwidths, got 1"):
        Bacon(2, 1, bandwidths=[3])
    with pytest.raises(ValueError, match="2 values, one per axis, got 3"):
        Bacon(2, 1, bandwidths=[3, [1, 2, 3]])
    with pytest.raises(ValueError, match="bandwidths between 0 and 1048576, got -1"):
        Bacon(2, 1, bandwidths=[3, -1])
    for wrong in (3, [3, 1.5], [3, "ab"], [3, [1, None]]):
        with pytest.raises(TypeError, match="bandwidth"):
            Bacon(2, 1, bandwidths=wrong)
