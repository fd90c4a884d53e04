"""The distance to a triangle mesh."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .._checks import check_floating, check_last_axis
from ..geometry.frame import Frame
from ..kernels.mesh_distance import Triangles, closest_points, winding_numbers
from .mesh import Mesh


class MeshDistance:
    r"""How far points are from a triangle mesh, and on which side.

    $d(x) = s(x) \min_t |x - t|$ over the triangles $t$, with $s = -1$ where the winding number
    $w(x) > 1/2$, else 1. So it is right for meshes that intersect themselves, and sensible for
    open ones: a hole is closed by the surface on which half of what is seen, by solid angle, is
    the mesh from within. An open sheet has hardly an inside; take `unsigned` there.

    Where the mesh is inside out, so that its volume is negative wherever in its box one measures
    it from, the sides are exchanged, and `winding` is turned back too; then the inside is negative
    as well. A part that is inside out beside others which are not counts as empty, or as a cavity.

    Use when a mesh is to be sampled at many points. Fails when parts of a mesh are turned
    differently: make them agree first.

    Args:
        vertices: Places; any finite ones, since they are centred and scaled in 64 bits.
        faces: Three numbers of vertices each; seen from outside they go round counterclockwise.
            Triangles without area count by their sides; twice the same one counts twice in the
            winding number.
        accuracy: How many radii away, 1 or more, a group of triangles counts by its moments in
            the winding number.

    Raises:
        ValueError: If there is no triangle, the accuracy is below 1, or `Mesh` refuses the rest.

    Example:
        >>> corner = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
        >>> faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> distance = MeshDistance(corner, faces)
        >>> distance.signed(torch.tensor([[0.1, 0.2, 0.3], [-3.0, 0.0, -4.0]]))
        tensor([-0.1000,  5.0000])

    Reference:
        Baerentzen and Aanaes, Signed Distance Computation Using the Angle Weighted Pseudonormal,
        2005, is the usual sign; ours, after Barill et al. 2018, needs no closed mesh.
    """

    def __init__(
        self, vertices: Float[Tensor, "v 3"], faces: Int64[Tensor, "f 3"], *, accuracy: float = 2.0
    ) -> None:
        if not 1 <= accuracy < math.inf:
            raise ValueError(f"MeshDistance: expected an accuracy of 1 or more, got {accuracy}.")
        mesh = Mesh(vertices.detach().cpu().double(), faces.cpu())
        if not len(mesh.faces):
            raise ValueError("MeshDistance: expected triangles, got none.")
        self.accuracy = accuracy
        corners = mesh.corners
        low, high = corners.flatten(0, 1).amin(0), corners.flatten(0, 1).amax(0)
        self._centre = low / 2 + high / 2
        extent = float((high / 2 - low / 2).max())
        self._scale = extent if extent > 0 else 1.0
        self._triangles = Triangles((corners - self._centre) / self._scale)
        self._turn = -1.0 if _inside_out(self._triangles.corners) else 1.0

    @property
    def is_turned(self) -> bool:
        """Whether the mesh is inside out, so that its sides are exchanged."""
        return self._turn < 0

    @classmethod
    def of(cls, mesh: Mesh, frame: Frame | None = None, *, accuracy: float = 2.0) -> "MeshDistance":
        """In the user's units, or in those of a frame."""
        vertices = mesh.vertices if frame is None else frame.to_unit(mesh.vertices)
        return cls(vertices, mesh.faces, accuracy=accuracy)

    def signed(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Negative inside. NaN where a coordinate is not finite. No gradient flows.

        Args:
            x: Points, in the vertices' units; float32 or float64, and so is what comes back.
        """
        distance = self.unsigned(x)
        return torch.where(self.winding(x) > 0.5, -distance, distance)

    def unsigned(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Zero or more; NaN where a coordinate is not finite."""
        at = self._unit(x)
        points, _ = closest_points(self._triangles, at)
        return self._given((at - points).norm(dim=1) * self._scale, x)

    def winding(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """About 1 inside, 0 outside, between them near the holes of an open mesh."""
        turns = winding_numbers(self._triangles, self._unit(x), accuracy=self.accuracy)
        return self._given(self._turn * turns, x)

    def closest(
        self, x: Float[Tensor, "*n 3"]
    ) -> tuple[Float[Tensor, "*n 3"], Int64[Tensor, "*n"]]:
        """The nearest point of the mesh and the number of its face.

        Of several that are equally near, one. NaN and -1 where a coordinate is not finite.
        """
        points, numbers = closest_points(self._triangles, self._unit(x))
        places = self._given(points * self._scale + self._centre, x).reshape(x.shape)
        return places, numbers.reshape(x.shape[:-1]).to(x.device)

    def _unit(self, x: Tensor) -> Tensor:
        check_last_axis(self, x, 3)
        check_floating(self, x=x)
        flat = x.detach().reshape(-1, 3).cpu().double().contiguous()
        return (flat - self._centre) / self._scale

    @staticmethod
    def _given(values: Tensor, x: Tensor) -> Tensor:
        return values.reshape(x.shape[:-1] + values.shape[1:]).to(x)


def _inside_out(corners: Tensor) -> bool:
    """Whether the volume is negative from wherever in [-1, 1]^3 it is measured.

    Of a closed mesh it does not depend on that; of an open one, by its missing faces.
    """
    a, b, c = corners.unbind(1)
    vectors = torch.linalg.cross(b - a, c - a)
    volume = (a * vectors).sum()
    reach = corners.flatten(0, 1).abs().amax(0)
    return float(volume + (vectors.sum(0).abs() * reach).sum()) < -1e-12
