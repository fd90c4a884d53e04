"""Wavefront OBJ: vertices, faces of any number of corners, and normals of points.

This reader is ours, because trimesh accepts index 0, which does not exist, counts relative indices
from the end of the file, and splits vertices at seams of textures.
"""

import numpy as np

from ._contents import Contents, triangles


def read_obj(data: bytes) -> Contents:
    """Read an OBJ file; materials, textures, groups, curves and normals of faces are ignored.

    Raises:
        ValueError: If the line of a vertex or a face cannot be parsed.
    """
    vertices: list[list[float]] = []
    normals: list[list[float]] = []
    counts: list[int] = []
    corners: list[int] = []
    for line in data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        kind, *words = line.split(b"#", 1)[0].split() or [b""]
        if kind == b"v":
            vertices.append(_three(words))
        elif kind == b"vn":
            normals.append(_three(words))
        elif kind == b"f":
            named = [int(word.split(b"/", 1)[0]) for word in words]
            if 0 in named:
                raise ValueError("a face names vertex 0; the first one is 1")
            # A negative index counts back from the latest vertex.
            corners += [n - 1 if n > 0 else len(vertices) + n for n in named]
            counts.append(len(named))
    if len(vertices) == 0:
        raise ValueError("no vertices")
    placed = np.array(vertices, dtype=np.float64)
    faces = triangles(np.array(counts, dtype=np.int64), np.array(corners, dtype=np.int64))
    directed = len(normals) == len(vertices) and not counts
    return Contents(
        placed, faces, np.array(normals, dtype=np.float64) if directed else None, len(counts)
    )


def _three(words: list[bytes]) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"expected three coordinates, got {len(words)}")
    return [float(word) for word in words[:3]]
