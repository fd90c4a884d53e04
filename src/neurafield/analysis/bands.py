"""Bands of spatial frequency, and the energy of a signal or an error in each."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count


class AbstractBands(ABC):
    """Bands of the spectrum of samples on a regular grid.

    Frequencies are in cycles across the longest axis, in all directions: a wave with a given number
    of samples per cycle has the same frequency along every axis. In a picture with n pixels along
    its longer side, f means f / n cycles per pixel.
    """

    ranges: tuple[tuple[float, float], ...]
    """Lowest and highest frequency of each band, in ascending order."""

    @abstractmethod
    def energy(self, values: Float[Tensor, "*shape c"]) -> Float[Tensor, " bands"]:
        """Sum of squares in each band, in float64.

        Raises:
            ValueError: If the values are not on the grid of the bands.
        """


class Octaves(AbstractBands):
    r"""All frequencies of a grid in octaves $[2^j/2,\ 2^j)$, by the cosine transform.

    The cosine transform assumes that the signal is mirrored at its border. The Fourier transform
    assumes a periodic signal, so a jump between opposite borders would appear as detail; and a
    window would hide errors at the border. The transform is orthonormal: the energies of the bands
    and of the mean add up to the sum of squares.

    The mean belongs to no band. Frequencies above the highest one of the longest axis, in the
    corners of a spectrum with several axes, belong to the last band.

    Args:
        shape: Samples on each axis; the longest has at least two.

    Example:
        >>> Octaves((8,)).ranges
        ((0.5, 1.0), (1.0, 2.0), (2.0, 3.5))

    Reference:
        Ahmed, Natarajan and Rao, Discrete Cosine Transform, 1974; orthonormal form.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        longest = max(shape)
        check_count("Octaves", **{"samples on the longest axis": longest}, low=2, high=2**40)
        self.shape = tuple(shape)
        # Coefficient k of n samples belongs to cos(pi k (i + 1/2) / n): k / 2 cycles across the
        # axis.
        squares = torch.zeros(self.shape, dtype=torch.float64)
        for axis, n in enumerate(self.shape):
            along = torch.arange(n, dtype=torch.float64) * (longest / n / 2)
            squares += along.square().reshape(-1, *[1] * (len(self.shape) - 1 - axis))
        frequency = squares.sqrt()
        edges = [2.0**j / 2 for j in range(math.ceil(math.log2(longest)))]
        self.ranges = tuple(zip(edges, [*edges[1:], float(frequency.max())], strict=True))
        # 0 is the mean; the tolerance keeps a rounded edge in its band.
        inner = torch.tensor(edges, dtype=torch.float64) * (1 - 1e-12)
        self._band = torch.bucketize(frequency, inner, right=True).flatten()

    def energy(self, values: Float[Tensor, "*shape c"]) -> Float[Tensor, " bands"]:
        if values.shape[:-1] != self.shape:
            raise ValueError(
                f"Octaves: expected values of shape {(*self.shape, 'c')}, got "
                f"{tuple(values.shape)}."
            )
        coefficients = values.double()
        for axis in range(len(self.shape)):
            coefficients = cosine_transform(coefficients, axis)
        energy = coefficients.square().sum(-1).flatten()
        return torch.bincount(self._band, energy, minlength=len(self.ranges) + 1)[1:]


class Harmonics(AbstractBands):
    """Single frequencies on one axis, each an integer number of cycles, by the Fourier transform.

    For signals that consist of just these: on evenly spaced samples, such sines and cosines are
    orthogonal, for any position of the first sample.

    Args:
        num_samples: Samples on the axis.
        frequencies: Frequencies in cycles across the axis, ascending.

    Raises:
        ValueError: If they are not ascending, or too high for the samples.

    Example:
        >>> z = torch.arange(8)[:, None] / 8
        >>> wave = torch.sin(2 * torch.pi * 3 * z)
        >>> Harmonics(8, [1, 3]).energy(wave).round(decimals=5).tolist()
        [0.0, 4.0]
    """

    def __init__(self, num_samples: int, frequencies: Sequence[int]) -> None:
        check_count("Harmonics", num_samples=num_samples, low=3, high=2**40)
        rising = list(frequencies) == sorted(set(frequencies))
        if not rising or not frequencies or not 1 <= frequencies[0] <= frequencies[-1]:
            raise ValueError(f"Harmonics: expected ascending integers, got {frequencies}.")
        if 2 * frequencies[-1] >= num_samples:
            raise ValueError(
                f"Harmonics: expected frequencies below half of {num_samples} samples, got "
                f"{frequencies[-1]}."
            )
        self.num_samples = num_samples
        self.ranges = tuple((float(k), float(k)) for k in frequencies)
        self._index = torch.tensor(list(frequencies))

    def energy(self, values: Float[Tensor, "*shape c"]) -> Float[Tensor, " bands"]:
        if values.ndim != 2 or len(values) != self.num_samples:
            raise ValueError(
                f"Harmonics: expected values of shape ({self.num_samples}, c), got "
                f"{tuple(values.shape)}."
            )
        # Negative frequencies, which have the same energy, are included.
        spectrum = torch.fft.rfft(values.double(), dim=0, norm="ortho")[self._index]
        return 2 * spectrum.abs().square().sum(-1)


def cosine_transform(x: Float[Tensor, "*shape"], axis: int) -> Float[Tensor, "*shape"]:
    r"""Orthonormal cosine transform along an axis.

    $X_k = c_k \sum_i x_i \cos(\pi k (i + 1/2) / n)$, $c_0 = \sqrt{1/n}$, else $\sqrt{2/n}$.

    Example:
        >>> cosine_transform(torch.ones(4), 0).round(decimals=5).tolist()
        [2.0, 0.0, 0.0, 0.0]
    """
    n = x.shape[axis]
    # One Fourier transform of the same length: even samples in order, then odd ones reversed.
    order = torch.cat([torch.arange(0, n, 2), torch.arange(1, n, 2).flip(0)])
    spectrum = torch.fft.fft(x.movedim(axis, -1)[..., order])
    phase = torch.arange(n, dtype=x.dtype) * (-math.pi / (2 * n))
    factors = torch.polar(torch.full_like(phase, math.sqrt(2 / n)), phase)
    factors[0] = math.sqrt(1 / n)
    return (spectrum * factors).real.movedim(-1, axis)
