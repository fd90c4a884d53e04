"""Points on the surface of a mesh."""

import torch

from .mesh import Mesh
from .points import PointCloud


def sample_surface(mesh: Mesh, num_points: int, generator: torch.Generator) -> PointCloud:
    """Draw points uniformly by area, each with the normal of its triangle.

    A triangle is drawn with probability in proportion to its area. Within it, the point is
    `(1 - sqrt(u)) a + sqrt(u) (1 - v) b + sqrt(u) v c` for u and v uniform in [0, 1].

    Args:
        mesh: Mesh in any units.
        num_points: Number of points.
        generator: Generator on the CPU; the same state gives the same points.

    Raises:
        ValueError: If the mesh has no area.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> cloud = sample_surface(corner, 5, torch.Generator().manual_seed(0))
        >>> cloud.points.sum(1)
        tensor([1., 1., 1., 1., 1.], dtype=torch.float64)

    Reference:
        Osada et al., Shape Distributions, ACM Transactions on Graphics 2002, section 4.1.
    """
    vectors = mesh.face_vectors
    areas = vectors.norm(dim=1)
    ends = areas.cumsum(0)
    if not len(ends) or not 0 < float(ends[-1]) < float("inf"):
        raise ValueError("sample_surface: expected a mesh of some area, got none.")
    draws = torch.rand(num_points, 3, generator=generator, dtype=torch.float64)
    # With right=True, a draw of 0 never selects a triangle without area.
    chosen = torch.searchsorted(ends, draws[:, 0] * ends[-1], right=True).clamp(max=len(ends) - 1)
    root, v = draws[:, 1].sqrt(), draws[:, 2]
    weights = torch.stack([1 - root, root * (1 - v), root * v], dim=1)
    points = torch.einsum("nk,nkd->nd", weights, mesh.corners[chosen])
    return PointCloud(points, torch.nn.functional.normalize(vectors[chosen], dim=1, eps=1e-300))
