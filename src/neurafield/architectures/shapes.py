"""Plans for fields of shapes, which have no grid of samples that sizes could follow from."""

import dataclasses

from ..geometry import Grid
from ..shapes import ShapeLayout
from ..signals import VolumeLayout
from ._base import Plan
from .names import plan

RESOLUTION = 128
"""Along each axis of the volume that a shape counts as."""
_PARAMETERS = 250_000
_STEPS = 1000


def plan_for_shape(
    layout: ShapeLayout,
    arch: str | None = None,
    *,
    num_parameters: int | None = None,
    seed: int = 0,
) -> Plan:
    """Choose a field and settings for a shape, as for a volume of 128^3 samples.

    Args:
        layout: Of the shape.
        arch: A name from `ARCHITECTURES`; None for a hash grid.
        num_parameters: Size of the field; None for 250,000, which suits scanned statues.
        seed: Of the initial parameters.

    Raises:
        ValueError: If the name is unknown, does not serve as many coordinates, or the size is out
            of reach.

    Example:
        >>> plan_for_shape(ShapeLayout(), "siren", num_parameters=10_000).field.in_dim
        3
    """
    grid = Grid.centres((RESOLUTION,) * layout.in_dim)
    volume = VolumeLayout(grid=grid, channels=1, dtype="float32", low=-1.0, high=1.0)
    found = plan(volume, arch or "hash", num_parameters=num_parameters or _PARAMETERS, seed=seed)
    return dataclasses.replace(found, steps=_STEPS)
