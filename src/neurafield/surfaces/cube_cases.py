"""Marching-cubes table: triangles of a cube for each pattern of inside corners.

Notation: corner `c` of a cube is at (x, y, z), the three bits of `c`, x the highest. An edge joins
two corners that differ in one bit; it holds one vertex if one of them is inside (negative) and the
other outside. A pattern is the sum of `2**c` over the corners inside.

The triangles follow from one rule: on each face, seen from outside the cube, a run of inside
corners is cut off by a segment from the edge where it begins to the edge where it ends. Two inside
corners on a diagonal of a face are thus cut off separately. The rule depends on the face only, so
the two cubes at a face draw the same segments; and every vertex ends one segment and begins
another, so the segments of a cube form closed loops.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

Loop = tuple[int, ...]

CORNERS = np.array([(c >> 2 & 1, c >> 1 & 1, c & 1) for c in range(8)])
"""Position of each corner, in cells from the lowest corner."""

EDGES = tuple(
    (low, low | 4 >> axis) for axis in range(3) for low in range(8) if not low & 4 >> axis
)
"""The two corners of each edge; four edges per axis, x first."""


def _face_corners(axis: int, side: int) -> tuple[int, ...]:
    """Corners of a face, counterclockwise as seen from outside the cube."""
    first, second = 4 >> (axis + 1) % 3, 4 >> (axis + 2) % 3
    ring = (0, first, first | second, second)
    return tuple(side * (4 >> axis) | corner for corner in (ring if side else ring[::-1]))


FACES = tuple(_face_corners(axis, side) for axis in range(3) for side in (0, 1))
"""Corners of the faces x = 0, x = 1, y = 0, ... in this order."""

_FACES_OF_EDGE = [
    {number for number, face in enumerate(FACES) if set(edge) <= set(face)} for edge in EDGES
]


@dataclass(frozen=True, eq=False)
class CubeCases:
    """Triangles of all patterns in one list.

    Args:
        edges: Indices of the three edges that hold the corners of each triangle.
        first: Index of the first triangle of each pattern; the last entry is the number of
            triangles.
    """

    edges: Int64[np.ndarray, "t 3"]
    first: Int64[np.ndarray, " 257"]


@functools.cache
def cube_cases() -> CubeCases:
    """Generate the table.

    Example:
        >>> cases = cube_cases()
        >>> one_corner_inside = cases.edges[cases.first[1] : cases.first[2]]
        >>> [EDGES[edge] for edge in one_corner_inside[0]]
        [(0, 4), (0, 2), (0, 1)]
    """
    triangles: list[tuple[int, int, int]] = []
    first = [0]
    for pattern in range(256):
        for loop in loops(pattern):
            found = _triangulation(loop)
            assert found is not None
            triangles += found
        first.append(len(triangles))
    return CubeCases(np.array(triangles), np.array(first))


def loops(pattern: int) -> list[Loop]:
    """Loops of the edges that the surface crosses, counterclockwise as seen from outside it."""
    after = {}
    for face in FACES:
        inside = [bool(pattern >> corner & 1) for corner in face]
        for begin in range(4):
            if inside[begin - 1] or not inside[begin]:
                continue
            end = next(end for end in range(begin + 1, begin + 4) if not inside[end % 4])
            opening = _number(face[begin - 1], face[begin])
            after[opening] = _number(face[(end - 1) % 4], face[end % 4])
    found = []
    while after:
        ring = [min(after)]
        while (edge := after.pop(ring[-1])) != ring[0]:
            ring.append(edge)
        found.append(tuple(ring))
    return found


def _number(corner: int, other: int) -> int:
    return EDGES.index((min(corner, other), max(corner, other)))


def _triangulation(loop: Loop) -> list[tuple[int, int, int]] | None:
    """Triangulation of a loop without a new side in a face of the cube; None if there is none.

    The neighbouring cube might draw the same side, and four triangles would meet there.
    """
    if len(loop) < 3:
        return []
    for apex in range(1, len(loop) - 1):
        sides = [(loop[0], loop[apex])] if apex > 1 else []
        sides += [(loop[apex], loop[-1])] if apex < len(loop) - 2 else []
        if any(_FACES_OF_EDGE[a] & _FACES_OF_EDGE[b] for a, b in sides):
            continue
        before, after = _triangulation(loop[: apex + 1]), _triangulation(loop[apex:])
        if before is not None and after is not None:
            return [(loop[0], loop[apex], loop[-1]), *before, *after]
    return None
