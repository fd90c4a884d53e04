"""The extent of a signal: the sizes that an architecture is chosen by."""

import math
from dataclasses import dataclass

from ..errors import ArgumentError


@dataclass(frozen=True)
class Extent:
    """Samples per axis and values per sample, of whatever a field is fitted to.

    Args:
        shape: Number of samples along each axis.
        out_dim: Number of values per sample.
        kind: Kind of signal, such as "image"; some architectures treat the axes of a kind
            differently.

    Raises:
        ValueError: If there is no axis, or a number is not positive.

    Example:
        >>> photo = Extent((480, 640), 3, "image")
        >>> photo.in_dim, photo.num_samples, photo.num_values
        (2, 307200, 921600)
    """

    shape: tuple[int, ...]
    out_dim: int
    kind: str

    def __post_init__(self) -> None:
        if not self.shape or min(*self.shape, self.out_dim) < 1:
            raise ArgumentError(
                f"Extent: expected positive numbers of samples and values, got shape {self.shape} "
                f"and out_dim {self.out_dim}."
            )

    @property
    def in_dim(self) -> int:
        """Number of coordinates."""
        return len(self.shape)

    @property
    def num_samples(self) -> int:
        """Number of samples in all."""
        return math.prod(self.shape)

    @property
    def num_values(self) -> int:
        """Number of values in all."""
        return self.num_samples * self.out_dim
