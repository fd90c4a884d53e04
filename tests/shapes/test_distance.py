"""Distances to meshes: closed forms, libigl on real meshes, and all that goes wrong with meshes."""

import math

import igl
import pytest
import torch
import trimesh
from torch import Tensor

from neurafield.geometry import Frame
from neurafield.kernels import dispatch
from neurafield.shapes import Mesh, MeshDistance

from . import shape_files as make

REAL = ("spot", "armadillo", "bunny_hr", "mountain")


def uniform(count: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 3, generator=g, dtype=torch.float64) - 1


def parts(mesh: trimesh.Trimesh) -> tuple[Tensor, Tensor]:
    return torch.tensor(mesh.vertices, dtype=torch.float64), torch.tensor(mesh.faces).long()


# ---- closed forms


def box_distance(x: Tensor) -> Tensor:
    """Of the box [-0.5, 0.5] x [-0.3, 0.3] x [-0.2, 0.2]."""
    out = x.abs() - x.new_tensor([0.5, 0.3, 0.2])
    return out.clamp(min=0).norm(dim=-1) + out.amax(-1).clamp(max=0)


def sphere_distance(x: Tensor) -> Tensor:
    return x.norm(dim=-1) - 0.8


def torus_distance(x: Tensor) -> Tensor:
    return torch.stack([x[..., :2].norm(dim=-1) - 0.6, x[..., 2]], -1).norm(dim=-1) - 0.25


# How far the mesh is from what it stands for.
FORMS = {
    "box": (trimesh.creation.box((1.0, 0.6, 0.4)), box_distance, 1e-12),
    "sphere": (trimesh.creation.icosphere(4, 0.8), sphere_distance, 2e-3),
    "torus": (trimesh.creation.torus(0.6, 0.25, 64, 32), torus_distance, 3e-3),
}


def check_form(distance: MeshDistance, name: str) -> None:
    _, wanted, tolerance = FORMS[name]
    x = 1.2 * uniform(1500)
    torch.testing.assert_close(distance.signed(x), wanted(x), rtol=0, atol=tolerance)
    torch.testing.assert_close(distance.unsigned(x), wanted(x).abs(), rtol=0, atol=tolerance)
    nearest, _ = distance.closest(x)
    torch.testing.assert_close(wanted(nearest), torch.zeros(1500).double(), rtol=0, atol=tolerance)
    away = wanted(x).abs() > 0.02
    inside = (wanted(x[away]) < 0).double()
    torch.testing.assert_close(distance.winding(x[away]), inside, rtol=0, atol=0.03)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("inverted", [False, True])
def test_closed_forms(name: str, inverted: bool) -> None:
    vertices, faces = parts(FORMS[name][0])
    check_form(MeshDistance(vertices, faces.flip(1) if inverted else faces), name)


def test_check_form_can_fail() -> None:
    vertices, faces = parts(FORMS["box"][0])
    with pytest.raises(AssertionError):
        check_form(MeshDistance(vertices + 1e-6, faces), "box")
    with pytest.raises(AssertionError):
        check_form(MeshDistance(vertices, faces[2:]), "box")


def check_edges(distance: MeshDistance, turned: Tensor) -> None:
    """Very close to the edges of large triangles, where solid angles are hard to tell."""
    g = torch.Generator().manual_seed(2)
    edge = (torch.randint(2, (800, 3), generator=g) * 2 - 1) * torch.tensor([0.5, 0.3, 0.2])
    edge = edge.double()
    edge[:, 0] *= torch.rand(800, generator=g, dtype=torch.float64)
    reach = 10 ** -torch.linspace(3, 7, 800, dtype=torch.float64)
    x = edge + reach[:, None] * uniform(800, 3)
    wanted = box_distance(x)
    clear = wanted.abs() > reach / 10
    torch.testing.assert_close(distance.unsigned(x @ turned), wanted.abs(), rtol=0, atol=1e-7)
    turns = distance.winding(x[clear] @ turned)
    torch.testing.assert_close(turns, (wanted[clear] < 0).double(), rtol=0, atol=2e-3)


def test_close_to_edges() -> None:
    vertices, faces = parts(FORMS["box"][0])
    g = torch.Generator().manual_seed(3)
    turned = torch.linalg.qr(torch.randn(3, 3, generator=g, dtype=torch.float64))[0]
    turned *= turned.det()
    check_edges(MeshDistance(vertices @ turned, faces), turned)
    with pytest.raises(AssertionError):
        check_edges(MeshDistance(vertices @ turned * (1 + 1e-5), faces), turned)


@pytest.mark.parametrize(
    ("at", "scale"),
    [(0.0, 1e-6), (1e3, 1.0), (1e9, 1.0), (-1e9, 1e6), (1.0, 1e-9), (-1e200, 1e200), (0.0, 1e307)],
)
def test_far_and_huge_coordinates(at: float, scale: float) -> None:
    vertices, faces = parts(FORMS["box"][0])
    x = uniform(300)
    moved, wanted = vertices * scale + at, box_distance(x) * scale
    lost = abs(at) * 2**-52  # What is left of the box at that place.
    got = MeshDistance(moved, faces).signed(x * scale + at)
    assert (got - wanted).abs().max() < 1e-12 * scale + 4 * lost


def test_units() -> None:
    vertices, faces = parts(FORMS["box"][0])
    user = Mesh(vertices * 3 + 1000, faces)
    frame = Frame.around(user.vertices)
    x = uniform(100)
    ours = MeshDistance.of(user, frame).signed(x)
    theirs = MeshDistance.of(user).signed(frame.to_user(x))
    torch.testing.assert_close(ours * frame.scale, theirs, rtol=0, atol=1e-9)


# ---- libigl


def real(name: str) -> tuple[Tensor, Tensor]:
    path = make.shared_mesh(f"{name}.obj")
    vertices, faces = parts(trimesh.load(path, process=False, force="mesh"))
    return Frame.around(vertices).to_unit(vertices), faces


def samples(vertices: Tensor, faces: Tensor, count: int) -> Tensor:
    """Half of them everywhere, half close to the surface."""
    g = torch.Generator().manual_seed(7)
    picked = vertices[faces[torch.randint(len(faces), (count // 2,), generator=g)]].mean(1)
    noise = torch.randn(count // 2, 3, generator=g, dtype=torch.float64)
    return torch.cat([uniform(count // 2, 8), picked + 0.01 * noise])


def check_igl(distance: MeshDistance, vertices: Tensor, faces: Tensor, count: int) -> None:
    x = samples(vertices, faces, count)
    mesh = (vertices.numpy(), faces.numpy())
    squared, _, _ = igl.point_mesh_squared_distance(x.numpy(), *mesh)
    wanted = torch.from_numpy(squared).sqrt()
    box = float((vertices.amax(0) - vertices.amin(0)).max())
    got = distance.signed(x)
    assert (got.abs() - wanted).abs().max() < 1e-5 * box
    assert torch.equal(got.abs(), distance.unsigned(x))
    points, numbers = distance.closest(x)
    assert ((points - x).norm(dim=1) - wanted).abs().max() < 1e-5 * box
    assert ((numbers >= 0) & (numbers < len(faces))).all()

    away = wanted > 1e-4 * box
    exact = torch.from_numpy(igl.winding_number(*mesh, x[away].numpy()))
    # On the border between the sides, in the holes of an open mesh, either is right.
    clear = (exact - 0.5).abs() > 0.01
    same = (got[away] < 0) == (exact > 0.5)
    assert same[clear].double().mean() >= 0.999
    assert same.double().mean() >= 0.99
    assert (distance.winding(x[away]) - exact).abs().max() < 0.05
    fast = torch.from_numpy(igl.fast_winding_number(*mesh, x[away].numpy()))
    assert ((got[away] < 0) == (fast > 0.5))[clear].double().mean() >= 0.999


@pytest.mark.skipif(not dispatch.describe().startswith("native"), reason="minutes in plain torch")
@pytest.mark.parametrize("name", REAL)
def test_libigl_on_real_meshes(name: str) -> None:
    vertices, faces = real(name)
    check_igl(MeshDistance(vertices, faces), vertices, faces, 1000)


@pytest.mark.slow
@pytest.mark.skipif(not dispatch.describe().startswith("native"), reason="minutes in plain torch")
@pytest.mark.parametrize("name", REAL)
def test_libigl_on_many_points(name: str) -> None:
    vertices, faces = real(name)
    check_igl(MeshDistance(vertices, faces), vertices, faces, 4000)


def test_check_igl_can_fail() -> None:
    vertices, faces = parts(FORMS["torus"][0])
    check_igl(MeshDistance(vertices, faces), vertices, faces, 1000)
    for other in (
        MeshDistance(vertices * (1 + 1e-4), faces),
        MeshDistance(vertices, faces[: len(faces) // 2]),
        MeshDistance(vertices, torch.cat([faces, faces])),
    ):
        with pytest.raises(AssertionError):
            check_igl(other, vertices, faces, 1000)


# ---- broken meshes


def test_a_hole_is_closed() -> None:
    vertices, faces = parts(FORMS["sphere"][0])
    top = vertices[faces].mean(1)[:, 2] > 0.72
    open_mesh = MeshDistance(vertices, faces[~top])
    x = torch.tensor([[0, 0, 0], [0, 0, 0.6], [0, 0, 1.1], [0, 0, -1], [0.7, 0, 0]]).double()
    assert (open_mesh.signed(x) < 0).tolist() == [True, True, False, False, True]
    assert (MeshDistance(vertices, faces[~top].flip(1)).signed(x) < 0).tolist()[:4] == [
        *(True, True, False, False)
    ]


def test_an_open_sheet_is_not_turned() -> None:
    """Its volume depends on where it is measured from, so that nothing is known."""
    vertices = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]).double()
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    below = torch.tensor([[0.1, 0.2, -1e-3]]).double()
    assert float(MeshDistance(vertices, faces).winding(below)) == pytest.approx(0.5, abs=1e-2)
    assert float(MeshDistance(vertices, faces.flip(1)).winding(below)) == pytest.approx(
        -0.5, abs=1e-2
    )


def test_parts_that_overlap() -> None:
    vertices, faces = parts(trimesh.creation.box((1.0, 1.0, 1.0)))
    both = torch.cat([vertices, vertices + 0.5]), torch.cat([faces, faces + len(vertices)])
    distance = MeshDistance(*both)
    x = torch.tensor([[0.25, 0.25, 0.25], [-0.3, 0, 0], [0.9, 0.9, 0.9], [0.8, -0.3, 0]]).double()
    torch.testing.assert_close(
        distance.winding(x), torch.tensor([2.0, 1, 1, 0]).double(), rtol=0, atol=1e-4
    )
    assert (distance.signed(x) < 0).tolist() == [True, True, True, False]


def test_a_cavity_is_outside() -> None:
    vertices, faces = parts(trimesh.creation.icosphere(2, 0.8))
    shell = torch.cat([vertices, vertices / 2]), torch.cat([faces, faces.flip(1) + len(vertices)])
    x = torch.tensor([[0.0, 0, 0], [0.6, 0, 0], [1, 0, 0]]).double()
    assert (MeshDistance(*shell).signed(x) < 0).tolist() == [False, True, False]


@pytest.mark.parametrize("version", ["reference", "native"])
def test_triangles_without_area(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if version == "native" and not dispatch.describe().startswith("native"):
        pytest.skip("installed without a compiler")
    monkeypatch.setenv(dispatch.VARIABLE, version)
    vertices = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 5, 5]]).double()
    x = torch.tensor([[0.5, 1, 0], [3, 0, 0], [-3, 4, 0]])
    wanted = torch.tensor([1.0, 1, 5])
    for faces in ([[0, 1, 2]], [[0, 2, 2]], [[2, 0, 1], [0, 0, 2]]):
        distance = MeshDistance(vertices, torch.tensor(faces))
        torch.testing.assert_close(distance.signed(x), wanted)
        assert distance.winding(x).abs().max() < 1e-6
    point = MeshDistance(vertices, torch.tensor([[1, 1, 1]]))
    torch.testing.assert_close(point.signed(x)[1:], torch.tensor([2.0, 32**0.5]))


# ---- what is asked, and what comes back


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,), (3, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_any_batch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    distance = MeshDistance(*parts(FORMS["box"][0]))
    x = uniform(math.prod(shape)).reshape(*shape, 3).to(dtype)
    torch.testing.assert_close(distance.signed(x), box_distance(x), rtol=1e-5, atol=1e-6)
    for values in (distance.signed(x), distance.unsigned(x), distance.winding(x)):
        assert values.shape == shape
        assert values.dtype == dtype
    points, numbers = distance.closest(x)
    assert points.shape == (*shape, 3)
    assert numbers.shape == shape
    assert (points.dtype, numbers.dtype) == (dtype, torch.int64)


def test_no_gradient_and_no_order_of_memory() -> None:
    distance = MeshDistance(*parts(FORMS["box"][0]))
    x = uniform(30).mT.contiguous().mT.requires_grad_()
    assert not distance.signed(x).requires_grad
    assert torch.equal(distance.signed(x), distance.signed(x.detach().contiguous()))


def test_points_that_are_not_finite() -> None:
    distance = MeshDistance(*parts(FORMS["box"][0]))
    x = torch.tensor([[math.nan, 0, 0], [0, math.inf, 0], [0, 0, -math.inf], [0, 0, 0]])
    for values in (distance.signed(x), distance.unsigned(x), distance.winding(x)):
        assert values.isnan().tolist() == [True, True, True, False]
    points, numbers = distance.closest(x)
    assert points[:3].isnan().all()
    assert numbers[:3].tolist() == [-1, -1, -1]


def test_what_was_given_may_change_afterwards() -> None:
    vertices, faces = parts(FORMS["box"][0])
    distance = MeshDistance(vertices, faces)
    vertices.zero_()
    check_form(distance, "box")


def test_refusals() -> None:
    vertices, faces = parts(FORMS["box"][0])
    with pytest.raises(ValueError, match="MeshDistance: expected triangles, got none"):
        MeshDistance(vertices, faces[:0])
    with pytest.raises(ValueError, match="expected finite vertices"):
        MeshDistance(vertices * math.nan, faces)
    with pytest.raises(ValueError, match="expected faces of vertices 0 to 7"):
        MeshDistance(vertices, faces + 1)
    with pytest.raises(ValueError, match="accuracy of 1 or more"):
        MeshDistance(vertices, faces, accuracy=0.5)
    distance = MeshDistance(vertices, faces)
    with pytest.raises(TypeError):
        distance.signed(torch.zeros(2, 3, dtype=torch.int64))
