"""What is kept beside a field of a shape, so that its surface can be made again."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import SignalError
from ..geometry.frame import Frame
from .quantity import Quantity


@dataclass(frozen=True, kw_only=True)
class ShapeLayout:
    """A shape without its surface: the meaning of a field's coordinates and of its value.

    Args:
        frame: From [-1, 1] to the user's units.
        quantity: What the value means.
        times: When a moving shape's fourth coordinate, -1 to 1, begins and ends; None for a shape
            that stands still.

    Raises:
        ValueError: If a time is not finite.

    Example:
        >>> layout = ShapeLayout(frame=Frame(scale=2.0), quantity=Quantity("udf"))
        >>> ShapeLayout.from_spec(layout.spec()) == layout
        True
    """

    kind: ClassVar[str] = "shape"
    channels: ClassVar[int] = 1

    frame: Frame = field(default_factory=Frame)
    quantity: Quantity = field(default_factory=Quantity)
    times: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, self.times or ())):
            raise ValueError(f"ShapeLayout: expected finite times, got {self.times}.")

    @property
    def in_dim(self) -> int:
        """Three coordinates, or four with time."""
        return 3 if self.times is None else 4

    def at(
        self, field: Callable[[Tensor], Tensor], time: float
    ) -> Callable[[Float[Tensor, "*n 3"]], Float[Tensor, "*n 1"]]:
        """A moving shape's field at one time, as a function of places alone.

        Raises:
            ValueError: If the shape stands still, or the time is before its first or after its
                last.
        """
        if self.times is None:
            raise ValueError(f"at: expected no time for a shape that stands still, got {time:g}.")
        begin, end = self.times
        if not min(begin, end) <= time <= max(begin, end):
            raise ValueError(f"at: expected a time from {begin:g} to {end:g}, got {time:g}.")
        part = 2 * (time - begin) / (end - begin) - 1 if end != begin else 0.0
        return lambda x: field(torch.cat([x, torch.full_like(x[..., :1], part)], dim=-1))

    def spec(self) -> dict[str, Any]:
        """As JSON values, for a field file."""
        return {
            "kind": self.kind,
            "frame": self.frame.spec(),
            "quantity": self.quantity.name,
            "truncation": self.quantity.truncation,
            "times": self.times and list(self.times),
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "ShapeLayout":
        """Build it again.

        Raises:
            SignalError: If the values are not those of a layout: anyone may have written the file.
        """
        try:
            values = dict(spec)
            if values.pop("kind") != cls.kind:
                raise ValueError(f"expected kind {cls.kind}")
            frame, times = values.pop("frame"), values.pop("times")
            quantity = Quantity(values.pop("quantity"), values.pop("truncation"))
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
