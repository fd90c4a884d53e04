"""Distances between surfaces, and the overlap of their insides."""

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
"""Default number of points on each surface, and in the box for volumes."""

FSCORE_DISTANCE = 0.01
"""Default distance of the F-score, as a fraction of the longest edge of the reference's box."""

_PADDING = 0.05
_UNSURE = (0.25, 0.75)
_MOST_UNSURE = 0.01

Inside = Callable[[Float[Tensor, "n 3"]], Bool[Tensor, " n"]]


@dataclass(frozen=True)
class SurfaceQuality:
    """Distances of a surface from a reference, as fractions of the reference's size.

    Args:
        accuracy: Mean distance from the surface to the reference.
        completeness: Mean distance from the reference to the surface.
        chamfer: Chamfer-L1, the mean of accuracy and completeness.
        normal_consistency: Mean |cosine| between normals at nearest points, in [0, 1].
        precision: Share of the surface that is within the F-score's distance of the reference.
        recall: Share of the reference that is within the F-score's distance of the surface.
        fscore: Harmonic mean of precision and recall, in [0, 1].
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
    dp + \frac{1}{|B|} \int_B \min_{q \in A} \|p - q\|\, dp \right)$ where s is the longest edge of
    the reference's box. The integrals are means over points drawn uniformly on one surface; the
    minima are exact, over all points of the other surface's triangles.

    Args:
        surface: Surface to measure, in the reference's units.
        reference: True surface.
        num_points: Number of points drawn on each surface.
        fscore_distance: Largest distance at which a point counts as found, as a fraction of s.
        generator: Source of the points.

    Raises:
        ValueError: If a mesh has no area, or all points of the reference coincide.

    Example:
        >>> corner = Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]]))
        >>> g = torch.Generator().manual_seed(0)
        >>> compare_surfaces(corner, corner, num_points=100, generator=g).fscore
        1.0

    Reference:
        Mescheder et al., Occupancy Networks, CVPR 2019, section 4 and supplement: Chamfer-L1,
        accuracy, completeness and normal consistency. Their unit is a tenth of the box's edge, so
        their Chamfer-L1 is ten times ours. They take the nearest of 100,000 sampled points instead
        of the nearest point, which adds about half the distance between samples: about 0.002 of
        the box's edge even between equal surfaces.
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
    """Distances from points of one mesh to another, and cosines of the normals there."""
    cloud = sample_surface(begin, num_points, generator)
    nearest, normals = _nearest(end, cloud.points)
    assert cloud.normals is not None
    return (cloud.points - nearest).norm(dim=1), (cloud.normals * normals).sum(1).abs()


def _nearest(
    mesh: Mesh, points: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Nearest points of a mesh, and the normals there."""
    nearest, numbers = MeshDistance.of(mesh).closest(points)
    vectors = mesh.face_vectors[numbers]
    return nearest, vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-300)


@dataclass(frozen=True)
class PointQuality:
    """Distances of a surface from points on the true surface, as fractions of the points' size.

    Args:
        completeness: Mean distance from the points to the surface.
        normal_consistency: Mean |cosine| between normals at nearest points, in [0, 1]; None if
            the points have no normals.
        recall: Share of the points that are within the F-score's distance of the surface.
    """

    completeness: float
    normal_consistency: float | None
    recall: float


def compare_to_points(
    surface: Mesh, points: PointCloud, *, fscore_distance: float = FSCORE_DISTANCE
) -> PointQuality:
    """Measure a surface against points on the true surface.

    Nothing is known between the points. So this is the half of `compare_surfaces` that shows
    missing parts; spurious parts of the surface do not count.

    Args:
        surface: Surface to measure, in the points' units.
        points: Points on the true surface.
        fscore_distance: Largest distance at which a point counts as found, as a fraction of the
            longest edge of the points' box.

    Raises:
        ValueError: If the mesh has no triangle, or all points coincide.

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
    r"""Intersection over union of two solids: $|A \cap B| / |A \cup B|$, in a box.

    It is 1 for equal solids, 0 for disjoint ones, and NaN if neither contains a point.

    Args:
        inside: Function from points to booleans, True in A.
        reference: Function from points to booleans, True in B.
        box: Lowest and highest corner of the box; parts outside do not count.
        num_points: Number of points drawn uniformly in the box. With N of them in the union, the
            standard error is about sqrt(iou (1 - iou) / N).
        generator: Source of the points.

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
    """A function from points to booleans: True inside the mesh, by its winding number."""
    distance = MeshDistance.of(mesh)
    return lambda x: distance.winding(x) > 0.5


def has_inside(mesh: Mesh, *, generator: torch.Generator) -> bool:
    """True if a mesh separates an inside from an outside.

    It does if it is closed, so that each edge is traversed equally often in both directions. It
    also does if its winding number is near 0 or 1 at all but 1 % of points, as for a scan with
    small holes.

    Args:
        mesh: Mesh in any units.
        generator: Source of the points.
    """
    if _is_balanced(mesh):
        return True
    low, high = padded_box(mesh)
    draws = torch.rand(10_000, 3, generator=generator, dtype=torch.float64)
    turns = MeshDistance.of(mesh).winding(low + (high - low) * draws)
    unsure = (turns > _UNSURE[0]) & (turns < _UNSURE[1])
    return float(unsure.double().mean()) <= _MOST_UNSURE and bool((turns > 0.5).any())


def _is_balanced(mesh: Mesh) -> bool:
    """True if each edge is traversed equally often in both directions."""
    # Compare positions, because files often repeat the vertices along a seam.
    place = torch.unique(mesh.vertices, dim=0, return_inverse=True)[1][mesh.faces]
    begins, ends = place.reshape(-1), place.roll(-1, 1).reshape(-1)
    low, high = torch.minimum(begins, ends), torch.maximum(begins, ends)
    edges, numbers = torch.unique(low * len(mesh.vertices) + high, return_inverse=True)
    balance = torch.zeros(len(edges), dtype=torch.int64)
    balance.index_add_(0, numbers, torch.sign(ends - begins))
    return not bool(balance.any())


def padded_box(*meshes: Mesh) -> tuple[Float[Tensor, " 3"], Float[Tensor, " 3"]]:
    """The box around all vertices, with a margin of a twentieth of its longest edge."""
    vertices = torch.cat([mesh.vertices for mesh in meshes])
    low, high = vertices.amin(0), vertices.amax(0)
    margin = _PADDING * (high - low).max()
    return low - margin, high + margin


def largest_edge(points: Float[Tensor, "n 3"]) -> float:
    """Longest edge of the box around points.

    Raises:
        ValueError: If there are no points, or all of them coincide.
    """
    if not len(points):
        raise ArgumentError("measures: expected a shape of some extent, got no points.")
    size = float((points.amax(0) - points.amin(0)).max())
    if not size > 0:
        raise ArgumentError("measures: expected a shape of some extent, got one point.")
    return size
