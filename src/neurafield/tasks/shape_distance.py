"""Constraint on the field of a shape, and its accuracy, by distances to a mesh or to points."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .._blocks import in_blocks
from ..fit import Constraint, losses
from ..shapes import Mesh, PointCloud, ShapeLayout, volumetric_iou
from ..signals import DistanceSamples
from ..signals.distances import NUM_POINTS

_MEASURED = 100_000
"""Number of points near the surface for the surface error."""
_MEASURED_INSIDE = 2**18
"""Number of points in all of [-1, 1]^3 for the IoU, because spurious parts may be anywhere."""


def distance_constraint(
    shape: Mesh | PointCloud,
    layout: ShapeLayout,
    *,
    batch_size: int | None = None,
    num_points: int = NUM_POINTS,
) -> Constraint:
    r"""Constraint that a field matches a shape at points on its surface, near it and away from it.

    The loss is chosen by the kind: $|f - d| / (|d| + 0.01)$ for distances, so that they are most
    exact near the surface; cross-entropy for occupancy; $|f - d|$ for truncated distances.

    Args:
        shape: Mesh or points in the user's units; see `DistanceSamples`.
        layout: Layout of the field: its frame, and the kind of its values.
        batch_size: Points per step; None for all.
        num_points: Number of points in the whole set.

    Raises:
        ValueError: If a mesh has no area, or points lack the normals that the quantity needs.
    """
    return Constraint(
        signal=DistanceSamples(shape, layout, num_points=num_points),
        loss=layout.quantity.loss(losses),
        batch_size=batch_size,
        name=layout.quantity.name,
    )


def accuracy(
    field: Callable[[Tensor], Tensor], shape: Mesh | PointCloud, layout: ShapeLayout
) -> dict[str, float]:
    """Figures of quality of a shape's field, at points other than those of the fit.

    Returns:
        `surface_error`, the mean absolute error of distances near the surface, in coordinates
        (not for occupancy); `iou`, intersection over union of the insides in [-1, 1]^3 (not for
        unsigned distances, nor where nothing is inside).
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
