"""Mesh features against closest points by brute force in NumPy."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay
from torch import Tensor
from torch.testing import assert_close

from neurafield.derivatives import Jet
from neurafield.encodings import MeshFeatures, _nearest, triangulated_box
from neurafield.encodings._nearest import _Index, nearest

Mesh = tuple[Tensor, Tensor]


def filled(dim: int) -> Mesh:
    points = np.random.default_rng(dim).uniform(-0.8, 0.8, (23, dim))
    return torch.from_numpy(points), torch.from_numpy(Delaunay(points).simplices).long()


def surface(dim: int) -> Mesh:
    """A polygon, or an octahedron cut into 8 * 4^2 triangles and pushed out to a ball."""
    if dim == 2:
        angle = torch.arange(37, dtype=torch.float64) * (2 * torch.pi / 37)
        vertices = 0.6 * torch.stack([angle.cos(), angle.sin()], dim=-1)
        return vertices, torch.stack([torch.arange(37), (torch.arange(37) + 1) % 37], dim=-1)
    corners = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    triangles = corners[torch.tensor(faces)]
    for _ in range(2):
        a, b, c = triangles.unbind(1)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        triangles = torch.cat([torch.stack(part, dim=1) for part in parts])
    vertices, index = torch.unique(triangles.flatten(0, 1), dim=0, return_inverse=True)
    return 0.6 * torch.nn.functional.normalize(vertices, dim=-1), index.view(-1, 3)


MESHES = {
    "triangles": filled(2),
    "tetrahedra": filled(3),
    "polygon": surface(2),
    "ball": surface(3),
}
MESHES["tangled"] = (
    torch.randn(31, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64) / 2,
    torch.randint(31, (47, 3), generator=torch.Generator().manual_seed(4)),  # Degenerate ones too.
)


def closest_by_force(x: np.ndarray, corners: np.ndarray) -> tuple[float, np.ndarray]:
    """Distance and weights: least squares on every face, of which the nearest inside counts."""
    best = (np.inf, np.zeros(len(corners)))
    for size in range(1, len(corners) + 1):
        for face in map(list, combinations(range(len(corners)), size)):
            edges = corners[face[1:]] - corners[face[0]]
            tail = np.linalg.lstsq(edges.T, x - corners[face[0]], rcond=None)[0]
            weights = np.zeros(len(corners))
            weights[face] = [1 - tail.sum(), *tail]
            distance = float(np.linalg.norm(x - weights @ corners))
            if (weights >= -1e-12).all() and distance < best[0] - 1e-12:
                best = (distance, weights)
    return best


def check_against_force(encoding: MeshFeatures, mesh: Mesh) -> None:
    vertices, simplices = mesh[0].numpy(), mesh[1].numpy()
    table = encoding.table.detach().numpy()
    g = torch.Generator().manual_seed(0)
    x = 2.4 * torch.rand(11, vertices.shape[1], generator=g, dtype=torch.float64) - 1.2
    x = torch.cat([x, mesh[0][:3]])
    for point, got in zip(x.numpy(), encoding(x).detach().numpy(), strict=True):
        every = [(closest_by_force(point, vertices[s]), s) for s in simplices]
        least = min(distance for (distance, _), _ in every)
        # Where several are equally near, any of them is right.
        right = [w @ table[s] for (distance, w), s in every if distance < least + 1e-9]
        assert min(np.abs(got - value).max() for value in right) < 1e-7


def encoding_of(name: str) -> MeshFeatures:
    encoding = MeshFeatures.from_mesh(*MESHES[name], features=3).double()
    encoding.vertices = MESHES[name][0]
    torch.nn.init.normal_(encoding.table, generator=torch.Generator().manual_seed(0))
    return encoding


@pytest.mark.parametrize("name", MESHES)
def test_it_reads_the_closest_point(name: str) -> None:
    check_against_force(encoding_of(name), MESHES[name])


def test_check_against_force_can_fail() -> None:
    encoding = encoding_of("ball")
    encoding.simplices = encoding.simplices[::2]
    with pytest.raises(AssertionError):
        check_against_force(encoding, MESHES["ball"])


def test_a_linear_function_is_met_exactly_inside() -> None:
    for name in ("triangles", "tetrahedra"):
        encoding = encoding_of(name)
        dim = encoding.in_dim
        slope = torch.arange(1.0, dim + 1, dtype=torch.float64)
        with torch.no_grad():
            encoding.table.copy_((encoding.vertices @ slope)[:, None] + 0.5)
        share = torch.rand(50, dim + 1, 1, dtype=torch.float64)
        corners = encoding.vertices[encoding.simplices[torch.arange(50) % 20]]
        x = (share / share.sum(1, keepdim=True) * corners).sum(1)
        got = encoding.jet(Jet.root(x))
        assert_close(got.value, (x @ slope)[:, None].expand(-1, 3) + 0.5)
        assert_close(got.jacobian, slope.expand(50, 3, dim))
        assert float(got.laplacian.detach().abs().max()) == 0


def test_a_surface_is_constant_along_its_normals() -> None:
    vertices = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    encoding = MeshFeatures.from_mesh(vertices, torch.tensor([[0, 1, 2]]), features=1)
    with torch.no_grad():
        encoding.table.copy_(torch.tensor([[1.0], [2.0], [4.0]]))
    x = torch.tensor([[0.25, 0.5, 0.0], [0.25, 0.5, 0.9], [0.25, 0.5, -0.9]])
    assert_close(encoding(x), torch.full((3, 1), 1 + 0.25 + 1.5))
    assert_close(encoding.jet(Jet.root(x)).jacobian[1], torch.tensor([[1.0, 3.0, 0.0]]))
    # Off an edge what is along it counts, off a corner nothing.
    beyond = torch.tensor([[0.5, -0.3, 0.2], [2.0, -0.5, 0.3]])
    assert_close(encoding(beyond), torch.tensor([[1.5], [2.0]]))
    expected = torch.tensor([[[1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0]]])
    assert_close(encoding.jet(Jet.root(beyond)).jacobian, expected)


def test_the_box_is_covered_once() -> None:
    vertices, triangles = triangulated_box([3, 4])
    a, b, c = vertices[triangles].unbind(1)
    areas = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs() / 2
    assert_close(areas, torch.full((24,), 4 / 24))
    encoding = MeshFeatures.from_mesh(vertices, triangles, features=1)
    with torch.no_grad():
        encoding.table.copy_(vertices[:, :1] - 2 * vertices[:, 1:])
    x = 2 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0)) - 1
    assert_close(encoding(x), x[:, :1] - 2 * x[:, 1:], rtol=0, atol=1e-5)
    assert_close(encoding(torch.tensor([3.0, -5.0])), torch.tensor([3.0]))


def test_a_missing_coordinate_gives_missing_features() -> None:
    encoding = encoding_of("triangles").float()
    x = torch.tensor([[torch.nan, 0.0], [0.1, 0.1]], requires_grad=True)
    y = encoding(x)
    assert y.isnan().all(-1).tolist() == [True, False]
    assert encoding.jet(Jet.root(x)).streams[:, 1].isfinite().all()


@pytest.mark.parametrize(
    ("vertices", "simplices", "message"),
    [
        (torch.zeros(4, 2), torch.tensor([[0, 1, 4]]), "vertices 0 to 3, got 0 to 4"),
        (torch.zeros(4, 2), torch.tensor([[0, 1, 2, 3]]), "num_corners"),
        (torch.zeros(4, 2), torch.zeros(0, 3).long(), "simplices of shape"),
        (torch.full((4, 2), torch.inf), torch.tensor([[0, 1, 2]]), "finite vertices"),
        (torch.zeros(4, 4), torch.tensor([[0, 1, 2]]), "in_dim"),
    ],
)
def test_wrong_meshes_are_refused(vertices: Any, simplices: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MeshFeatures.from_mesh(vertices, simplices)


def test_a_mesh_may_be_arrays() -> None:
    mesh = triangulated_box([3, 2])
    given = MeshFeatures.from_mesh(mesh[0].numpy(), mesh[1].numpy().astype(np.int32))
    tensors = MeshFeatures.from_mesh(*mesh)
    assert torch.equal(given.vertices, tensors.vertices)
    assert torch.equal(given.simplices, tensors.simplices)
    # Where annotations are checked, it is these that refuse it.
    with pytest.raises((ValueError, TypeError), match=r"of integers|^Type-check error"):
        MeshFeatures.from_mesh(mesh[0], mesh[1].double() + 0.5)


# ---- digits


def sliver(height: float) -> tuple[MeshFeatures, Tensor, Tensor]:
    """A flat triangle of features 0, 1, 5, places in it, and the values there."""
    vertices = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [0.3, height]])
    encoding = MeshFeatures.from_mesh(vertices, torch.tensor([[0, 1, 2]]), features=1)
    with torch.no_grad():
        encoding.table.copy_(torch.tensor([[0.0], [1.0], [5.0]]))
    share = torch.rand(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = (share / share.sum(1, keepdim=True) @ vertices.double()).float()
    # Coordinates are rounded: weights and features follow from the rounded ones.
    top = x[:, 1].double() / vertices[2, 1].double()
    side = (x[:, 0].double() + 1 - top * (vertices[2, 0].double() + 1)) / 2
    inside = (top > 0) & (side > 0) & (top + side < 1)
    return encoding, x[inside], (side + 5 * top)[inside][:, None]


@pytest.mark.parametrize("height", [1e-1, 1e-3, 1e-4])
def test_flat_simplices_keep_their_digits(height: float) -> None:
    encoding, x, expected = sliver(height)
    assert len(x) > 190
    got = encoding(x)
    assert got.dtype == torch.float32
    assert_close(got.double().detach(), expected, rtol=0, atol=2e-6)
    slope = torch.tensor([0.5, (5 - 0.65) / height]).expand(len(x), 1, 2)
    assert_close(encoding.jet(Jet.root(x)).jacobian, slope, rtol=1e-5, atol=1e-5)


def test_flat_simplices_of_surfaces_keep_their_digits() -> None:
    encoding, x, expected = sliver(1e-3)
    turned = MeshFeatures.from_mesh(
        torch.nn.functional.pad(encoding.vertices, (0, 1)), encoding.simplices, features=1
    )
    turned.table = encoding.table
    at = torch.nn.functional.pad(x, (0, 1), value=0.3)
    assert_close(turned(at).double().detach(), expected, rtol=0, atol=2e-6)


def test_autocast_takes_no_digits() -> None:
    encoding, x, _ = sliver(1e-1)
    expected = encoding(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoding(x), expected)


def test_modules_and_coordinates_of_any_type() -> None:
    encoding, x, expected = sliver(0.5)
    assert encoding(x.double()).dtype == torch.float64
    assert encoding.double()(x).dtype == torch.float64
    halved = encoding.bfloat16()(x.bfloat16()).detach()
    assert halved.dtype == torch.bfloat16
    assert float((halved - expected).abs().max()) < 0.1


def test_far_away_the_closest_points_value_goes_on() -> None:
    vertices, triangles = triangulated_box([3, 4])
    encoding = MeshFeatures.from_mesh(vertices, triangles, features=1)
    with torch.no_grad():
        encoding.table.copy_(vertices[:, :1] - 2 * vertices[:, 1:])
    x = torch.tensor([[1e20, 0.25], [-torch.inf, 0.25], [3.0, torch.inf], [90.0, 0.25]])
    expected = torch.tensor([[0.5], [-1.5], [-1.0], [0.5]])
    assert_close(encoding(x), expected, rtol=0, atol=1e-5)
    slope = encoding.jet(Jet.root(x)).jacobian[:, 0]
    expected = torch.tensor([[0.0, -2.0], [0.0, -2.0], [0.0, 0.0], [0.0, -2.0]])
    assert_close(slope, expected, rtol=0, atol=1e-5)
    assert_close(torch.func.vmap(torch.func.jacrev(encoding))(x)[:, 0], expected, atol=1e-5, rtol=0)


# ---- cost


def check_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Near the centre of a ball all is equally near: all is looked at, but not at once."""
    vertices, triangles = surface(3)
    most = []
    whole = _Index._distances

    def distances(self: _Index, x: Tensor, candidates: Tensor, *rest: Tensor) -> Tensor:
        most.append(candidates.numel())
        return whole(self, x, candidates, *rest)

    monkeypatch.setattr(_Index, "_distances", distances)
    x = 1e-4 * torch.randn(4096, 3, generator=torch.Generator().manual_seed(0))
    found = nearest(x, vertices.float(), triangles, 1)
    assert sum(most) > 3 * 4096 * 32
    assert max(most) <= 2**17
    a, b, c = vertices[triangles].unbind(1)
    normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    # Seen from the centre the foot of each normal is in its triangle: distances to the planes.
    planes = ((a - x.double()[:64, None]) * normals).sum(-1).abs()
    got = planes.gather(1, found[:64])[:, 0]
    assert_close(got, planes.amin(1), rtol=0, atol=1e-6)


def test_memory_is_bounded_where_all_is_equally_near(monkeypatch: pytest.MonkeyPatch) -> None:
    check_memory(monkeypatch)


def test_check_memory_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nearest, "_LOOKED_AT", 2**40)
    with pytest.raises(AssertionError):
        check_memory(monkeypatch)
