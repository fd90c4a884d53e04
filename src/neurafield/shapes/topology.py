"""Topology of a mesh: Euler number, and closed or not."""

import numpy as np
from jaxtyping import Int64

from .mesh import Mesh


def euler_number(mesh: Mesh) -> int:
    """Euler number: used vertices - edges + triangles.

    A closed surface has 2, less 2 for each handle; parts add up.

    Example:
        >>> euler_number(Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]])))
        1
    """
    begin, end = _sides(mesh)
    edges = np.sort(np.minimum(begin, end) * len(mesh.vertices) + np.maximum(begin, end))
    num_edges = int(np.count_nonzero(np.diff(edges, prepend=-1)))
    num_vertices = int(np.count_nonzero(np.bincount(begin, minlength=1)))
    return num_vertices - num_edges + len(mesh.faces)


def is_closed(mesh: Mesh) -> bool:
    """True if each edge is shared by exactly two triangles of consistent orientation.

    A mesh without triangles is not closed.

    Example:
        >>> is_closed(Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]])))
        False
    """
    begin, end = _sides(mesh)
    there = np.sort(begin * len(mesh.vertices) + end)
    back = np.sort(end * len(mesh.vertices) + begin)
    return bool(len(there)) and bool((there[1:] > there[:-1]).all()) and bool((there == back).all())


def _sides(mesh: Mesh) -> tuple[Int64[np.ndarray, " e"], Int64[np.ndarray, " e"]]:
    """First and last vertex of each triangle's three directed edges."""
    faces = mesh.faces.numpy()
    return faces.ravel(), np.roll(faces, -1, axis=1).ravel()
