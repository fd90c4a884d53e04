"""OFF: vertices, and faces of any number of corners.

This reader is ours, because trimesh refuses faces of more than four corners and accepts truncated
files.
"""

import re

import numpy as np

from ._contents import Contents, numbers, triangles, whole

# Prefixes for normals, colours and textures at vertices; with 4 or n, points have other dimensions.
_NAME = re.compile(r"\s*(ST)?(C)?(N)?OFF\b(?!\s*BINARY)")


def read_off(data: bytes) -> Contents:
    """Read an OFF file; normals, colours and textures are ignored.

    Raises:
        ValueError: If it is no OFF file in text, or declares more than it contains.
    """
    text = re.sub(r"#[^\n]*", "", data.decode("utf-8-sig"))
    name = _NAME.match(text)
    if name is None:
        raise ValueError("it does not begin with OFF")
    lines = [line for line in text[name.end() :].splitlines() if line.strip()]
    counts = whole(numbers(lines[0]))[:2].tolist() if lines else []
    if len(counts) < 2 or min(counts) < 0:
        raise ValueError("it declares no numbers of vertices and faces")
    num_vertices, num_faces = counts
    if 1 + num_vertices + num_faces > len(lines):
        raise ValueError(
            f"it declares {num_vertices:,} vertices and {num_faces:,} faces in {len(lines):,} lines"
        )
    rows = lines[1 : 1 + num_vertices]
    vertices = numbers(" ".join(" ".join(line.split()[:3]) for line in rows))
    sizes: list[int] = []
    corners: list[int] = []
    for line in lines[1 + num_vertices : 1 + num_vertices + num_faces]:
        size, *rest = line.split()
        sizes.append(int(size))
        corners += map(int, rest[: max(0, sizes[-1])])
        if len(rest) < sizes[-1]:
            raise ValueError(f"a face of {size} corners names {len(rest)}")
    return Contents(
        vertices.reshape(num_vertices, 3),
        triangles(np.array(sizes, dtype=np.int64), np.array(corners, dtype=np.int64)),
        None,
        num_faces,
    )
