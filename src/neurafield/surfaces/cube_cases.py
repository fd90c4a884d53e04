"""Which triangles a cube holds, for each pattern of corners inside and outside.

Notation: corner `c` of a cube is at (x, y, z), the three bits of `c`, x the highest. An edge joins
two corners that differ in one bit; it holds one vertex if one of them is inside (negative) and the
other outside. A pattern is the sum of `2**c` over the corners inside.

The triangles follow from one rule: on each face, seen from outside the cube, a stretch of corners
inside is cut off by a segment from the edge where it begins to the one where it ends. Hence corners
that lie inside at the two ends of a face's diagonal are cut off each by itself. The rule looks at
the face alone, so both cubes at it draw the same segments; and every vertex ends one segment and
begins another, so the segments of a cube close to loops.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

Loop = tuple[int, ...]

CORNERS = np.array([(c >> 2 & 1, c >> 1 & 1, c & 1) for c in range(8)])
"""Where each corner is, in cells from the lowest."""

EDGES = tuple(
    (low, low | 4 >> axis) for axis in range(3) for low in range(8) if not low & 4 >> axis
)
"""The two corners of each edge; four along each axis, x first."""


def _face_corners(axis: int, side: int) -> tuple[int, ...]:
    """The corners of a face, counterclockwise as seen from outside the cube."""
    first, second = 4 >> (axis + 1) % 3, 4 >> (axis + 2) % 3
    ring = (0, first, first | second, second)
    return tuple(side * (4 >> axis) | corner for corner in (ring if side else ring[::-1]))


FACES = tuple(_face_corners(axis, side) for axis in range(3) for side in (0, 1))
"""The corners of the faces x = 0, x = 1, y = 0, ... in turn."""

_FACES_OF_EDGE = [
    {number for number, face in enumerate(FACES) if set(edge) <= set(face)} for edge in EDGES
]


@dataclass(frozen=True, eq=False)
class CubeCases:
    """Triangles of all patterns in one list.

    Args:
        edges: Of each triangle, the numbers of the three edges that hold its corners.
        first: Of each pattern, its first triangle in that list; at the end the length of the list.
    """

    edges: Int64[np.ndarray, "t 3"]
    first: Int64[np.ndarray, " 257"]


@functools.cache
def cube_cases() -> CubeCases:
    """Generate them.

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
    """The edges that the surface crosses, in rings, counterclockwise as seen from outside it."""
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
    """Triangles that fill a ring, none with a new side in a face of the cube; None if none can.

    The cube on the other side might draw such a side too, and four triangles would meet there.
    """
    if len(loop) < 3:
        return []
    for apex in range(1, len(loop) - 1):
        sides = [(loop[0], loop[apex])] if apex > 1 else []
        sides += [(loop[apex], loop[-1])] if apex < len(loop) - 2 else []
        if any(_FACES_OF_EDGE[a] & _FACES_OF_EDGE[b] for a, b in sides):
            continue
        before, behind = _triangulation(loop[: apex + 1]), _triangulation(loop[apex:])
        if before is not None and behind is not None:
            return [(loop[0], loop[apex], loop[-1]), *before, *behind]
    return None
