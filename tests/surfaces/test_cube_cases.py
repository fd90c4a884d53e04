"""The triangles of a cube, for all patterns of its corners."""

import itertools

import numpy as np

from neurafield.surfaces.cube_cases import CORNERS, EDGES, FACES, cube_cases, loops

MIDDLES = np.array([(CORNERS[a] + CORNERS[b]) / 2 for a, b in EDGES])


def crossed_edges(pattern: int) -> set[int]:
    return {e for e, (a, b) in enumerate(EDGES) if pattern >> a & 1 != pattern >> b & 1}


def triangles(pattern: int) -> np.ndarray:
    cases = cube_cases()
    return cases.edges[cases.first[pattern] : cases.first[pattern + 1]]


def free_sides(pattern: int) -> set[tuple[int, int]]:
    """Sides of triangles that no other triangle of the cube goes back along."""
    sides = [tuple(t[[i, (i + 1) % 3]].tolist()) for t in triangles(pattern) for i in range(3)]
    assert len(sides) == len(set(sides))
    return {side for side in sides if side[::-1] not in sides}


def in_face(side: tuple[int, int], face: tuple[int, ...]) -> bool:
    return all(set(EDGES[edge]) <= set(face) for edge in side)


def test_every_crossed_edge_holds_a_vertex_and_no_other() -> None:
    for pattern in range(256):
        assert set(triangles(pattern).ravel().tolist()) == crossed_edges(pattern)
        assert sorted(itertools.chain(*loops(pattern))) == sorted(crossed_edges(pattern))


def test_the_border_of_the_triangles_is_in_the_faces() -> None:
    for pattern in range(256):
        for side in free_sides(pattern):
            assert any(in_face(side, face) for face in FACES)


def test_two_cubes_draw_the_same_segments_on_the_face_between_them() -> None:
    """For all 4,096 patterns of two cubes: the same, in opposite directions, and no side else."""
    for axis in range(3):
        bit = 4 >> axis
        low, high = FACES[2 * axis], FACES[2 * axis + 1]
        across = {e: EDGES.index((a ^ bit, b ^ bit)) for e, (a, b) in enumerate(EDGES) if a & bit}
        drawn: dict[tuple[int, ...], set] = {}
        for pattern in range(256):
            on_low = tuple(pattern >> c & 1 for c in sorted(low))
            sides = {side for side in free_sides(pattern) if in_face(side, low)}
            assert drawn.setdefault(on_low, sides) == sides
        for pattern in range(256):
            on_high = tuple(pattern >> c & 1 for c in sorted(high))
            sides = {side for side in free_sides(pattern) if in_face(side, high)}
            assert {(across[b], across[a]) for a, b in sides} == drawn[on_high]


def test_no_inner_side_lies_in_a_face() -> None:
    """Four triangles could meet at such a one."""
    for pattern in range(256):
        free = free_sides(pattern)
        for t in triangles(pattern):
            for i in range(3):
                side = (int(t[i]), int(t[(i + 1) % 3]))
                assert side in free or not any(in_face(side, face) for face in FACES)


def test_triangles_turn_away_from_a_corner_inside() -> None:
    for corner in range(8):
        (t,) = triangles(1 << corner)
        a, b, c = MIDDLES[t]
        assert np.cross(b - a, c - a) @ (a - CORNERS[corner]) > 0
