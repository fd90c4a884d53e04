"""Pictures for a page, as data addresses: signals, their errors, and an enlarged part."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped
from PIL import Image

_LONGEST = 640
_PARTS = 6
_SOUND_PARTS = 10
_SOUND_PART = 400
_SMALLEST_PART = 16
_SOUND_SIZE = (160, 800)
_STROKE = 2.5
_SOUND_COLOUR, _ERROR_COLOUR = (59, 130, 246), (220, 70, 70)


def signal_picture(view: Shaped[np.ndarray, "..."], sound: bool) -> str:
    """A picture in [0, 1], or the waveform of a sound in [-1, 1]."""
    return _waveform(view, _SOUND_COLOUR) if sound else _photograph(view)


def error_range(
    views: Sequence[Shaped[np.ndarray, "..."]], truth: Shaped[np.ndarray, "..."], *, sound: bool
) -> float:
    """The error that is drawn brightest, or at full height; most errors are smaller."""
    errors = np.stack([_error(view, truth) for view in views])
    if not sound:
        return 0.2
    return float(min(1.0, max(1e-3, np.median(np.quantile(errors, 0.999, axis=-1)))))


def error_picture(
    view: Shaped[np.ndarray, "..."], truth: Shaped[np.ndarray, "..."], most: float, sound: bool
) -> str:
    """Picture of the error of a view."""
    if sound:
        return _waveform((view - truth) / most, _ERROR_COLOUR)
    from matplotlib import colormaps

    shares = np.clip(_error(view, truth) / most, 0, 1)
    return _photograph(colormaps["magma"](shares)[..., :3])


def worst_part(
    views: Sequence[Shaped[np.ndarray, "..."]], truth: Shaped[np.ndarray, "..."], *, sound: bool
) -> tuple[slice, ...]:
    """The part in which the mean error of all views is largest."""
    error = np.mean([_error(view, truth) for view in views], axis=0)
    if sound:
        size = min(len(error), max(_SMALLEST_PART, min(_SOUND_PART, len(error) // _SOUND_PARTS)))
        sums = np.convolve(error, np.ones(size), "valid")
        start = int(sums.argmax())
        return (slice(start, start + size),)
    high, wide = (min(side, max(_SMALLEST_PART, side // _PARTS)) for side in error.shape)
    sums = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    row, column = (int(number) for number in np.unravel_index(boxes.argmax(), boxes.shape))
    return slice(row, row + high), slice(column, column + wide)


def window(view: Shaped[np.ndarray, "..."], part: tuple[slice, ...], sound: bool) -> str:
    """An enlarged part, whose samples are visible."""
    if sound:
        return _waveform(view[part], _SOUND_COLOUR)
    return _address(Image.fromarray(_bytes(view[part])), "PNG")


def _error(
    view: Shaped[np.ndarray, "..."], truth: Shaped[np.ndarray, "..."]
) -> Float[np.ndarray, "..."]:
    error = np.abs(view - truth)
    return error.mean(-1) if error.ndim == 3 else error


def _photograph(view: Shaped[np.ndarray, "..."]) -> str:
    picture = Image.fromarray(_bytes(view))
    picture.thumbnail((_LONGEST, _LONGEST))
    return _address(picture, "JPEG")


def _bytes(view: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    return (view.clip(0, 1) * 255).round().astype(np.uint8)


def _waveform(samples: Float[np.ndarray, " n"], colour: tuple[int, int, int]) -> str:
    """Range of the samples in each column, joined to the column before."""
    rows, columns = _SOUND_SIZE
    if len(samples) > columns:
        parts = np.array_split(samples, columns)
        low = np.array([part.min() for part in parts])
        high = np.array([part.max() for part in parts])
    else:
        position = np.linspace(0, len(samples) - 1, columns)
        low = high = np.interp(position, np.arange(len(samples)), samples)
    before = np.concatenate([low[:1], low[:-1]]), np.concatenate([high[:1], high[:-1]])
    low, high = np.minimum(low, before[1]), np.maximum(high, before[0])
    height = np.linspace(1, -1, rows)[:, None]
    inside = (height >= low - _STROKE / rows) & (height <= high + _STROKE / rows)
    picture = np.zeros((rows, columns, 4), np.uint8)
    picture[..., :3] = colour
    picture[..., 3] = 255 * inside
    return _address(Image.fromarray(picture), "PNG")


def _address(picture: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    picture.save(file, kind, quality=88, optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind.lower()};base64,{data}"
