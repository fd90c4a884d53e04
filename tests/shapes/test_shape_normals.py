"""Normals of points: against closed forms and against those of real meshes."""

import numpy as np
import pytest
import torch

from neurafield.shapes import (
    PointCloud,
    estimate_normals,
    read_shape,
    repair_normals,
    sample_surface,
)

from . import shape_files as make


def on_sphere(count: int, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 3, generator=g, dtype=torch.float64)
    return x / x.norm(dim=1, keepdim=True)


def share(found: torch.Tensor, wanted: torch.Tensor, cosine: float = 0.0) -> float:
    """Of normals whose cosine with the true one is above a bound."""
    return float(((found * wanted).sum(1) > cosine).double().mean())


def check_outward(points: torch.Tensor, wanted: torch.Tensor) -> None:
    normals = estimate_normals(PointCloud(points)).normals
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(len(points)).double())
    assert share(normals, wanted, 0.8) == 1


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_a_sphere(scale, far) -> None:
    x = on_sphere(1000)
    check_outward((x + far) * scale, x)


def test_the_check_can_fail() -> None:
    x = on_sphere(1000)
    with pytest.raises(AssertionError):
        check_outward(x, -x)


def test_a_torus_inside_which_is_no_one_middle() -> None:
    # Half its normals look towards the middle.
    g = torch.Generator().manual_seed(0)
    a, b = 2 * torch.pi * torch.rand(2, 4000, generator=g, dtype=torch.float64)
    ring = torch.stack([a.cos(), a.sin(), 0 * a], dim=1)
    normals = b.cos()[:, None] * ring + b.sin()[:, None] * torch.tensor([0.0, 0, 1]).double()
    check_outward(ring + 0.4 * normals, normals)


def test_parts_are_each_turned_outward() -> None:
    x = on_sphere(800)
    parts = torch.cat([x, 0.1 * x + 5, 2 * x - 9])
    check_outward(parts, torch.cat([x, x, x]))


def test_a_flat_cloud_and_equal_points() -> None:
    g = torch.Generator().manual_seed(0)
    flat = torch.rand(500, 3, generator=g, dtype=torch.float64) * torch.tensor([1, 1, 0.0])
    normals = estimate_normals(PointCloud(flat)).normals
    assert (normals[:, 2].abs() > 1 - 1e-9).all()
    assert len(normals[:, 2].sign().unique()) == 1
    x = on_sphere(500)
    normals = estimate_normals(PointCloud(torch.cat([x, x, x[:7]]))).normals
    assert share(normals, torch.cat([x, x, x[:7]]), 0.8) == 1


@pytest.mark.parametrize("points", [torch.eye(4, 3).double(), on_sphere(5), on_sphere(13)])
def test_few_points(points) -> None:
    normals = estimate_normals(PointCloud(points)).normals
    assert normals.isfinite().all()
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(len(points)).double())


def test_points_on_a_line() -> None:
    line = torch.arange(50)[:, None].double() * torch.ones(3).double()
    normals = estimate_normals(PointCloud(line)).normals
    assert (normals.sum(1).abs() < 1e-6).all()


def test_wrong_numbers_of_neighbours() -> None:
    with pytest.raises(ValueError, match="expected 3 neighbours or more, got 2"):
        estimate_normals(PointCloud(on_sphere(50)), neighbours=2)


@pytest.mark.parametrize(
    ("name", "least"), [("spot.obj", 0.999), ("armadillo.obj", 0.999), ("bunny_hr.obj", 0.999)]
)
def test_real_meshes(name, least) -> None:
    mesh = read_shape(make.shared_mesh(name))
    cloud = sample_surface(mesh, 20_000, torch.Generator().manual_seed(0))
    assert share(estimate_normals(cloud).normals, cloud.normals) > least


def test_normals_of_length_zero_become_their_neighbours() -> None:
    x = on_sphere(1000)
    given = x * torch.logspace(-200, 100, 1000, dtype=torch.float64)[:, None]
    given[::10] = 0
    normals = repair_normals(PointCloud(x, given)).normals
    assert share(normals, x, 0.9) == 1
    torch.testing.assert_close(normals.norm(dim=1), torch.ones(1000).double())
    kept = torch.ones(1000, dtype=torch.bool)
    kept[::10] = False
    torch.testing.assert_close(normals[kept], x[kept])


def test_neighbours_that_cancel() -> None:
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [-1.5, 0, 0]]).double()
    given = torch.tensor([[0.0, 0, 0], [0, 0, 2], [0, 0, -2]]).double()
    assert repair_normals(PointCloud(points, given)).normals[0].tolist() == [0, 0, 1]


def test_no_normals_at_all() -> None:
    x = on_sphere(10)
    with pytest.raises(ValueError, match="expected a cloud with normals"):
        repair_normals(PointCloud(x))
    with pytest.raises(ValueError, match="Leave them out"):
        repair_normals(PointCloud(x, 0 * x))


# ---- points spread on a surface


def test_points_lie_on_the_surface_evenly() -> None:
    vertices, faces = make.box(high=(1, 2, 3))
    mesh = read_box(vertices, faces)
    cloud = sample_surface(mesh, 30_000, torch.Generator().manual_seed(0))
    high = torch.tensor([1.0, 2, 3]).double()
    at = torch.minimum(cloud.points.abs(), (cloud.points - high).abs())
    assert at.amin(1).max() < 1e-12
    # Sides of areas 6, 3 and 2, each twice; three deviations of a count.
    for axis, area in enumerate((6, 3, 2)):
        for sign in (-1, 1):
            part = cloud.normals[:, axis] == sign
            chance = area / 22
            assert abs(int(part.sum()) / 30_000 - chance) < 3 * (chance / 30_000) ** 0.5
            other = [i for i in range(3) if i != axis]
            middle = cloud.points[part][:, other].mean(0) / high[other]
            assert (middle - 0.5).abs().max() < 0.02


def read_box(vertices: np.ndarray, faces: list[list[int]]):
    from neurafield.shapes import Mesh

    return Mesh(torch.from_numpy(vertices), torch.tensor(make.split(faces)))


def test_the_same_generator_gives_the_same_points() -> None:
    mesh = read_box(*make.box())
    one, two = (sample_surface(mesh, 50, torch.Generator().manual_seed(3)) for _ in range(2))
    other = sample_surface(mesh, 50, torch.Generator().manual_seed(4))
    assert torch.equal(one.points, two.points)
    assert not torch.equal(one.points, other.points)
    assert sample_surface(mesh, 0, torch.Generator()).points.shape == (0, 3)


def test_no_point_falls_on_a_face_without_area() -> None:
    vertices, faces = make.box()
    mesh = read_box(vertices, [[0, 0, 0, 0], *faces[:1], [1, 1, 1, 1]])
    cloud = sample_surface(mesh, 1000, torch.Generator().manual_seed(0))
    assert (cloud.normals.norm(dim=1) - 1).abs().max() < 1e-12
    with pytest.raises(ValueError, match="of some area"):
        sample_surface(read_box(vertices, [[0, 0, 0, 0]]), 5, torch.Generator())
