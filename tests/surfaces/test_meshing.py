"""Surfaces as meshes: closed, exact, complete; against closed forms and the whole grid."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import skimage.measure
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from neurafield import Field, networks
from neurafield.shapes import Mesh, euler_number, is_closed
from neurafield.surfaces import NoSurfaceError, extract

Function = Callable[[Tensor], Tensor]


def sphere(x: Tensor) -> Tensor:
    return x.norm(dim=-1, keepdim=True) - 0.5


def torus_at(x: Tensor, centre: float = 0.0) -> Tensor:
    x = x - x.new_tensor([centre, 0, 0])
    ring = x[..., :2].norm(dim=-1, keepdim=True) - 0.4
    return torch.cat([ring, x[..., 2:]], -1).norm(dim=-1, keepdim=True) - 0.15


def torus(x: Tensor) -> Tensor:
    return torus_at(x)


def two_handles(x: Tensor) -> Tensor:
    return torch.minimum(torus_at(x, -0.4), torus_at(x, 0.4))


def gyroid(x: Tensor) -> Tensor:
    return (torch.sin(5 * x) * torch.cos(5 * x).roll(-1, -1)).sum(-1, keepdim=True)


def truncated(f: Function) -> Function:
    return lambda x: (f(x) / 0.1).clamp(-1, 1)


def logit(f: Function) -> Function:
    return lambda x: 8 * torch.tanh(f(x) / 0.02)


def small_balls(radius: float) -> Function:
    """Two balls far smaller than a block of the coarsest level, one large."""

    def distance(x: Tensor) -> Tensor:
        near = [
            (x - x.new_tensor(c)).norm(dim=-1) - radius for c in ((0.81, 0.81, 0.81), (0, 0, 0.9))
        ]
        return torch.stack([*near, x.norm(dim=-1) - 0.4]).amin(0)[..., None]

    return distance


class Counting:
    def __init__(self, function: Function) -> None:
        self.function, self.points = function, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.points += len(x)
        return self.function(x)


def check_body(mesh: Mesh, euler: int) -> None:
    assert is_closed(mesh)
    assert euler_number(mesh) == euler
    assert mesh.areas.min() > 0
    assert len(mesh.faces.unique()) == len(mesh.vertices)
    outward = (mesh.face_vectors[:, None] * mesh.normals[mesh.faces]).sum(-1)
    assert outward.max(1).values.min() > 0


def volume(mesh: Mesh) -> float:
    return float((mesh.corners[:, 0] * mesh.face_vectors).sum() / 3)


@pytest.mark.parametrize(("function", "euler"), [(sphere, 2), (torus, 0), (two_handles, -2)])
@pytest.mark.parametrize("resolution", [17, 64])
@pytest.mark.parametrize("of", [lambda f: f, truncated, logit])
def test_bodies_are_closed(function: Function, euler: int, resolution: int, of: Callable) -> None:
    mesh = extract(of(function), resolution)
    check_body(mesh, euler)
    # Two tori meet in a crease, on which there is no gradient to follow.
    near = function(mesh.vertices).abs() if function is not two_handles else torch.zeros(1)
    assert near.max() < 1e-5


def test_check_body_can_fail() -> None:
    mesh = extract(sphere, 17)
    with pytest.raises(AssertionError):
        check_body(mesh, 0)
    for faces in (mesh.faces[1:], mesh.faces.flip(1)):
        with pytest.raises(AssertionError):
            check_body(Mesh(mesh.vertices, faces, mesh.normals), 2)
    turned = mesh.faces.clone()
    turned[0] = turned[0].flip(0)
    assert not is_closed(Mesh(mesh.vertices, turned))


def test_normals_areas_and_volumes_are_those_of_the_closed_forms() -> None:
    mesh = extract(sphere, 100)
    exact = mesh.vertices / mesh.vertices.norm(dim=1, keepdim=True)
    assert (mesh.normals - exact).abs().max() < 1e-5
    assert float(mesh.areas.sum()) == pytest.approx(math.pi, rel=1e-3)
    assert volume(mesh) == pytest.approx(4 / 3 * math.pi * 0.125, rel=1e-3)
    ring = extract(torus, 100)
    assert float(ring.areas.sum()) == pytest.approx(4 * math.pi**2 * 0.4 * 0.15, rel=2e-3)
    assert volume(ring) == pytest.approx(2 * math.pi**2 * 0.4 * 0.15**2, rel=3e-3)


def test_grid_points_on_the_surface_leave_no_hole() -> None:
    """Values of 0 at grid points, also all around some: the octahedron, a cube."""
    check_body(extract(lambda x: x.abs().sum(-1, keepdim=True) - 0.5, 32), 2)
    check_body(extract(lambda x: x.abs().amax(-1, keepdim=True) - 0.5, 32), 2)


def test_noise_gives_a_closed_manifold() -> None:
    """Every pattern of corners comes up; what reaches the border is cut off there."""
    table = torch.randn(10, 10, 10, generator=torch.Generator().manual_seed(0))

    def noise(x: Tensor) -> Tensor:
        grid = x.reshape(1, -1, 1, 1, 3).flip(-1)
        found = torch.nn.functional.grid_sample(table[None, None], grid, align_corners=True)
        return found.reshape(-1, 1)

    with torch.enable_grad():
        mesh = extract(noise, 9, lipschitz=1e3, closed=True)
    assert is_closed(mesh)
    # A manifold: around each vertex the triangles form one ring, so their count is the number
    # of distinct neighbours.
    faces = mesh.faces.numpy()
    sides = np.unique(
        np.concatenate([faces, faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]])[:, :2], axis=0
    )
    assert (np.bincount(sides[:, 0]) == np.bincount(faces.ravel())).all()


def dense(function: Function, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    axis = torch.linspace(-1, 1, resolution + 1)
    x = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    values = function(x.reshape(-1, 3)).reshape(x.shape[:-1]).numpy()
    vertices, faces, *_ = skimage.measure.marching_cubes(
        values, 0.0, spacing=(2 / resolution,) * 3, allow_degenerate=False
    )
    return vertices - 1, faces


def hausdorff(a: np.ndarray, b: np.ndarray) -> float:
    return max(cKDTree(a).query(b)[0].max(), cKDTree(b).query(a)[0].max())


@pytest.mark.parametrize("function", [sphere, torus, two_handles, gyroid])
def test_it_is_the_surface_of_the_whole_grid(function: Function) -> None:
    resolution = 47
    mesh = extract(function, resolution)
    vertices, _ = dense(function, resolution)
    # Both have a vertex on each grid edge that the surface crosses, found by different code.
    assert len(mesh.vertices) == len(vertices)
    assert hausdorff(mesh.vertices.numpy(), vertices) < 1 / resolution


def test_hausdorff_can_fail() -> None:
    vertices, _ = dense(sphere, 48)
    assert hausdorff(extract(small_balls(0.05), 48).vertices.numpy(), vertices) > 1 / 48


def test_far_fewer_evaluations_than_the_whole_grid() -> None:
    field = Counting(sphere)
    extract(field, 256)
    assert field.points < 257**3 / 18


def test_a_part_smaller_than_a_coarse_block_is_found() -> None:
    """At 256 a coarse block has 8 cells, and such a ball is two cells across."""
    balls = small_balls(0.011)
    for lipschitz in (1.0, None):
        check_body(extract(balls, 256, lipschitz=lipschitz), 6)


def test_a_lipschitz_constant_that_is_too_small_loses_it() -> None:
    assert euler_number(extract(small_balls(0.011), 256, lipschitz=0.4)) == 2


def test_what_was_found_is_followed_to_its_end() -> None:
    """A bound so wrong that most blocks on the way are dropped: no body is cut open."""
    check_body(extract(torus, 128, lipschitz=0.3), 0)


def test_a_field_tells_its_own_bound() -> None:
    class Steep(torch.nn.Module):
        def lipschitz_bound(self) -> float:
            return 0.4

        def forward(self, x: Tensor) -> Tensor:
            return small_balls(0.011)(x)

    assert euler_number(extract(Steep(), 256)) == 2


def test_levels_boxes_and_borders() -> None:
    mesh = extract(sphere, 40, 0.2)
    assert (mesh.vertices.norm(dim=1) - 0.7).abs().max() < 1e-5
    half = ((-1.0, -1.0, 0.0), (1.0, 1.0, 1.0))
    opened, closed = extract(sphere, 40, box=half), extract(sphere, 40, box=half, closed=True)
    assert not is_closed(opened)
    assert opened.vertices[:, 2].min() > -1e-3
    assert is_closed(closed)
    assert euler_number(closed) == 2
    assert volume(closed) == pytest.approx(2 / 3 * math.pi * 0.125, rel=0.02)
    full = extract(lambda x: -1 - 0 * x[:, :1], 16, closed=True)
    # A cube, whose edges are cut off within a cell.
    assert volume(full) == pytest.approx(8 - 12 * (2 / 16) ** 2, rel=0.01)


def test_a_network_and_repeated() -> None:
    field = Field(
        networks.Siren(3, 1, width=32, depth=2, generator=torch.Generator().manual_seed(3))
    )
    first, second = (extract(field, 33, 0.1, closed=True) for _ in range(2))
    assert is_closed(first)
    assert torch.equal(first.vertices, second.vertices)
    assert torch.equal(first.faces, second.faces)
    assert all(parameter.grad is None for parameter in field.parameters())


def test_no_surface_and_bad_input() -> None:
    with pytest.raises(NoSurfaceError, match=r"level 2, got -0\.5 to 1\.2"):
        extract(sphere, 16, 2.0)
    with pytest.raises(ValueError, match="finite values, got nan"):
        extract(lambda x: x[:, :1] * math.nan, 16)
    with pytest.raises(ValueError, match=r"\(n, 3\) to \(n, 1\), got \(729, 3\)"):
        extract(lambda x: x, 16)
    with pytest.raises(ValueError, match="resolution between 2 and 4096, got 1"):
        extract(sphere, 1)
    with pytest.raises(ValueError, match="lipschitz to be positive"):
        extract(sphere, 16, lipschitz=0.0)
    with pytest.raises(ValueError, match="lower to a higher corner"):
        extract(sphere, 16, box=((0.0, 0.0, 0.0), (1.0, 1.0, 0.0)))


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    extract(sphere, 64, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1
