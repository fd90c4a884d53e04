"""Wavefront OBJ: vertices, faces of any number of corners, and normals of points.

Read here, since trimesh takes vertex 0, which does not exist, for the first one, counts relative
numbers from the end of the file, and takes vertices apart where textures have seams.
"""

import numpy as np

from ._contents import Contents, triangles


def read_obj(data: bytes) -> Contents:
    """Materials, textures, groups, curves and the normals of faces are passed over.

    Raises:
        ValueError: If a line of a vertex or a face cannot be understood.
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
            # Below zero: counted back from the latest vertex.
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
