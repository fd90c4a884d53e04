"""The layout of a shape: what a field file keeps beside the field to extract its surface."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SignalError
from ..geometry.extent import Extent
from ..geometry.frame import Frame
from .implicit_kind import ImplicitKind, SignedDistance, implicit_kind

RESOLUTION = 128
"""Samples per axis of a shape's extent: a field of a shape is sized like that of such a volume."""


@dataclass(frozen=True, kw_only=True)
class ShapeLayout:
    """The meaning of the coordinates and of the value of a shape's field.

    Args:
        frame: Map from [-1, 1]^3 to the user's units.
        quantity: Kind of implicit representation, the meaning of the value.
        times: First and last time of a moving shape, at -1 and 1 of the fourth coordinate; None
            for a shape that does not move.

    Raises:
        ValueError: If a time is not finite.

    Example:
        >>> from neurafield.shapes import UnsignedDistance
        >>> layout = ShapeLayout(frame=Frame(scale=2.0), quantity=UnsignedDistance())
        >>> ShapeLayout.from_spec(layout.spec()) == layout
        True
    """

    kind: ClassVar[str] = "shape"
    channels: ClassVar[int] = 1

    frame: Frame = field(default_factory=Frame)
    quantity: ImplicitKind = field(default_factory=SignedDistance)
    times: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.times or ())):
            raise ValueError(f"ShapeLayout: expected finite times, got {self.times}.")

    @property
    def in_dim(self) -> int:
        """Number of coordinates: three, or four with time."""
        return 3 if self.times is None else 4

    @property
    def extent(self) -> Extent:
        """Extent by which architectures are sized."""
        return Extent((RESOLUTION,) * self.in_dim, self.channels, self.kind)

    def at(
        self, field: Callable[[Tensor], Tensor], time: float
    ) -> Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n 1"]]:
        """The field of a moving shape at one time, as a function of points in space.

        Args:
            field: Field over space and time.
            time: Time, between the first and the last.

        Raises:
            ValueError: If the shape does not move, or the time is out of range.
        """
        if self.times is None:
            raise ValueError(f"at: expected no time for a shape that does not move, got {time:g}.")
        begin, end = self.times
        if not min(begin, end) <= time <= max(begin, end):
            raise ValueError(f"at: expected a time from {begin:g} to {end:g}, got {time:g}.")
        part = 2 * (time - begin) / (end - begin) - 1 if end != begin else 0.0
        return lambda x: field(torch.cat([x, torch.full_like(x[..., :1], part)], dim=-1))

    def spec(self) -> dict[str, Any]:
        """JSON values for a field file."""
        return {
            "kind": self.kind,
            "frame": self.frame.spec(),
            **self.quantity.spec(),
            "times": self.times and list(self.times),
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "ShapeLayout":
        """Build a layout from the values in a field file.

        Raises:
            SignalError: If the values describe no layout; a file may come from anywhere.
        """
        try:
            values = dict(spec)
            if values.pop("kind") != cls.kind:
                raise ValueError(f"expected kind {cls.kind}")
            frame, times = values.pop("frame"), values.pop("times")
            quantity = implicit_kind(values.pop("quantity"), values.pop("truncation"))
            if values:
                raise ValueError(f"unknown: {', '.join(map(str, values))}")
            begin_end = None
            if times is not None:
                begin, end = map(float, times)
                begin_end = begin, end
            x, y, z = map(float, frame["centre"])
            return cls(
                frame=Frame((x, y, z), float(frame["scale"])), quantity=quantity, times=begin_end
            )
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SignalError(f"signal: cannot be understood ({error}).") from error
