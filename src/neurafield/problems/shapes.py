"""A field of a shape, from distances to its mesh or to the surface that its points lie on."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .._blocks import in_blocks
from ..fit import Constraint, losses
from ..shapes import Mesh, PointCloud, ShapeLayout, volumetric_iou
from ..signals import DistanceSamples
from ..signals.distances import NUM_PLACES

_MEASURED = 100_000
_MEASURED_INSIDE = 2**18
"""In all of [-1, 1]^3, since parts that the shape does not have may be anywhere."""


def distance_constraint(
    shape: Mesh | PointCloud,
    layout: ShapeLayout,
    *,
    batch_size: int | None = None,
    num_places: int = NUM_PLACES,
) -> Constraint:
    r"""That a field is the distance to a shape, at places on it, near it and away from it.

    Distances by $|f - d| / (|d| + 0.01)$, so that near the surface, where they are small, they are
    exact; occupancy by cross-entropy; truncated distances by $|f - d|$.

    Args:
        shape: In the user's units; see `DistanceSamples`.
        layout: The frame, and the quantity that is wanted.
        batch_size: Places of a step; None for all.
        num_places: Drawn in all.

    Raises:
        ValueError: If a mesh has no area, or points have no normals that are needed.
    """
    return Constraint(
        signal=DistanceSamples(shape, layout, num_places=num_places),
        loss=layout.quantity.loss(losses),
        batch_size=batch_size,
        name=layout.quantity.name,
    )


def accuracy(
    field: Callable[[Tensor], Tensor], shape: Mesh | PointCloud, layout: ShapeLayout
) -> dict[str, float]:
    """How far a field is from its shape, at places that it has not seen.

    Returns:
        `surface_error`, the mean absolute error of distances near the surface, in coordinates, but
        not for occupancy; `iou`, the share of what is inside both among what is inside either, by
        volume in [-1, 1]^3, but not for unsigned distances, nor where nothing is inside.
    """
    samples, kind = DistanceSamples(shape, layout), layout.quantity
    generator = torch.Generator().manual_seed(1)
    figures = {}

    def values(x: Tensor) -> Tensor:
        return in_blocks(field, x.float()).double()

    if kind.scale is not None:
        x = samples.near(_MEASURED, generator)
        error = (values(x) - samples.targets(x)).abs().mean()
        figures["surface_error"] = float(error) * kind.scale
    if kind.has_inside:
        corner = torch.ones(3, dtype=torch.float64)
        iou = volumetric_iou(
            lambda x: kind.implicit(values)(x)[:, 0] <= 0,
            lambda x: samples.distance.signed(x) <= 0,
            (-corner, corner),
            num_points=_MEASURED_INSIDE,
            generator=generator,
        )
        figures |= {} if math.isnan(iou) else {"iou": iou}
    return figures
