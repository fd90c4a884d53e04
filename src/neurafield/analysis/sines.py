"""Sums of sines, to see which frequencies a network learns first."""

import math
from collections.abc import Sequence

import numpy as np

from .._checks import check_count
from ..geometry import Grid
from ..signals import Audio
from .bands import Harmonics

FREQUENCIES = tuple(range(5, 55, 5))
"""Frequencies of the paper, in cycles across the box."""
NUM_SAMPLES = 200
"""Number of samples in the paper: four per cycle of the highest frequency."""


def sum_of_sines(
    frequencies: Sequence[int] = FREQUENCIES,
    *,
    rising: bool = False,
    num_samples: int = NUM_SAMPLES,
    grid: Grid | None = None,
    seed: int = 0,
) -> Audio:
    r"""Builds a signal of sines on one axis, with equal or rising amplitudes.

    $\sum_i A_i \sin(2\pi (k_i z + \varphi_i))$, z from 0 to 1 across the axis, $\varphi_i$ uniform
    in [0, 1).

    Args:
        frequencies: Frequencies k, in cycles across the axis; `Harmonics` measures them.
        rising: True for amplitude i / n of the i-th of n frequencies, so that the highest has most
            weight in the loss; False for amplitude 1.
        num_samples: Samples on the axis.
        grid: Coordinates of the samples; None for the library's convention.
        seed: Seed of the phases.

    Raises:
        ValueError: If the frequencies are not ascending, or too high for the samples.

    Example:
        >>> sum_of_sines().layout.shape
        (200,)

    Reference:
        Rahaman et al., On the Spectral Bias of Neural Networks, ICML 2019, section 3, experiment
        1. Their coordinates are z; ours, without a `grid`, are 2 z - 1. The values are scaled to a
        peak of 1, like any sound.
    """
    check_count("sum_of_sines", seed=seed, low=0, high=2**63 - 1)
    Harmonics(num_samples, frequencies)
    phases = np.random.default_rng(seed).random(len(frequencies))
    z = (np.arange(num_samples) + 0.5) / num_samples
    values = np.zeros(num_samples)
    for i, (k, phase) in enumerate(zip(frequencies, phases, strict=True)):
        amplitude = (i + 1) / len(frequencies) if rising else 1.0
        values += amplitude * np.sin(2 * math.pi * (k * z + phase))
    return Audio.from_array(values, sample_rate=num_samples, grid=grid)
