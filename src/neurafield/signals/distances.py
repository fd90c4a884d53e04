"""Distances to a shape at points on its surface, near it and away from it."""

import functools
import hashlib
import json

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count
from ..shapes import Mesh, MeshDistance, PointCloud, PointDistance, ShapeLayout, sample_surface
from ._base import AbstractSignal
from .samples import Samples

WIDTHS = (0.003, 0.015, 0.06)
"""Standard deviations of the points near the surface, in coordinates; a third of them each."""
NUM_POINTS = 2**19
_ON, _AWAY = 2, 1  # Eighths of all points; the rest is near the surface.


class DistanceSamples(AbstractSignal):
    """Target values of a shape's field at points in [-1, 1]^3.

    A quarter of the points lie on the surface, five eighths near it, an eighth anywhere in the box.
    For occupancy, which jumps on the surface, none lie on it. The set of points is drawn once and
    is always the same for a shape; batches are drawn from it.

    Args:
        shape: Mesh, or points with normals, in the user's units. Unsigned distances need no
            normals.
        layout: Layout of the field: its frame, and the kind of its values.
        num_points: Number of points in the set.

    Raises:
        ValueError: If a mesh has no area, points lack normals, or the number is out of range.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> x, distance = DistanceSamples(corner, ShapeLayout(), num_points=80).batch(
        ...     7, seed=0, step=0
        ... )
        >>> x.shape, distance.shape
        (torch.Size([7, 3]), torch.Size([7, 1]))

    Reference:
        Müller et al., Instant Neural Graphics Primitives, SIGGRAPH 2022, section 5.2 and their
        code: half of the points on the surface, three eighths near it with logistic noise of one
        width, an eighth anywhere. Ours have normal noise of three widths.
    """

    in_dim, out_dim = 3, 1

    def __init__(
        self, shape: Mesh | PointCloud, layout: ShapeLayout, *, num_points: int = NUM_POINTS
    ) -> None:
        check_count(self, num_points=num_points, low=8, high=2**28)
        unoriented = isinstance(shape, PointCloud) and shape.normals is None
        if unoriented and layout.quantity.needs_normals:
            raise ValueError(
                f"DistanceSamples: expected normals for {layout.quantity.name}, got points alone. "
                "Estimate them first with shapes.estimate_normals, or use shapes.UnsignedDistance."
            )
        self.shape, self.layout, self.num_points = shape, layout, num_points

    @functools.cached_property
    def distance(self) -> MeshDistance | PointDistance:
        """Distance to the shape, in coordinates."""
        if isinstance(self.shape, Mesh):
            return MeshDistance.of(self.shape, self.layout.frame)
        return PointDistance.of(self.shape, self.layout.frame)

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 1"]]:
        return self._pool.batch(size, seed=seed, step=step, stream=stream)

    def fingerprint(self) -> str:
        spec = json.dumps([self.layout.spec(), self.num_points])
        return hashlib.sha256(f"{spec} {shape_fingerprint(self.shape)}".encode()).hexdigest()

    @functools.cached_property
    def _pool(self) -> Samples:
        generator = torch.Generator().manual_seed(0)
        on = _ON * self.num_points // 8 if self.layout.quantity.sampled_on_surface else 0
        away = _AWAY * self.num_points // 8
        x = torch.cat(
            [
                self.near(self.num_points - on - away, generator),
                torch.rand(away, 3, generator=generator, dtype=torch.float64) * 2 - 1,
            ]
        )
        surface = self._surface(on, generator)
        targets = torch.cat([self.targets(x), surface.new_zeros(on, 1)])
        return Samples(torch.cat([x, surface]).float(), targets.float())

    def near(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 3"]:
        """Points near the surface, a third of them at each of the widths."""
        points = self._surface(count, generator)
        widths = points.new_tensor(WIDTHS)
        if isinstance(self.distance, PointDistance):
            # Wide enough to reach the middle between given points.
            widths = widths.clamp(min=self.distance.spacing)
        noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        return (points + widths[torch.arange(count) % len(WIDTHS), None] * noise).clamp(-1, 1)

    def targets(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 1"]:
        """Target values of the field at points."""
        kind = self.layout.quantity
        return kind.target(kind.distance(self.distance, x))[:, None]

    def _surface(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 3"]:
        if isinstance(self.shape, Mesh):
            points = sample_surface(self.shape, count, generator).points
        else:
            known = self.shape.points
            points = known[torch.randint(len(known), (count,), generator=generator)]
        return self.layout.frame.to_unit(points)


def shape_fingerprint(shape: Mesh | PointCloud) -> str:
    """A hash of everything in a mesh or a point cloud."""
    parts: tuple[Tensor | None, ...] = (
        (shape.vertices, shape.faces) if isinstance(shape, Mesh) else (shape.points, shape.normals)
    )
    digest = hashlib.sha256(type(shape).__name__.encode())
    for tensor in parts:
        digest.update(b"" if tensor is None else tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
