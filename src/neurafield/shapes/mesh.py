"""Triangle meshes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh.

    Args:
        vertices: Positions in the user's units; 64-bit, because survey coordinates need the digits.
        faces: Indices of three vertices each, counterclockwise as seen from outside.
        normals: Normals of unit length at the vertices, if they are more exact than those of the
            faces.

    Raises:
        TypeError: If a tensor has another type.
        ValueError: If a tensor has another shape, a vertex is not finite, or an index is out of
            range.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> corner.areas
        tensor([0.8660], dtype=torch.float64)
    """

    vertices: Float[Tensor, "v 3"]
    faces: Int64[Tensor, "f 3"]
    normals: Float[Tensor, "v 3"] | None = None

    def __post_init__(self) -> None:
        if self.vertices.dtype != torch.float64:
            raise TypeError(f"Mesh: expected float64 vertices, got {self.vertices.dtype}.")
        if self.faces.dtype != torch.int64:
            raise TypeError(f"Mesh: expected int64 faces, got {self.faces.dtype}.")
        for name, given in (("vertices", self.vertices), ("faces", self.faces)):
            if given.ndim != 2 or given.shape[1] != 3:
                raise ValueError(
                    f"Mesh: expected {name} of shape (n, 3), got {tuple(given.shape)}."
                )
        if self.normals is not None and self.normals.shape != self.vertices.shape:
            raise ValueError(
                f"Mesh: expected one normal per vertex, got {tuple(self.normals.shape)} for "
                f"{tuple(self.vertices.shape)}."
            )
        if not self.vertices.isfinite().all():
            raise ValueError("Mesh: expected finite vertices, got some that are NaN or infinite.")
        if len(self.faces) and not 0 <= int(self.faces.min()) <= int(self.faces.max()) < len(
            self.vertices
        ):
            raise ValueError(
                f"Mesh: expected faces of vertices 0 to {len(self.vertices) - 1}, got "
                f"{int(self.faces.min())} to {int(self.faces.max())}."
            )

    @property
    def corners(self) -> Float[Tensor, "f 3 3"]:
        """Positions of the three vertices of each triangle."""
        return self.vertices[self.faces]

    @property
    def face_vectors(self) -> Float[Tensor, "f 3"]:
        """Outward vectors across the triangles; their length is the area."""
        a, b, c = self.corners.unbind(1)
        return torch.linalg.cross(b - a, c - a) / 2

    @property
    def areas(self) -> Float[Tensor, " f"]:
        """Area of each triangle."""
        return self.face_vectors.norm(dim=1)
