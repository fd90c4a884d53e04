"""Normals of point clouds: estimated, oriented outward, repaired."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from .._inputs import import_extra
from ..errors import ArgumentError
from .points import PointCloud

_LEAST_POINTS = 4
_ZERO = 1e-12
"""Length below which the mean of unit normals counts as zero."""


def estimate_normals(cloud: PointCloud, neighbours: int = 12) -> PointCloud:
    r"""Estimate normals from planes through each point's neighbours, consistently oriented.

    The normal of a point is the direction in which it and its nearest neighbours spread least. Its
    sign is propagated from a first point along the spanning tree of neighbours that minimises
    $\sum 1 - |n_i \cdot n_j|$, so that neighbours point the same way. Each connected part starts
    anew. It is then oriented so that the volume that it encloses,
    $\sum a_i\, (p_i - \bar p) \cdot n_i / 3$, is positive, where $a_i$ is the area of a point.

    *Use when* a scan has no normals and its points are dense compared with its detail. *Fails when*
    two sheets are nearer to each other than the points of one, at sharp edges (which are rounded
    over the neighbours), and for parts that are far from closed, whose outside is a guess. The wall
    of a cavity is oriented outward, as if it were a part of its own.

    Args:
        cloud: Points; existing normals are ignored. Equal points count as one.
        neighbours: Number of neighbours of each point, itself excluded; at least 3.

    Raises:
        ValueError: If there are fewer than four distinct points, or fewer than three neighbours.

    Example:
        >>> around = torch.nn.functional.normalize(torch.randn(500, 3).double())
        >>> normals = estimate_normals(PointCloud(around)).normals
        >>> bool(((normals * around).sum(1) > 0.9).all())
        True

    Reference:
        Hoppe et al., Surface Reconstruction from Unorganized Points, SIGGRAPH 1992, sections 3.2
        and 3.3. We take the tree over nearest neighbours alone, without their Euclidean one,
        orient a part by its volume instead of its highest point, and weight the volume by area.
    """
    if neighbours < 3:
        raise ArgumentError(f"estimate_normals: expected 3 neighbours or more, got {neighbours}.")
    given = cloud.points.numpy()
    points, place = np.unique(given, axis=0, return_inverse=True)
    if len(points) < _LEAST_POINTS:
        raise ArgumentError(
            f"estimate_normals: expected {_LEAST_POINTS} distinct points or more, got "
            f"{len(points)} among {len(given)}. Give normals with them, or more points."
        )
    points = points - points.mean(axis=0)
    points /= np.abs(points).max()
    count = min(neighbours, len(points) - 1)
    distances, near = _nearest(points, count)
    normals = _least_spread(points, near)
    _orient(points, normals, near, areas=distances[:, -1] ** 2)
    return PointCloud(cloud.points, torch.from_numpy(normals[place.reshape(-1)]))


def repair_normals(cloud: PointCloud, neighbours: int = 8) -> PointCloud:
    """Scale normals to unit length, and replace those of length zero.

    A normal of length zero becomes the mean of the nearest known normals. If these cancel, it
    becomes the nearest one.

    Args:
        cloud: Points with normals of any length.
        neighbours: Number of nearest points with a known normal in a mean.

    Raises:
        ValueError: If the cloud has no normals, or all have length zero.

    Example:
        >>> points = torch.eye(3, dtype=torch.float64)
        >>> up = torch.tensor([[0.0, 0, 2], [0, 0, 0], [0, 0, 1]]).double()
        >>> repair_normals(PointCloud(points, up)).normals[1]
        tensor([0., 0., 1.], dtype=torch.float64)
    """
    if cloud.normals is None:
        raise ValueError("repair_normals: expected a cloud with normals, got none.")
    # Divide by the largest entry first, so that no square overflows or underflows.
    normals = _unit(cloud.normals.numpy())
    known = np.abs(normals).max(axis=1) > 0
    if not known.any():
        raise ArgumentError(
            "repair_normals: expected a normal of length above zero, got none. Leave them "
            "out, so that they are estimated."
        )
    if not known.all():
        points, good = cloud.points.numpy(), normals[known]
        count = min(neighbours, len(good))
        _, near = _tree(points[known]).query(points[~known], k=np.arange(1, count + 1))
        means = good[near].mean(axis=1)
        cancelled = np.linalg.norm(means, axis=1) < _ZERO
        means[cancelled] = good[near[cancelled, 0]]
        normals[~known] = _unit(means)
    return PointCloud(cloud.points, torch.from_numpy(normals))


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / np.where(lengths > 0, lengths, 1)


def _tree(points: Float[np.ndarray, "n 3"]) -> Any:
    return import_extra("scipy.spatial", "mesh", "normals of points").cKDTree(points)


def _nearest(points: Float[np.ndarray, "n 3"], count: int) -> tuple[np.ndarray, np.ndarray]:
    distances, near = _tree(points).query(points, k=count + 1)
    return distances[:, 1:], near[:, 1:]


def _least_spread(points: np.ndarray, near: np.ndarray) -> np.ndarray:
    patches = np.concatenate([points[:, None], points[near]], axis=1)
    patches = patches - patches.mean(axis=1, keepdims=True)
    # Eigenvectors are in ascending order of eigenvalues.
    return np.linalg.eigh(patches.mT @ patches)[1][:, :, 0]


def _orient(points: np.ndarray, normals: np.ndarray, near: np.ndarray, areas: np.ndarray) -> None:
    """Orient normals consistently, in place."""
    sparse = import_extra("scipy.sparse", "mesh", "normals of points")
    graphs = import_extra("scipy.sparse.csgraph", "mesh", "normals of points")
    num_points = len(points)
    begins, ends = np.repeat(np.arange(num_points), near.shape[1]), near.reshape(-1)
    apart = 1 - np.abs(np.einsum("nd,nd->n", normals[begins], normals[ends])).clip(max=1)
    # A sparse entry of zero would be no edge.
    graph = sparse.csr_matrix((apart + _ZERO, (begins, ends)), (num_points, num_points))
    tree = graphs.minimum_spanning_tree(graph).tocoo()
    _, part = graphs.connected_components(tree, directed=False)
    # A root with an edge into each part, so that one traversal reaches all points.
    entries = np.unique(part, return_index=True)[1]
    begins = np.concatenate([tree.row, np.full(len(entries), num_points)])
    ends = np.concatenate([tree.col, entries])
    rooted = sparse.csr_matrix((np.ones(len(begins)), (begins, ends)), (num_points + 1,) * 2)
    order, parents = graphs.breadth_first_order(rooted, num_points, directed=False)
    normals *= _signs(normals, order[1:], parents[order[1:]])[:, None]

    counts = np.bincount(part)
    middles = np.stack([np.bincount(part, axis) / counts for axis in points.T], axis=1)
    volumes = areas * np.einsum("nd,nd->n", points - middles[part], normals)
    normals *= np.where(np.bincount(part, volumes) < 0, -1, 1)[part][:, None]


def _signs(normals: np.ndarray, children: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Signs, 1 or -1, such that children agree with their parents, which come first."""
    rooted = np.append(normals, np.zeros((1, 3)), axis=0)
    agree = np.einsum("nd,nd->n", rooted[children], rooted[parents]) >= 0
    signs = [1] * len(rooted)
    for child, parent, agrees in zip(
        children.tolist(), parents.tolist(), agree.tolist(), strict=True
    ):
        signs[child] = signs[parent] if agrees else -signs[parent]
    return np.array(signs[:-1])
