"""Signed and unsigned distance to a triangle mesh."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .._checks import check_floating, check_last_axis
from ..geometry.frame import Frame
from ..kernels.mesh_distance import Triangles, closest_points, winding_numbers
from .mesh import Mesh


class MeshDistance:
    r"""Signed distance to a triangle mesh.

    $d(x) = s(x) \min_t |x - t|$ over the triangles $t$, with $s = -1$ where the winding number
    $w(x) > 1/2$, else 1. The sign is right for meshes that intersect themselves, and plausible for
    open ones: a hole is closed by the surface from which the mesh fills half of the solid angle. An
    open sheet has hardly an inside; use `unsigned` for it.

    If the mesh is inside out, so that its volume is negative from every point of its box, the sides
    are exchanged, and `winding` changes its sign. The inside is then negative as well. If only some
    parts are inside out, these count as empty or as cavities.

    Use when a mesh is sampled at many points. Fails when parts of a mesh are oriented differently:
    make them consistent first.

    Args:
        vertices: Positions, of any finite size: they are centred and scaled in 64 bits.
        faces: Indices of three vertices each, counterclockwise as seen from outside. Triangles
            without area count by their edges; a repeated triangle counts twice in the winding
            number.
        accuracy: Distance, in radii of a group of triangles, from which the group enters the
            winding number by its moments; at least 1.

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
        """True if the mesh is inside out, so that its sides are exchanged."""
        return self._turn < 0

    @classmethod
    def of(cls, mesh: Mesh, frame: Frame | None = None, *, accuracy: float = 2.0) -> "MeshDistance":
        """The distance in the user's units, or in those of a frame."""
        vertices = mesh.vertices if frame is None else frame.to_unit(mesh.vertices)
        return cls(vertices, mesh.faces, accuracy=accuracy)

    def signed(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance, negative inside; NaN where a coordinate is not finite. No gradients.

        Args:
            x: Points in the vertices' units, float32 or float64. The distances have the same type.
        """
        distance = self.unsigned(x)
        return torch.where(self.winding(x) > 0.5, -distance, distance)

    def unsigned(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Distance without a sign; NaN where a coordinate is not finite."""
        at = self._unit(x)
        points, _ = closest_points(self._triangles, at)
        return self._given((at - points).norm(dim=1) * self._scale, x)

    def winding(self, x: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Winding number: about 1 inside, 0 outside, and between near the holes of an open mesh."""
        turns = winding_numbers(self._triangles, self._unit(x), accuracy=self.accuracy)
        return self._given(self._turn * turns, x)

    def closest(
        self, x: Float[Tensor, "*n 3"]
    ) -> tuple[Float[Tensor, "*n 3"], Int64[Tensor, "*n"]]:
        """Nearest point of the mesh, and the index of its face.

        Of several points at equal distances, one is returned. The results are NaN and -1 where a
        coordinate is not finite.
        """
        points, numbers = closest_points(self._triangles, self._unit(x))
        nearest = self._given(points * self._scale + self._centre, x).reshape(x.shape)
        return nearest, numbers.reshape(x.shape[:-1]).to(x.device)

    def _unit(self, x: Tensor) -> Tensor:
        check_last_axis(self, x, 3)
        check_floating(self, x=x)
        flat = x.detach().reshape(-1, 3).cpu().double().contiguous()
        return (flat - self._centre) / self._scale

    @staticmethod
    def _given(values: Tensor, x: Tensor) -> Tensor:
        return values.reshape(x.shape[:-1] + values.shape[1:]).to(x)


def _inside_out(corners: Tensor) -> bool:
    """True if the enclosed volume is negative from every point in [-1, 1]^3.

    The volume of a closed mesh does not depend on that point; that of an open mesh does, by its
    missing faces.
    """
    a, b, c = corners.unbind(1)
    vectors = torch.linalg.cross(b - a, c - a)
    volume = (a * vectors).sum()
    reach = corners.flatten(0, 1).abs().amax(0)
    return float(volume + (vectors.sum(0).abs() * reach).sum()) < -1e-12
