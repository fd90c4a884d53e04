"""The distance to a surface of which points are known."""

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
"""Spacings of the points; nearer than that to the surface, planes tell the distance."""


class PointDistance:
    r"""How far places are from the surface that oriented points lie on, and on which side.

    Near the surface the distance is that to the planes of the nearest points $p_i$ with normals
    $n_i$, $\sum_i w_i\, n_i \cdot (x - p_i) / \sum_i w_i$ with $w_i = \exp(-|x - p_i|^2 / h^2)$,
    where $h$ is about the distance from the nearest point to the next. Farther than $3 h$ it is
    the distance to the nearest point, and its sign that of the winding number of small triangles,
    one at each point, with its normal and its share of the area.

    Where all normals point inward, by the volume that they enclose, the sides are exchanged, as
    `MeshDistance` does; then the inside is negative as well.

    Use when points come with normals, all to one side. Fails when two sheets are nearer than the
    points of one, and where a hole is larger than the detail: it is closed smoothly.

    Args:
        cloud: Points in any units; without normals `unsigned` alone can be asked for.

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
        Winding Numbers for Soups and Clouds, SIGGRAPH 2018, for the sign. Theirs sums dipoles;
        triangles are what our tree holds.
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
        # Points of which all neighbours are at the same place have a spacing all the same.
        outermost = torch.from_numpy(reach[:, -1]).clamp(min=float(reach.max()) * 1e-6)
        self._spacing = outermost / self._count**0.5
        if cloud.normals is not None:
            areas = torch.pi * self._spacing.square()
            self._sheet = MeshDistance(*_triangles(cloud.points, cloud.normals, areas))
            # The planes have to be turned with the sheet, or near and far would disagree.
            self._outward = -cloud.normals if self._sheet.is_turned else cloud.normals

    @property
    def spacing(self) -> float:
        """About how far the points are from each other."""
        return float(self._spacing.median())

    @classmethod
    def of(cls, cloud: PointCloud, frame: Frame) -> "PointDistance":
        """In the units of a frame."""
        return cls(PointCloud(frame.to_unit(cloud.points), cloud.normals))

    def unsigned(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """To the nearest point, or near the surface to the planes of the nearest ones."""
        if self.cloud.normals is not None:
            return self.signed(x).abs()
        return torch.from_numpy(self._nearest(x, 1)[0][:, 0]).to(x.dtype)

    def signed(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Negative inside."""
        assert self.cloud.normals is not None, "sides are known of oriented points"
        reach, index = (torch.from_numpy(found) for found in self._nearest(x, self._count))
        places = x.detach().double()
        spacing = self._spacing[index[:, 0]]
        heights = ((places[:, None] - self.cloud.points[index]) * self._outward[index]).sum(-1)
        # Relative to the nearest, so that not all vanish far away.
        weights = ((reach[:, :1].square() - reach.square()) / spacing[:, None].square()).exp()
        planes = (weights * heights).sum(1) / weights.sum(1)
        nearest = torch.where(self._sheet.winding(places) > 0.5, -reach[:, 0], reach[:, 0])
        return torch.where(reach[:, 0] < _NEAR * spacing, planes, nearest).to(x.dtype)

    def _nearest(self, x: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
        reach, index = self._tree.query(x.detach().double().numpy(), k=range(1, count + 1))
        return reach, index


def _triangles(
    points: Float[Tensor, "n 3"], normals: Float[Tensor, "n 3"], areas: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "v 3"], Int64[Tensor, "n 3"]]:
    """An equilateral triangle around each point, across its normal."""
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
