"""Quality of a fit: PSNR and SSIM, computed in parts so that the memory is bounded."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..signals import AbstractGridSignal, render

_SSIM_RADIUS = 5
_SSIM_SIGMA = 1.5


@dataclass(frozen=True)
class Quality:
    """Error of a field against a signal, after rounding to the values that the file can hold.

    Args:
        mse: Mean squared error of the normalised values.
        psnr: PSNR in dB, for values with a range of 2; infinite for an exact reproduction.
        ssim: Mean structural similarity in [-1, 1]; None for sound and volumes, and for pictures
            with fewer than 11 pixels along a side.
    """

    mse: float
    psnr: float
    ssim: float | None


def psnr(mse: float, *, peak: float = 2.0) -> float:
    """Peak signal-to-noise ratio in dB, `10 log10(peak^2 / mse)`; infinite for mse 0.

    Args:
        mse: Mean squared error.
        peak: Range of the values, 2 for values in [-1, 1].

    Example:
        >>> psnr(0.04)
        20.0
    """
    return math.inf if mse == 0 else 10 * math.log10(peak**2 / mse)


def ssim(
    a: Float[Tensor, "row column c"], b: Float[Tensor, "row column c"], *, data_range: float = 1.0
) -> float:
    """Mean structural similarity with the Gaussian window of the paper.

    Args:
        a: A picture, at least 11 x 11.
        b: Another of the same size.
        data_range: Range of the values, from 0 for black.

    Raises:
        ValueError: If the sizes differ or are too small.

    Example:
        >>> picture = torch.rand(16, 16, 3)
        >>> ssim(picture, picture)
        1.0

    Reference:
        Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity,
        2004, equation 13 with their constants, on windows that lie wholly inside the picture.
        Colour is averaged over channels. Equals scikit-image's with gaussian_weights=True,
        sigma=1.5, use_sample_covariance=False.
    """
    if a.shape != b.shape or min(a.shape[:2]) < 2 * _SSIM_RADIUS + 1:
        raise ValueError(
            f"ssim: expected two pictures of one size, at least 11 x 11, got {tuple(a.shape)} and "
            f"{tuple(b.shape)}."
        )
    total, count = _ssim_sum(a.double(), b.double(), data_range)
    return total / count


def evaluate(
    field: nn.Module,
    signal: AbstractGridSignal[Any],
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Quality:
    """Compares a field with the signal that it was fitted to, sample by sample.

    Args:
        field: Field from coordinates to normalised values.
        signal: Reference signal.
        on_progress: Function called with the completed fraction, in [0, 1].
    """
    layout = signal.layout
    frames = {"image": False, "video": True}.get(layout.kind)
    total_error, total_ssim, windows, rows = 0.0, 0.0, 0, 0
    band = _Band()
    for prediction, truth in _pairs(field, signal):
        prediction = layout.normalise(layout.denormalise(prediction))
        total_error += (prediction.double() - truth.double()).square().sum().item()
        rows += len(truth)
        if frames is not None and min(layout.shape[-2:]) > 2 * _SSIM_RADIUS:
            # SSIM depends on the offset of the values: black must be 0.
            prediction, truth = (prediction.double() + 1) / 2, (truth.double() + 1) / 2
            for a, b in (
                zip(prediction, truth, strict=True)
                if frames
                else [band.extended(prediction, truth)]
            ):
                if len(a) > 2 * _SSIM_RADIUS:
                    part, count = _ssim_sum(a, b, 1.0)
                    total_ssim, windows = total_ssim + part, windows + count
        if on_progress:
            on_progress(rows / layout.shape[0])
    mse = total_error / (layout.grid.num_samples * layout.channels)
    return Quality(mse, psnr(mse), total_ssim / windows if windows else None)


def _pairs(
    field: nn.Module, signal: AbstractGridSignal[Any]
) -> Iterator[tuple[Float[Tensor, "..."], Float[Tensor, "..."]]]:
    size = 2**18
    yield from zip(render(field, signal.layout, max_samples=size), signal.slabs(size), strict=True)


class _Band:
    """Extends each band of rows by the last rows of the one before, for windows across both."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def extended(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        if self._kept is not None:
            a, b = torch.cat([self._kept[0], a]), torch.cat([self._kept[1], b])
        overlap = 2 * _SSIM_RADIUS
        self._kept = a[-overlap:], b[-overlap:]
        return a, b


def _ssim_sum(
    a: Float[Tensor, "row column c"], b: Float[Tensor, "row column c"], data_range: float
) -> tuple[float, int]:
    a, b = a.movedim(-1, 0), b.movedim(-1, 0)
    stacked = torch.stack([a, b, a * a, b * b, a * b])
    mean_a, mean_b, mean_aa, mean_bb, mean_ab = _blur(stacked)
    variance_a, variance_b = mean_aa - mean_a**2, mean_bb - mean_b**2
    covariance = mean_ab - mean_a * mean_b
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return similarity.sum().item(), similarity.numel()


def _blur(x: Float[Tensor, "k c row column"]) -> Float[Tensor, "k c _ _"]:
    return _blur_axis(_blur_axis(x, -2), -1)


def _blur_axis(x: Float[Tensor, "*shape"], axis: int) -> Float[Tensor, "*_"]:
    # Sums of shifted views are seven times as fast as conv2d, which has no fast float64 path.
    offsets = torch.arange(-_SSIM_RADIUS, _SSIM_RADIUS + 1, dtype=x.dtype)
    window = torch.exp(-0.5 * (offsets / _SSIM_SIGMA) ** 2)
    window = window / window.sum()
    size = x.shape[axis] - 2 * _SSIM_RADIUS
    result = torch.zeros_like(x.narrow(axis, 0, size))
    for start, weight in enumerate(window.tolist()):
        result.add_(x.narrow(axis, start, size), alpha=weight)
    return result
