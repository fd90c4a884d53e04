"""A field of a shape, from distances to its mesh."""

import torch
from torch import nn

from ..fit import Constraint, losses
from ..shapes import Mesh, ShapeLayout
from ..signals import DistanceSamples

_MEASURED = 100_000


def from_mesh(mesh: Mesh, layout: ShapeLayout, *, batch_size: int | None = None) -> Constraint:
    r"""That a field is the distance to a mesh, at points on it, near it and away from it.

    Distances by $|f - d| / (|d| + 0.01)$, so that near the surface, where they are small, they are
    exact; occupancy by cross-entropy; truncated distances by $|f - d|$.

    Args:
        mesh: In the user's units.
        layout: The frame, and the quantity that is wanted.
        batch_size: Points of a step; None for all.

    Raises:
        ValueError: If the mesh has no area.
    """
    loss = {"occupancy": losses.binary_cross_entropy, "tsdf": losses.l1}
    return Constraint(
        signal=DistanceSamples(mesh, layout),
        loss=loss.get(layout.quantity.name, losses.relative_l1),
        batch_size=batch_size,
        name=layout.quantity.name,
    )


def accuracy(field: nn.Module, mesh: Mesh, layout: ShapeLayout) -> dict[str, float]:
    """How far a field is from its mesh, at points that it has not seen.

    Returns:
        `surface_error`, the mean absolute error of distances near the surface, in coordinates, but
        not for occupancy; `iou`, the share of what is inside both among what is inside either, by
        volume, but not for unsigned distances.
    """
    samples, quantity = DistanceSamples(mesh, layout), layout.quantity
    generator = torch.Generator().manual_seed(1)
    figures = {}

    def values(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return torch.cat([field(part) for part in x.float().split(8192)]).double()

    if quantity.name != "occupancy":
        x = samples.near(_MEASURED, generator)
        error = (values(x) - samples.targets(x)).abs().mean()
        figures["surface_error"] = float(error) * (
            quantity.truncation if quantity.name == "tsdf" else 1
        )
    if quantity.name != "udf":
        places = layout.frame.to_unit(mesh.vertices)
        low, high = places.amin(0), places.amax(0)
        x = low + (high - low) * torch.rand(_MEASURED, 3, generator=generator, dtype=torch.float64)
        found = quantity.implicit(values)(x)[:, 0] <= 0
        truth = samples.distance.signed(x) <= 0
        either = (found | truth).sum()
        figures["iou"] = float((found & truth).sum() / either) if either else 1.0
    return figures
