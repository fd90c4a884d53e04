"""Layouts: the grid, value range and file properties needed to write a signal back."""

import dataclasses
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from .._checks import check_count
from ..errors import SignalError
from ..geometry import Extent, Grid

_DTYPES = tuple(
    np.dtype(code).name
    for code in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
)

_MAX_VALUES = 2**48
_MAX_COORD = 1e9

MAX_SAMPLES = 2**31
"""Maximum samples times channels of a rendered signal; larger requests are likely typing errors."""


@dataclass(frozen=True, kw_only=True)
class AbstractLayout(ABC):
    """Metadata of a signal on a grid: positions of the samples and their encoding in a file.

    Fields return normalised values, with the range of the file's values mapped to [-1, 1].

    Args:
        grid: Grid of the samples.
        channels: Values per sample.
        dtype: NumPy name of the dtype in the file.
        low: File value that is mapped to -1.
        high: File value that is mapped to 1.
    """

    kind: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    num_axes: ClassVar[int]
    resizable_axes: ClassVar[tuple[int, ...]]

    grid: Grid
    channels: int
    dtype: str
    low: float
    high: float

    def __post_init__(self) -> None:
        # A layout may come from an untrusted file.
        owner = type(self).__name__
        check_count(owner, channels=self.channels, high=64)
        if self.grid.dim != self.num_axes:
            raise ValueError(f"{owner}: expected {self.num_axes} axes, got {self.grid.dim}.")
        if self.dtype not in _DTYPES:
            raise ValueError(f"{owner}: expected one of {', '.join(_DTYPES)}, got {self.dtype!r}.")
        smallest, largest = _value_limits(self.dtype)
        _check_numbers(owner, smallest, largest, low=self.low, high=self.high)
        if self.low > self.high:
            raise ValueError(f"{owner}: expected low <= high, got {self.low} and {self.high}.")
        for axis, (first, spacing) in enumerate(
            zip(self.grid.first, self.grid.spacing, strict=True)
        ):
            _check_numbers(owner, -_MAX_COORD, _MAX_COORD, **{f"first[{axis}]": first})
            _check_numbers(owner, 1 / _MAX_COORD**2, _MAX_COORD, **{f"spacing[{axis}]": spacing})
        if math.prod(self.shape) * self.channels > _MAX_VALUES:
            raise ValueError(f"{owner}: expected at most 2**48 values, got shape {self.shape}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of samples on each axis."""
        return self.grid.shape

    @property
    def in_dim(self) -> int:
        """Number of coordinates of a sample."""
        return self.grid.dim

    @property
    def extent(self) -> Extent:
        """Extent by which architectures are sized."""
        return Extent(self.shape, self.channels, self.kind)

    def normalise(self, values: Shaped[np.ndarray, "*shape"]) -> Float[Tensor, "*shape"]:
        """Maps file values to [-1, 1]."""
        # float32 represents every 16-bit value exactly; wider types need float64.
        wide: Any = np.float32 if np.dtype(self.dtype).itemsize <= 2 else np.float64
        exact = values.astype(wide)
        scaled = (exact - self._offset) / self._scale
        return torch.from_numpy(scaled.astype(np.float32, copy=False))

    def denormalise(self, values: Float[Tensor, "*shape"]) -> Shaped[np.ndarray, "*shape"]:
        """Maps normalised values to the file's dtype; integers are rounded and clipped."""
        array = values.detach().cpu().numpy().astype(np.float64) * self._scale + self._offset
        if np.issubdtype(self.dtype, np.integer):
            array = np.clip(np.rint(array), self.low, self.high)
        else:
            array = np.clip(array, *_value_limits(self.dtype))
        return array.astype(self.dtype)

    def resized(
        self,
        *,
        scale: float | None = None,
        size: Sequence[int] | None = None,
        region: Sequence[float] | None = None,
    ) -> "AbstractLayout":
        """The layout of a rendering at another size, or of a region.

        Args:
            scale: Factor on each resizable axis (a video's frames are not).
            size: Samples on each resizable axis, instead of a scale.
            region: Start and stop on each resizable axis, in samples of this layout.

        Raises:
            SignalError: If sizes are not positive, the number of axes is wrong, the region extends
                outside, or no such layout exists.
        """
        axes = self.resizable_axes
        if region is not None and len(region) != 2 * len(axes):
            raise SignalError(
                f"region: expected {2 * len(axes)} values for {self.kind}, got {len(region)}."
            )
        ranges: list[tuple[float, float]] = [(0.0, float(n)) for n in self.shape]
        for i, axis in enumerate(axes if region is not None else ()):
            ranges[axis] = (float(region[2 * i]), float(region[2 * i + 1]))  # type: ignore[index]
        for axis, (start, stop) in enumerate(ranges):
            if not 0 <= start < stop <= self.shape[axis]:
                raise SignalError(
                    f"region: expected a part of 0 to {self.shape[axis]} on axis {axis}, got "
                    f"{start:g} to {stop:g}."
                )
        shape = list(self.shape)
        if size is not None:
            if len(size) != len(axes) or min(size) < 1:
                raise SignalError(
                    f"size: expected {len(axes)} positive numbers for {self.kind}, got "
                    f"{' '.join(map(str, size))}."
                )
            for axis, count in zip(axes, size, strict=True):
                shape[axis] = count
        else:
            factor = 1.0 if scale is None else scale
            if not 0 < factor < float("inf"):
                raise SignalError(f"scale: expected a positive number, got {scale}.")
            for axis in axes:
                start, stop = ranges[axis]
                shape[axis] = max(1, round(min((stop - start) * factor, MAX_SAMPLES + 1)))
        if np.prod(shape, dtype=np.float64) * self.channels > MAX_SAMPLES:
            raise SignalError(
                f"size: expected at most {MAX_SAMPLES:,} values, got "
                f"{' x '.join(map(str, shape))} x {self.channels}. Render it in regions."
            )
        try:
            return self._on_grid(self.grid.resampled(shape, ranges))
        except ValueError as error:
            raise SignalError(f"size: {error}") from error

    def _on_grid(self, grid: Grid) -> "AbstractLayout":
        # Layouts with physical units (sample rate, affine) adjust them to the new spacing.
        return dataclasses.replace(self, grid=grid)

    @abstractmethod
    def check_writable(self, path: Path) -> None:
        """Require that this signal can be written to a file with this suffix.

        Raises:
            SignalError: If it cannot, naming the suffixes that can.
        """

    @abstractmethod
    def write(self, path: Path, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> None:
        """Write file values atomically.

        Args:
            path: Output path; its suffix selects the format.
            slabs: Blocks along the first axis, in order, each of shape `(n, *shape[1:], channels)`.

        Raises:
            SignalError: If the suffix cannot hold this signal.
            OSError: If the file cannot be written.
        """

    def checked(
        self, slabs: Iterable[Shaped[np.ndarray, "..."]], path: Path
    ) -> Iterator[Shaped[np.ndarray, "..."]]:
        """Yields the slabs, checking that together they have shape `(*shape, channels)`.

        Raises:
            SignalError: If they are not.
        """
        expected = (*self.shape, self.channels)
        rows = 0
        for slab in slabs:
            rows += slab.shape[0] if slab.ndim else 0
            if slab.ndim != len(expected) or slab.shape[1:] != expected[1:] or rows > expected[0]:
                raise SignalError(
                    f"{path}: expected values of shape {expected} in total, got a part of shape "
                    f"{slab.shape}."
                )
            yield slab
        if rows != expected[0]:
            raise SignalError(f"{path}: expected values of shape {expected}, got {rows} rows.")

    def assembled(
        self, slabs: Iterable[Shaped[np.ndarray, "..."]], path: Path
    ) -> Shaped[np.ndarray, "..."]:
        """Gathers all slabs into one array of shape `(*shape, channels)`."""
        array = np.empty((*self.shape, self.channels), dtype=self.dtype)
        row = 0
        for slab in self.checked(slabs, path):
            array[row : row + len(slab)] = slab
            row += len(slab)
        return array

    def spec(self) -> dict[str, Any]:
        """JSON values from which `signals.layout_from_spec` rebuilds this layout."""
        values = json.loads(json.dumps(dataclasses.asdict(self)))
        return {"kind": self.kind, **values}

    @property
    def _offset(self) -> float:
        return (self.high + self.low) / 2

    @property
    def _scale(self) -> float:
        # A constant signal has no range; any scale will do, since all values map to 0.
        return (self.high - self.low) / 2 or 1.0


def check_suffix(layout: AbstractLayout, path: Path) -> str:
    """Lower-case suffix of `path`, required to be one that this kind of signal supports."""
    suffix = path.suffix.lower()
    if suffix not in layout.suffixes:
        raise SignalError(
            f"{path}: expected one of {', '.join(layout.suffixes)} for {layout.kind}, got "
            f"{suffix or 'no suffix'!r}. Rename the output."
        )
    return suffix


def value_range(array: Shaped[np.ndarray, "..."], path: Path | str) -> tuple[float, float]:
    """Minimum and maximum of values that must be finite.

    Raises:
        SignalError: If the array is empty, has a dtype that is not real or beyond 64 bits, or holds
            NaN or infinity.
    """
    if array.size == 0:
        raise SignalError(f"{path}: expected at least one sample, got shape {array.shape}.")
    if array.dtype.name not in _DTYPES:
        raise SignalError(f"{path}: expected real numbers, got {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int(array.size - np.isfinite(array).sum())
        raise SignalError(
            f"{path}: expected finite values, got {count} that are NaN or infinite. Replace them "
            "first, for example with numpy.nan_to_num."
        )
    smallest, largest = _value_limits(array.dtype.name)
    if not smallest <= low <= high <= largest:
        raise SignalError(
            f"{path}: expected values between {smallest:g} and {largest:g}, got {low:g} to "
            f"{high:g}. Scale them first."
        )
    return low, high


def _value_limits(dtype: str) -> tuple[float, float]:
    # Within these limits float64 represents every integer, and sums of two values stay finite.
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return float(max(info.min, -(2**53))), float(min(info.max, 2**53))
    largest = min(float(np.finfo(dtype).max), 1e300)
    return -largest, largest


def _check_numbers(owner: str, smallest: float, largest: float, **values: object) -> None:
    for name, value in values.items():
        number = isinstance(value, float | int) and not isinstance(value, bool)
        if not (number and smallest <= value <= largest):  # type: ignore[operator]
            raise ValueError(
                f"{owner}: expected {name} between {smallest:g} and {largest:g}, got {value!r}."
            )
