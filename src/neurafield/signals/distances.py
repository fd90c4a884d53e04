"""Distances to a mesh, at points on its surface, near it and away from it."""

import functools
import hashlib
import json

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count
from ..shapes import Mesh, MeshDistance, ShapeLayout, sample_surface
from ._base import AbstractSignal
from .samples import Samples

WIDTHS = (0.003, 0.015, 0.06)
"""Standard deviations of the points near the surface, in coordinates; a third of them each."""
NUM_POINTS = 2**19
_ON, _AWAY = 2, 1  # Eighths of all points; the rest is near the surface.


class DistanceSamples(AbstractSignal):
    """What a field of a shape is to give at points in [-1, 1]^3.

    A quarter of the points is on the surface, five eighths are near it, an eighth is anywhere in
    the box. For occupancy, which jumps on the surface, there are none on it. The points are drawn
    once, always the same for a mesh, and batches from them.

    Args:
        mesh: In the user's units.
        layout: The frame, and the quantity that is wanted.
        num_points: How many points.

    Raises:
        ValueError: If the mesh has no area, or the number is out of range.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> layout = ShapeLayout(quantity=Quantity("udf"))
        >>> x, distance = DistanceSamples(corner, layout, num_points=80).batch(7, seed=0, step=0)
        >>> x.shape, distance.shape
        (torch.Size([7, 3]), torch.Size([7, 1]))

    Reference:
        Müller et al., Instant Neural Graphics Primitives, SIGGRAPH 2022, section 5.2 and their
        code: half of the points on the surface, three eighths near it with logistic noise of one
        width, an eighth anywhere. Ours are normal, of three widths.
    """

    in_dim, out_dim = 3, 1

    def __init__(self, mesh: Mesh, layout: ShapeLayout, *, num_points: int = NUM_POINTS) -> None:
        check_count(self, num_points=num_points, low=8, high=2**28)
        self.mesh, self.layout, self.num_points = mesh, layout, num_points
        self._unit = Mesh(layout.frame.to_unit(mesh.vertices), mesh.faces)

    @functools.cached_property
    def distance(self) -> MeshDistance:
        """To the mesh, in coordinates."""
        return MeshDistance(self._unit.vertices, self._unit.faces)

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 1"]]:
        return self._pool.batch(size, seed=seed, step=step, stream=stream)

    def fingerprint(self) -> str:
        spec = json.dumps([self.layout.spec(), self.num_points])
        digest = hashlib.sha256(spec.encode())
        for tensor in (self.mesh.vertices, self.mesh.faces):
            digest.update(tensor.contiguous().numpy().data)
        return digest.hexdigest()

    @functools.cached_property
    def _pool(self) -> Samples:
        generator = torch.Generator().manual_seed(0)
        on = 0 if self.layout.quantity.name == "occupancy" else _ON * self.num_points // 8
        away = _AWAY * self.num_points // 8
        x = torch.cat(
            [
                self.near(self.num_points - on - away, generator),
                torch.rand(away, 3, generator=generator, dtype=torch.float64) * 2 - 1,
            ]
        )
        surface = sample_surface(self._unit, on, generator).points
        targets = torch.cat([self.targets(x), surface.new_zeros(on, 1)])
        return Samples(torch.cat([x, surface]).float(), targets.float())

    def near(self, count: int, generator: torch.Generator) -> Float[Tensor, "count 3"]:
        """Points near the surface, a third of them at each of the widths."""
        points = sample_surface(self._unit, count, generator).points
        widths = points.new_tensor(WIDTHS)[torch.arange(count) % len(WIDTHS), None]
        noise = torch.randn(count, 3, generator=generator, dtype=torch.float64)
        return (points + widths * noise).clamp(-1, 1)

    def targets(self, x: Float[Tensor, "n 3"]) -> Float[Tensor, "n 1"]:
        """What the field is to give at points."""
        quantity = self.layout.quantity
        found = self.distance.unsigned(x) if quantity.name == "udf" else self.distance.signed(x)
        return quantity.of_distance(found)[:, None]
