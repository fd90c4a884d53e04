"""Signed distance to an oriented point cloud."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .._inputs import import_extra
from ..geometry.frame import Frame
from .distance import MeshDistance
from .points import PointCloud

_NEIGHBOURS = 8
_NEAR = 3.0
"""Distance from the surface, in spacings of the points, within which planes give the distance."""


class PointDistance:
    r"""Signed distance to the surface that oriented points lie on.

    Near the surface it is the distance to the planes of the nearest points $p_i$ with normals
    $n_i$, $\sum_i w_i\, n_i \cdot (x - p_i) / \sum_i w_i$ with $w_i = \exp(-|x - p_i|^2 / h^2)$,
    where $h$ is about the distance from the nearest point to the next. Farther than $3 h$ it is
    the distance to the nearest point. The sign is then that of the winding number of small
    triangles, one at each point, with the point's normal and share of the area.

    If all normals point inward, judged by the volume that they enclose, the sides are exchanged, as
    in `MeshDistance`, so that the inside is negative as well.

    Use when points have normals that all point to one side. Fails when two sheets are nearer to
    each other than the points of one, and where a hole is larger than the detail: it is closed
    smoothly.

    Args:
        cloud: Points in any units; without normals only `unsigned` is available.

    Raises:
        SignalError: If scipy is not installed.
        ValueError: If there are fewer than two points.

    Example:
        >>> around = torch.nn.functional.normalize(torch.randn(2000, 3).double())
        >>> distance = PointDistance(PointCloud(around, around))
        >>> distance.signed(torch.tensor([[0.9, 0.0, 0.0], [0.0, 2.0, 0.0]])).round(decimals=1)
        tensor([-0.1000,  1.0000])

    Reference:
        Kolluri, Provably Good Moving Least Squares, SODA 2005, for the planes; Barill et al., Fast
        Winding Numbers for Soups and Clouds, SIGGRAPH 2018, for the sign. They sum dipoles, we sum
        triangles.
    """

    def __init__(self, cloud: PointCloud) -> None:
        if len(cloud.points) < 2:
            raise ValueError(
                f"PointDistance: expected two points or more, got {len(cloud.points)}."
            )
        tree: Any = import_extra("scipy.spatial", "mesh", "points")
        self.cloud = cloud
        self._tree = tree.cKDTree(cloud.points.numpy())
        self._count = min(_NEIGHBOURS, len(cloud.points) - 1)
        reach, _ = self._tree.query(cloud.points.numpy(), k=self._count + 1)
        # A point whose neighbours all coincide with it needs a positive spacing, too.
        outermost = torch.from_numpy(reach[:, -1]).clamp(min=float(reach.max()) * 1e-6)
        self._spacing = outermost / self._count**0.5
        if cloud.normals is not None:
            areas = torch.pi * self._spacing.square()
            self._sheet = MeshDistance(*_triangles(cloud.points, cloud.normals, areas))
            # The planes are flipped with the triangles, so that near and far signs agree.
            self._outward = -cloud.normals if self._sheet.is_turned else cloud.normals

    @property
    def spacing(self) -> float:
        """Median of about the distance between neighbouring points."""
        return float(self._spacing.median())

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> "PointDistance":
        """The distance in the units of a frame."""
        return cls(PointCloud(frame.to_unit(cloud.points), cloud.normals))

    def unsigned(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Distance without a sign; of points without normals, to the nearest point."""
        if self.cloud.normals is not None:
            return self.signed(x).abs()
        return torch.from_numpy(self._nearest(x, 1)[0][:, 0]).to(x.dtype)

    def signed(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance, negative inside."""
        assert self.cloud.normals is not None, "a sign needs normals"
        reach, index = (torch.from_numpy(found) for found in self._nearest(x, self._count))
        points = x.detach().double()
        spacing = self._spacing[index[:, 0]]
        heights = ((points[:, None] - self.cloud.points[index]) * self._outward[index]).sum(-1)
        # Relative to the nearest point, so that not all weights underflow far away.
        weights = ((reach[:, :1].square() - reach.square()) / spacing[:, None].square()).exp()
        planes = (weights * heights).sum(1) / weights.sum(1)
        nearest = torch.where(self._sheet.winding(points) > 0.5, -reach[:, 0], reach[:, 0])
        return torch.where(reach[:, 0] < _NEAR * spacing, planes, nearest).to(x.dtype)

    def _nearest(self, x: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
        reach, index = self._tree.query(x.detach().double().numpy(), k=range(1, count + 1))
        return reach, index


def _triangles(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], areas: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "v 3"], Int64[Tensor, "n 3"]]:
    """Equilateral triangles around the points, perpendicular to the normals."""
    helper = torch.eye(3, dtype=points.dtype)[normals.abs().argmin(1)]
    first = torch.nn.functional.normalize(torch.linalg.cross(normals, helper), dim=1)
    second = torch.linalg.cross(normals, first)
    radius = (areas * 4 / 27**0.5).sqrt()[:, None]
    turns = [2 * torch.pi * k / 3 for k in range(3)]
    corners = [
        points + radius * (float(np.cos(turn)) * first + float(np.sin(turn)) * second)
        for turn in turns
    ]
    faces = torch.arange(3 * len(points)).reshape(3, -1).mT
    return torch.cat(corners), faces.contiguous()
