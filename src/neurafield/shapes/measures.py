"""How near two surfaces are to each other, and how much of their insides they share."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..errors import ArgumentError
from .distance import MeshDistance
from .mesh import Mesh
from .points import PointCloud
from .sampling import sample_surface

NUM_POINTS = 100_000
"""On each surface, and in the box for the volumes."""

FSCORE_DISTANCE = 0.01
"""Of the F-score, as a fraction of the largest edge of the reference's box."""

_PADDING = 0.05
_UNSURE = (0.25, 0.75)
_MOST_UNSURE = 0.01

Inside = Callable[[Float[Tensor, "n 3"]], Bool[Tensor, " n"]]


@dataclass(frozen=True)
class SurfaceQuality:
    """How near a surface is to a reference; distances are fractions of the reference's size.

    Args:
        accuracy: Mean distance from the surface to the reference.
        completeness: Mean distance from the reference to the surface.
        chamfer: The mean of these two, Chamfer-L1.
        normal_consistency: Mean |cosine| between normals at nearest points, in [0, 1].
        precision: Part of the surface that is within the F-score's distance of the reference.
        recall: Part of the reference that is within it of the surface.
        fscore: Harmonic mean of these two, in [0, 1].
    """

    accuracy: float
    completeness: float
    chamfer: float
    normal_consistency: float
    precision: float
    recall: float
    fscore: float


def compare_surfaces(
    surface: Mesh,
    reference: Mesh,
    *,
    num_points: int = NUM_POINTS,
    fscore_distance: float = FSCORE_DISTANCE,
    generator: torch.Generator,
) -> SurfaceQuality:
    r"""Measure a surface against a reference.

    $\text{Chamfer-L1}(A, B) = \frac{1}{2 s} \left( \frac{1}{|A|} \int_A \min_{q \in B} \|p - q\|\,
    dp + \frac{1}{|B|} \int_B \min_{q \in A} \|p - q\|\, dp \right)$ where s is the largest edge of
    the reference's box. The integrals are means over points drawn evenly on one surface, the
    minima exact ones over all points of the other one's triangles.

    Args:
        surface: What is judged, in the reference's units.
        reference: The truth.
        num_points: Drawn on each.
        fscore_distance: Within which a point counts as found, as a fraction of s.
        generator: Of the points.

    Raises:
        ValueError: If a mesh has no area, or the reference no extent.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> g = torch.Generator().manual_seed(0)
        >>> compare_surfaces(corner, corner, num_points=100, generator=g).fscore
        1.0

    Reference:
        Mescheder et al., Occupancy Networks, CVPR 2019, section 4 and supplement: Chamfer-L1,
        accuracy, completeness and normal consistency. They take a tenth of the box's edge for the
        unit, so that their Chamfer-L1 is ten times ours, and the nearest of 100,000 sampled
        points for the nearest one, which adds about half the distance between samples: some
        0.002 of the box's edge even between equal surfaces.
        Tatarchenko et al., What Do Single-view 3D Reconstruction Networks Learn?, CVPR 2019,
        section 5: the F-score, at 1 % of the volume's side.
    """
    size = largest_edge(reference.vertices)
    to_reference, straight = _gaps(surface, reference, num_points, generator)
    to_surface, back = _gaps(reference, surface, num_points, generator)
    accuracy, completeness = float(to_reference.mean()) / size, float(to_surface.mean()) / size
    precision = float((to_reference < fscore_distance * size).double().mean())
    recall = float((to_surface < fscore_distance * size).double().mean())
    return SurfaceQuality(
        accuracy=accuracy,
        completeness=completeness,
        chamfer=(accuracy + completeness) / 2,
        normal_consistency=(float(straight.mean()) + float(back.mean())) / 2,
        precision=precision,
        recall=recall,
        fscore=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
    )


def _gaps(
    begin: Mesh, end: Mesh, num_points: int, generator: torch.Generator
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """From points of one mesh to the nearest of another: distances, and cosines of normals."""
    cloud = sample_surface(begin, num_points, generator)
    nearest, normals = _nearest(end, cloud.points)
    assert cloud.normals is not None
    return (cloud.points - nearest).norm(dim=1), (cloud.normals * normals).sum(1).abs()


def _nearest(
    mesh: Mesh, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """The nearest points of a mesh, and the normals there."""
    nearest, numbers = MeshDistance.of(mesh).closest(points)
    vectors = mesh.face_vectors[numbers]
    return nearest, vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-300)


@dataclass(frozen=True)
class PointQuality:
    """How near a surface is to points of the truth; distances are fractions of the points' size.

    Args:
        completeness: Mean distance from the points to the surface.
        normal_consistency: Mean |cosine| between normals at nearest points, in [0, 1]; None where
            the points have none.
        recall: Part of the points that is within the F-score's distance of the surface.
    """

    completeness: float
    normal_consistency: float | None
    recall: float


def compare_to_points(
    surface: Mesh, points: PointCloud, *, fscore_distance: float = FSCORE_DISTANCE
) -> PointQuality:
    """Measure a surface against points, of which nobody knows what is between them.

    So this is the half of `compare_surfaces` that tells whether something is missing; what the
    surface has too much is not seen.

    Args:
        surface: What is judged, in the points' units.
        points: Of the truth.
        fscore_distance: Within which a point counts as found, as a fraction of the largest edge of
            the points' box.

    Raises:
        ValueError: If the mesh has no triangle, or the points no extent.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> compare_to_points(corner, PointCloud(torch.eye(3, dtype=torch.float64))).recall
        1.0
    """
    size = largest_edge(points.points)
    nearest, normals = _nearest(surface, points.points)
    distance = (points.points - nearest).norm(dim=1)
    straight = None
    if points.normals is not None:
        straight = float((points.normals * normals).sum(1).abs().mean())
    return PointQuality(
        completeness=float(distance.mean()) / size,
        normal_consistency=straight,
        recall=float((distance < fscore_distance * size).double().mean()),
    )


def volumetric_iou(
    inside: Inside,
    reference: Inside,
    box: tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]],
    *,
    num_points: int = NUM_POINTS,
    generator: torch.Generator,
) -> float:
    r"""How much two solids share: $|A \cap B| / |A \cup B|$, over points drawn evenly in a box.

    1 for equal solids, 0 for apart ones, NaN if neither has a point inside.

    Args:
        inside: Whether each point is in A.
        reference: Whether each point is in B.
        box: Its lowest and its highest corner; what is outside does not count.
        num_points: Drawn. With N of them inside the union, the value is off by about
            sqrt(iou (1 - iou) / N).
        generator: Of the points.

    Example:
        >>> low, high = torch.zeros(3).double(), torch.ones(3).double()
        >>> g = torch.Generator().manual_seed(0)
        >>> left, middle = lambda x: x[:, 0] < 0.5, lambda x: (x[:, 0] - 0.5).abs() < 0.25
        >>> round(volumetric_iou(left, middle, (low, high), generator=g), 2)
        0.33

    Reference:
        Mescheder et al., Occupancy Networks, CVPR 2019, section 4.
    """
    low, high = box
    draws = torch.rand(num_points, 3, generator=generator, dtype=torch.float64)
    points = low + (high - low) * draws
    a, b = inside(points), reference(points)
    union = int((a | b).sum())
    return int((a & b).sum()) / union if union else math.nan


def inside_of(mesh: Mesh) -> Inside:
    """Whether points are inside a mesh, by its winding number."""
    distance = MeshDistance.of(mesh)
    return lambda x: distance.winding(x) > 0.5


def has_inside(mesh: Mesh, *, generator: torch.Generator) -> bool:
    """Whether a mesh parts its box in two.

    It does if it is closed, so that each edge is met as often in one direction as in the other, or
    if for all but 1 % of points its winding number is near 0 or 1: a scan with small holes.
    """
    if _is_balanced(mesh):
        return True
    low, high = padded_box(mesh)
    draws = torch.rand(10_000, 3, generator=generator, dtype=torch.float64)
    turns = MeshDistance.of(mesh).winding(low + (high - low) * draws)
    unsure = (turns > _UNSURE[0]) & (turns < _UNSURE[1])
    return float(unsure.double().mean()) <= _MOST_UNSURE and bool((turns > 0.5).any())


def _is_balanced(mesh: Mesh) -> bool:
    """Closed, though edges may be shared by more than two triangles."""
    # By places: files often have a vertex of its own for each side of a seam.
    place = torch.unique(mesh.vertices, dim=0, return_inverse=True)[1][mesh.faces]
    begins, ends = place.reshape(-1), place.roll(-1, 1).reshape(-1)
    low, high = torch.minimum(begins, ends), torch.maximum(begins, ends)
    edges, numbers = torch.unique(low * len(mesh.vertices) + high, return_inverse=True)
    balance = torch.zeros(len(edges), dtype=torch.int64)
    balance.index_add_(0, numbers, torch.sign(ends - begins))
    return not bool(balance.any())


def padded_box(*meshes: Mesh) -> tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]]:
    """Around all vertices, and a twentieth of its largest edge more on each side."""
    vertices = torch.cat([mesh.vertices for mesh in meshes])
    low, high = vertices.amin(0), vertices.amax(0)
    margin = _PADDING * (high - low).max()
    return low - margin, high + margin


def largest_edge(places: Float[Tensor, "n 3"]) -> float:
    """Of the box around places.

    Raises:
        ValueError: If they have no extent.
    """
    if not len(places):
        raise ArgumentError("measures: expected a shape of some extent, got no places.")
    size = float((places.amax(0) - places.amin(0)).max())
    if not size > 0:
        raise ArgumentError("measures: expected a shape of some extent, got one place.")
    return size
