"""Pictures as splines, and their derivatives."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._blocks import in_blocks
from ..derivatives.operators import Function
from ..encodings import SplineGrid
from ..errors import SignalError
from ..fields.field import Field
from ..geometry import Grid
from ..maps import AbstractMap
from ..networks import Linear
from ..signals import Image

MAX_PIXELS, MAX_SIDE = 2**22, 2**12
"""Limits of the size: least squares take one to four kilobytes per pixel."""
_PART = 2**15
# Below any difference of a picture of 16 bits, above the rounding of a constant one.
_LEAST_RANGE = 1e-7


def check_picture(owner: str, picture: Image) -> None:
    """Require grey or RGB, pixels at the centres of cells, and a size within the limits."""
    layout = picture.layout
    if layout.channels not in (1, 3):
        raise SignalError(
            f"{owner}: expected a grey or RGB picture, got one of {layout.channels} channels. "
            "Remove its transparency first."
        )
    if layout.grid != Grid.centres(layout.shape):
        raise SignalError(f"{owner}: expected pixels at the centres of cells that fill [-1, 1].")
    small, large = min(layout.shape), max(layout.shape)
    if small < 3 or large > MAX_SIDE or layout.grid.num_samples > MAX_PIXELS:
        raise SignalError(
            f"{owner}: expected 3 to {MAX_SIDE:,} pixels a side and at most {MAX_PIXELS:,} in all, "
            f"got {layout.shape[1]} x {layout.shape[0]}. Scale it first."
        )


def pixel_values(picture: Image) -> Float[Tensor, "rows columns channels"]:
    """All values, normalised, in float64."""
    return torch.cat(list(picture.slabs())).double()


def pixel_coords(picture: Image) -> Float[Tensor, "n 2"]:
    """Coordinates of the pixels, row by row."""
    return picture.layout.grid.coords(np.arange(picture.num_samples)).double()


def spline_field(picture: Image, degree: int) -> Field:
    """A field of zeros in float64: a B-spline at every pixel, with mirrored borders.

    The spline coefficients are the unknowns. The network is the identity and is not trained.
    """
    channels = picture.layout.channels
    grid = SplineGrid(
        2, resolution=picture.layout.shape, features=channels, degree=degree, border="mirror"
    )
    readout = Linear(channels, channels).requires_grad_(False)
    with torch.no_grad():
        grid.table.zero_()
        readout.layer.weight.copy_(torch.eye(channels))
        readout.layer.bias.zero_()
    return Field(readout, encoding=grid).double()


def interpolated(picture: Image, degree: int) -> Field:
    """The spline through the pixels, by a dense solve along each axis."""
    field = spline_field(picture, degree)
    values = pixel_values(picture)
    for axis, count in enumerate(picture.layout.shape):
        basis = SplineGrid(1, resolution=count, features=count, degree=degree, border="mirror")
        centres = Grid.centres([count]).coords(np.arange(count)).double()
        with torch.no_grad():
            basis.double().table.copy_(torch.eye(count))
            lines = values.movedim(axis, 0)
            solved = torch.linalg.solve(basis(centres), lines.flatten(1))
        values = solved.reshape(lines.shape).movedim(0, axis)
    with torch.no_grad():
        spline_grid(field).table.copy_(values.flatten(0, 1))
    return field


def spline_grid(field: Field) -> SplineGrid:
    """The field's encoding, a spline grid."""
    assert isinstance(field.encoding, SplineGrid)
    return field.encoding


def sobel(
    values: Float[Tensor, "rows columns channels"], spacing: tuple[float, ...]
) -> Float[Tensor, "rows columns channels 2"]:
    """Sobel's gradient, per unit of coordinate; the border pixels are repeated beyond the border.

    A central difference across two pixels, averaged over three with weights 1, 2, 1 along the other
    axis.
    """
    around = _extended(values)
    across = (around[:, :-2] + 2 * around[:, 1:-1] + around[:, 2:]) / 4
    along = (around[:-2] + 2 * around[1:-1] + around[2:]) / 4
    rows = (across[2:] - across[:-2]) / (2 * spacing[0])
    columns = (along[:, 2:] - along[:, :-2]) / (2 * spacing[1])
    return torch.stack([rows, columns], dim=-1)


def five_points(
    values: Float[Tensor, "rows columns channels"], spacing: tuple[float, ...]
) -> Float[Tensor, "rows columns channels"]:
    """The Laplacian from each pixel and its four neighbours, per square unit of coordinate."""
    around = _extended(values)
    inner = around[1:-1, 1:-1]
    rows = around[2:, 1:-1] - 2 * inner + around[:-2, 1:-1]
    columns = around[1:-1, 2:] - 2 * inner + around[1:-1, :-2]
    return rows / spacing[0] ** 2 + columns / spacing[1] ** 2


def predicted(map: AbstractMap, field: Function, coords: Float[Tensor, "n 2"]) -> Tensor:
    """Predictions of a map at many points, in blocks."""
    return in_blocks(lambda part: map(field, part), coords, size=_PART)


def range_psnr(prediction: Tensor, target: Tensor) -> float | None:
    """PSNR in dB, relative to the range of the target; None if it is infinite or the range is 0."""
    error = (prediction - target).square().mean().item()
    span = (target.max() - target.min()).item()
    return 10 * math.log10(span**2 / error) if error > 0 and span > _LEAST_RANGE else None


def level(field: Field, picture: Image) -> None:
    """Fix a field's offset in each channel, and one scale, by least squares on a picture."""
    values = pixel_values(picture).flatten(0, 1)
    found = in_blocks(field, pixel_coords(picture), size=_PART).double()
    spread, wanted = found - found.mean(0), values - values.mean(0)
    power = spread.square().sum()
    scale = (spread * wanted).sum() / power if power > 0 else power.new_ones(())
    *_, last = (layer for layer in field.network.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(values.mean(0) - scale * found.mean(0))


def shown(values: Float[Tensor, "rows columns channels"]) -> np.ndarray:
    """A picture for a panel, in [0, 1]; grey without its channel axis."""
    array = ((values.clamp(-1, 1) + 1) / 2).cpu().numpy()
    return array[..., 0] if array.shape[-1] == 1 else array


def _extended(values: Tensor) -> Tensor:
    rows = torch.cat([values[:1], values, values[-1:]])
    return torch.cat([rows[:, :1], rows, rows[:, -1:]], dim=1)
