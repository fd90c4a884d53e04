"""Common frames for fields of shapes that were fitted in different frames."""

from collections.abc import Sequence

import torch

from ..fields import AbstractField
from ..geometry import Frame
from ..geometry.frame import FILLED
from .transforms import ExtendedBeyondBox, Transformed


def common_frame(frames: Sequence[Frame]) -> Frame:
    """Frame that contains all shapes at their positions in user units.

    Raises:
        ValueError: If there is no frame.

    Example:
        >>> found = common_frame([Frame(), Frame(centre=(1.8, 0.0, 0.0))])
        >>> round(found.centre[0], 6), round(found.scale, 6)
        (0.9, 2.0)
    """
    if len(set(frames)) == 1:
        return frames[0]
    ends = torch.tensor([-FILLED, FILLED], dtype=torch.float64)[:, None].expand(2, 3)
    return Frame.around(torch.cat([frame.to_user(ends) for frame in frames]))


def in_frame(field: AbstractField, own: Frame, frame: Frame) -> AbstractField:
    """Transforms a field of signed distances to another frame.

    Args:
        field: Field fitted in [-1, 1]^3 of its own frame; `ExtendedBeyondBox` continues it.
        own: Frame of the field.
        frame: Frame of the coordinates and distances of the result.

    Example:
        >>> from neurafield.composition import Sphere
        >>> moved = in_frame(Sphere(radius=0.5), Frame(), Frame(centre=(1.0, 0.0, 0.0), scale=2.0))
        >>> moved(torch.tensor([-0.5, 0.0, 0.0])).item()
        -0.25
    """
    if own == frame:
        return field
    x, y, z = ((a - b) / frame.scale for a, b in zip(own.centre, frame.centre, strict=True))
    return Transformed(ExtendedBeyondBox(field), (x, y, z), scale=own.scale / frame.scale)
