"""Plans for fields of shapes."""

import dataclasses

from ..shapes import ShapeLayout
from ._base import Plan
from .names import plan

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
        layout: Layout of the shape.
        arch: A name from `ARCHITECTURES`; None for a hash grid.
        num_parameters: Size of the field; None for 250,000, which suits scanned statues.
        seed: Seed of the initial parameters.

    Raises:
        ValueError: If the name is unknown, the architecture does not support the number of
            coordinates, or the size is out of reach.

    Example:
        >>> plan_for_shape(ShapeLayout(), "siren", num_parameters=10_000).field.in_dim
        3
    """
    parameters = num_parameters or _PARAMETERS
    found = plan(layout.extent, arch, num_parameters=parameters, seed=seed)
    return dataclasses.replace(found, steps=_STEPS)
