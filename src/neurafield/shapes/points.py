"""Point clouds on a surface."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points on a surface, with or without normals.

    Args:
        points: Positions in the user's units; 64-bit.
        normals: Outward normals of unit length; None if they are unknown.

    Raises:
        TypeError: If a tensor has another type.
        ValueError: If a tensor has another shape, or a value is not finite.

    Example:
        >>> PointCloud(torch.zeros(5, 3, dtype=torch.float64)).normals is None
        True
    """

    points: Float[Tensor, "n 3"]
    normals: Float[Tensor, "n 3"] | None = None

    def __post_init__(self) -> None:
        for name, given in (("points", self.points), ("normals", self.normals)):
            if given is None:
                continue
            if given.dtype != torch.float64:
                raise TypeError(f"PointCloud: expected float64 {name}, got {given.dtype}.")
            if given.ndim != 2 or given.shape[1] != 3 or len(given) != len(self.points):
                raise ValueError(
                    f"PointCloud: expected {name} of shape (n, 3), got {tuple(given.shape)}."
                )
            if not given.isfinite().all():
                raise ValueError(f"PointCloud: expected finite {name}, got NaN or infinity.")
