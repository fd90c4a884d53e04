"""How a mesh's triangles hang together."""

import numpy as np
from jaxtyping import Int64

from .mesh import Mesh


def euler_number(mesh: Mesh) -> int:
    """Vertices in use - edges + triangles: 2 for each closed body, less 2 for each of its handles.

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
    """Whether there are triangles, and each side is shared by two that go round alike.

    Example:
        >>> is_closed(Mesh(torch.eye(3, dtype=torch.float64), torch.tensor([[0, 1, 2]])))
        False
    """
    begin, end = _sides(mesh)
    there = np.sort(begin * len(mesh.vertices) + end)
    back = np.sort(end * len(mesh.vertices) + begin)
    return bool(len(there)) and bool((there[1:] > there[:-1]).all()) and bool((there == back).all())


def _sides(mesh: Mesh) -> tuple[Int64[np.ndarray, " e"], Int64[np.ndarray, " e"]]:
    """From where to where each triangle's three sides go."""
    faces = mesh.faces.numpy()
    return faces.ravel(), np.roll(faces, -1, axis=1).ravel()
