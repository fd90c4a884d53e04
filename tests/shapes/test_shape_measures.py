"""Measures between shapes: closed forms, and scipy and numpy on points drawn elsewhere."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from neurafield.shapes import (
    Mesh,
    PointCloud,
    SurfaceQuality,
    compare_surfaces,
    compare_to_points,
    has_inside,
    inside_of,
    volumetric_iou,
)
from neurafield.shapes.measures import padded_box

from . import shape_files as make

POINTS = 3000


def g(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mesh(vertices, faces, shift=(0.0, 0.0, 0.0)) -> Mesh:
    return Mesh(torch.from_numpy(vertices + np.array(shift)), torch.tensor(make.split(faces)))


def sphere(radius: float) -> Mesh:
    return mesh(*make.sphere(radius, 16))


def compare(a: Mesh, b: Mesh, **options) -> SurfaceQuality:
    return compare_surfaces(a, b, num_points=POINTS, generator=g(), **options)


def iou(a: Mesh, b: Mesh, num_points: int = 20_000) -> float:
    box = padded_box(a, b)
    return volumetric_iou(inside_of(a), inside_of(b), box, num_points=num_points, generator=g())


def check_spheres(a: float, b: float, gap: float) -> None:
    found = compare(sphere(a), sphere(b))
    # The triangles of 16 rows are up to 0.02 of the radius within the sphere.
    for name in ("chamfer", "accuracy", "completeness"):
        assert getattr(found, name) == pytest.approx(gap / (2 * b), rel=0.05)
    assert found.normal_consistency > 0.995


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.3), (1.3, 1.0), (0.5, 1.0)])
def test_two_spheres(a, b) -> None:
    check_spheres(a, b, abs(a - b))
    with pytest.raises(AssertionError):
        check_spheres(a, b, 1.2 * abs(a - b))


def test_a_shape_and_itself() -> None:
    found = compare(sphere(1.0), sphere(1.0))
    assert found.chamfer < 1e-12
    assert (found.precision, found.recall, found.fscore) == (1, 1, 1)
    assert found.normal_consistency == pytest.approx(1, abs=1e-9)
    assert iou(sphere(1.0), sphere(1.0), 2000) == 1


def test_two_squares_side_by_side() -> None:
    # [0, 1]^2 and the same a third of it higher: all distances are 1/3, normals equal.
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    one = mesh(square, [[0, 1, 2, 3]])
    other = mesh(square, [[3, 2, 1, 0]], (0, 0, 1 / 3))
    found = compare(one, other)
    assert found.chamfer == pytest.approx(1 / 3, abs=1e-12)
    # Turned the other way, which does not count.
    assert found.normal_consistency == pytest.approx(1, abs=1e-12)
    assert compare(one, other, fscore_distance=0.34).fscore == 1
    assert compare(one, other, fscore_distance=0.33).fscore == 0


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_points_above_a_square(scale: float) -> None:
    square = Mesh(
        scale * torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]).double(),
        torch.tensor([[0, 1, 2], [0, 2, 3]]),
    )
    places = scale * torch.tensor([[0.5, 0.5, 0.1], [0.2, 0.2, 0], [0.4, 1.3, 0.4]]).double()
    normals = torch.tensor([[0, 0, -1.0], [1, 0, 0], [0, 0.6, 0.8]]).double()
    # The box of the points has edges of 0.3, 1.1 and 0.4; the last is 0.5 from the border.
    found = compare_to_points(square, PointCloud(places, normals), fscore_distance=0.1)
    assert found.completeness == pytest.approx((0.1 + 0 + 0.5) / 3 / 1.1)
    assert found.normal_consistency == pytest.approx((1 + 0 + 0.8) / 3)
    assert found.recall == pytest.approx(2 / 3)
    bare = compare_to_points(square, PointCloud(places), fscore_distance=0.09)
    assert (bare.normal_consistency, bare.recall) == (None, pytest.approx(1 / 3))
    with pytest.raises(ValueError, match="of some extent"):
        compare_to_points(square, PointCloud(places[:1]))


def test_a_part_of_a_square() -> None:
    # All of [0, 1/4] x [0, 1] is right, and a quarter of the whole is found.
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    part = mesh(square * [0.25, 1, 1], [[0, 1, 2, 3]])
    found = compare(part, mesh(square, [[0, 1, 2, 3]]), fscore_distance=1e-6)
    assert found.accuracy < 1e-12
    # The mean of x - 1/4 over what is missing, 3/4 of all.
    assert found.completeness == pytest.approx(0.75 * 0.375, rel=0.05)
    assert found.chamfer == pytest.approx(found.completeness / 2, rel=1e-9)
    assert found.precision == 1
    assert found.recall == pytest.approx(0.25, abs=0.03)
    recall = found.recall
    assert found.fscore == pytest.approx(2 * recall / (1 + recall), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_units_do_not_count(scale) -> None:
    a, b = sphere(1.0), mesh(*make.box((-1, -1, -1), (1, 1, 1)))
    scaled = [Mesh(m.vertices * scale, m.faces) for m in (a, b)]
    one, other = compare(a, b), compare(*scaled)
    for name, value in vars(one).items():
        assert getattr(other, name) == pytest.approx(value, rel=1e-6)


def drawn(vertices: np.ndarray, faces: list[list[int]], count: int, seed: int):
    """Points and normals of triangles, by another way than the library's: by rejection."""
    dice = np.random.default_rng(seed)
    corners = vertices[np.array(make.split(faces))]
    vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(vectors, axis=1)
    chosen = dice.choice(len(corners), count, p=areas / areas.sum())
    uv = dice.random((count, 2))
    uv[uv.sum(1) > 1] = 1 - uv[uv.sum(1) > 1]
    a, b, c = corners[chosen].transpose(1, 0, 2)
    return a + uv[:, :1] * (b - a) + uv[:, 1:] * (c - a), (vectors / areas[:, None])[chosen]


def test_the_nearest_of_many_points_says_nearly_the_same() -> None:
    one, other = make.sphere(1.0, 12), make.box((-0.9, -0.7, -0.8), (0.9, 0.8, 1.0))
    (p, n), (q, m) = drawn(*one, 40_000, 0), drawn(*other, 40_000, 1)
    size = 1.8
    there, at = cKDTree(q).query(p)
    back, from_ = cKDTree(p).query(q)
    distance = 0.2
    precision, recall = (there < distance * size).mean(), (back < distance * size).mean()
    found = compare(mesh(*one), mesh(*other), fscore_distance=distance)
    assert found.accuracy == pytest.approx(there.mean() / size, rel=0.05)
    assert found.completeness == pytest.approx(back.mean() / size, rel=0.05)
    assert found.fscore == pytest.approx(2 * precision * recall / (precision + recall), abs=0.03)
    straight = (np.abs((n * m[at]).sum(1)).mean() + np.abs((m * n[from_]).sum(1)).mean()) / 2
    assert found.normal_consistency == pytest.approx(straight, abs=0.03)


def check_boxes(shift: float, wanted: float) -> None:
    one = mesh(*make.box())
    other = mesh(*make.box(), (shift, 0, 0))
    assert iou(one, other) == pytest.approx(wanted, abs=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.9, 1.5])
def test_two_boxes(shift) -> None:
    common = max(0.0, 1 - shift)
    check_boxes(shift, common / (2 - common))
    with pytest.raises(AssertionError):
        check_boxes(shift, common / (2 - common) + 0.1)


def test_iou_of_nothing_is_nan() -> None:
    nothing = lambda x: torch.zeros(len(x), dtype=torch.bool)  # noqa: E731
    box = (torch.zeros(3).double(), torch.ones(3).double())
    assert math.isnan(volumetric_iou(nothing, nothing, box, num_points=9, generator=g()))


def test_what_has_an_inside() -> None:
    vertices, faces = make.sphere(rows=12)
    assert has_inside(mesh(vertices, faces), generator=g())
    # A scan with a small hole, a half of it, and a single square.
    assert has_inside(mesh(vertices, faces[:7] + faces[8:]), generator=g())
    half = [face for face in faces if vertices[face, 2].mean() > 0]
    assert not has_inside(mesh(vertices, half), generator=g())
    assert not has_inside(mesh(vertices[:3], [[0, 1, 2]]), generator=g())
    # With a vertex of its own for each corner, as at seams, it is closed as before.
    apart = vertices[np.array(faces).reshape(-1)]
    assert has_inside(mesh(apart, np.arange(len(apart)).reshape(-1, 3).tolist()), generator=g())


def test_the_same_seed_gives_the_same_figures() -> None:
    a, b = sphere(1.0), mesh(*make.box())
    assert compare(a, b) == compare(a, b)
    assert compare(a, b) != compare_surfaces(a, b, num_points=POINTS, generator=g(1))


def test_shapes_without_extent() -> None:
    point = Mesh(torch.ones(3, 3).double(), torch.tensor([[0, 1, 2]]))
    empty = Mesh(torch.zeros(0, 3).double(), torch.zeros(0, 3).long())
    for bad in (point, empty):
        with pytest.raises(ValueError, match="of some extent"):
            compare(sphere(1.0), bad)
        with pytest.raises(ValueError, match="expected a mesh"):
            compare(bad, sphere(1.0))
