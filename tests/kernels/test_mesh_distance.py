"""The nearest point of a mesh and winding numbers: each instruction set against the reference."""

import itertools
import math
from functools import cache

import pytest
import torch
from torch import Tensor

from neurafield.kernels import dispatch, library
from neurafield.kernels.mesh_distance import Triangles, closest_points, reference, winding_numbers

from .levels import level, needs_native, version  # noqa: F401


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def soup(count: int, size: float, seed: int = 0) -> Tensor:
    """Triangles everywhere, in no order."""
    g = generator(seed)
    middles = 2 * torch.rand(count, 1, 3, generator=g, dtype=torch.float64) - 1
    around = torch.randn(count, 3, 3, generator=g, dtype=torch.float64)
    return (middles + size * around).clamp(-1, 1)


def sphere(rings: int) -> Tensor:
    """Closed, of radius 0.8."""
    theta = torch.linspace(0, math.pi, rings + 1, dtype=torch.float64)[:, None]
    phi = torch.linspace(0, 2 * math.pi, 2 * rings + 1, dtype=torch.float64)[None]
    places = 0.8 * torch.stack(
        [theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos() * torch.ones_like(phi)], -1
    )
    places[:, -1] = places[:, 0]
    a, b, c, d = places[:-1, :-1], places[1:, :-1], places[1:, 1:], places[:-1, 1:]
    return torch.stack([torch.stack([a, b, c], 2), torch.stack([a, c, d], 2)]).reshape(-1, 3, 3)


def broken() -> Tensor:
    """Points, segments, slivers, twice the same, and one whole triangle."""
    point = torch.full((5, 3, 3), 0.3, dtype=torch.float64)
    segment = torch.tensor([[[-1.0, 0, 0], [0, 0.5, 0], [1, 1, 0]]]).double()
    sliver = torch.tensor([[[-1.0, -1, -1], [1, -1, -1], [0, -1 + 1e-9, -1]]]).double()
    whole = torch.tensor([[[0.0, 0, -0.5], [0.5, 0, -0.5], [0, 0.5, -0.5]]]).double()
    return torch.cat([point, segment, sliver, whole, whole, segment])


SHAPES = {
    "soup": soup(700, 0.05),
    "large": soup(50, 1.0, seed=1),
    "sphere": sphere(17),
    "one": soup(1, 0.5),
    "nine": soup(9, 0.5),
    "broken": broken(),
    "same": soup(1, 0.3).expand(101, 3, 3),
    "geometric": torch.cat([soup(12, 0.1) * 0.5**k for k in range(60)]),
}


def points(corners: Tensor, count: int = 151) -> Tensor:
    """Around the triangles, close to them, on them, and far away."""
    g = generator(5)
    around = 3 * torch.rand(count, 3, generator=g, dtype=torch.float64) - 1.5
    weights = torch.rand(count, 3, 1, generator=g, dtype=torch.float64)
    some = corners[torch.randint(len(corners), (count,), generator=g)]
    on = (some * weights / weights.sum(1, keepdim=True)).sum(1)
    noise = torch.randn(count, 3, generator=g, dtype=torch.float64)
    return torch.cat([around, on, on + 1e-3 * noise, some[:31, 0], 100 * noise[:31]])


@cache
def references(name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points around a shape, the nearest ones on it; those off the surface, their numbers."""
    corners = SHAPES[name]
    x = points(corners)
    nearest, _ = reference.closest_points(corners, x)
    # On a triangle the winding number jumps by one.
    off = x[(x - nearest).norm(dim=1) >= 1e-4]
    return x, nearest, off, reference.winding_numbers(corners, off)


def check_closest(
    corners: Tensor, x: Tensor, wanted: Tensor, nearest: Tensor, numbers: Tensor
) -> None:
    """As near as any triangle, on the one that is named."""
    distance, least = (x - nearest).norm(dim=1), (x - wanted).norm(dim=1)
    bound = 1e-6 * (1 + x.abs().amax(1))
    assert ((distance - least).abs() < bound).all()
    for i in range(0, len(x), 20):
        on, _ = reference.closest_points(corners[numbers[i], None], nearest[i, None])
        assert (on - nearest[i]).norm() < 1e-9 * (1 + x[i].abs().max())


@pytest.mark.parametrize("name", SHAPES)
def test_the_nearest_point_is_that_of_the_reference(level: str, name: str) -> None:  # noqa: F811
    corners = SHAPES[name]
    x, wanted, _, _ = references(name)
    nearest, numbers = closest_points(Triangles(corners), x)
    check_closest(corners, x, wanted, nearest, numbers)


@pytest.mark.parametrize("wrong", ["place", "number"])
def test_check_closest_can_fail(wrong: str) -> None:
    corners = SHAPES["soup"]
    x, wanted, _, _ = references("soup")
    nearest, numbers = reference.closest_points(corners, x)
    check_closest(corners, x, wanted, nearest, numbers)
    if wrong == "place":
        nearest = nearest + 1e-4
    else:
        numbers = (numbers + 1) % len(corners)
    with pytest.raises(AssertionError):
        check_closest(corners, x, wanted, nearest, numbers)


@pytest.mark.parametrize("name", SHAPES)
def test_winding_numbers_are_those_of_the_reference(
    level: str,  # noqa: F811
    name: str,
) -> None:
    triangles = Triangles(SHAPES[name])
    _, _, x, wanted = references(name)
    assert len(x) > 200
    for accuracy, tolerance in ((2.0, 0.02), (4.0, 1e-3), (1e9, 1e-4)):
        got = winding_numbers(triangles, x, accuracy=accuracy)
        assert (got - wanted).abs().max() < tolerance * (
            len(SHAPES[name]) if name == "same" else 1
        ), accuracy


@needs_native
def test_moments_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tolerances above allow is less than what a coarse accuracy gives."""
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    corners = SHAPES["sphere"]
    x = points(corners)[:151]
    wanted = reference.winding_numbers(corners, x)
    errors = [
        float((winding_numbers(Triangles(corners), x, accuracy=accuracy) - wanted).abs().max())
        for accuracy in (1.0, 2.0, 4.0, 1e9)
    ]
    assert errors[0] > 4 * errors[1] > 16 * errors[2] > 64 * errors[3]


def test_the_reference_on_closed_forms() -> None:
    triangle = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]]).double()
    x = torch.tensor([[0.2, 0.3, 5], [-3, -4, 0], [2, -1, 0], [1, 1, 0], [0.5, -2, 1]]).double()
    nearest, numbers = reference.closest_points(triangle, x)
    wanted = [[0.2, 0.3, 0], [0, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0]]
    torch.testing.assert_close(nearest, torch.tensor(wanted).double(), rtol=0, atol=1e-15)
    assert numbers.tolist() == [0] * 5
    # An octant is an eighth of the sphere.
    octant = torch.eye(3, dtype=torch.float64)[None]
    turns = reference.winding_numbers(octant, torch.zeros(1, 3, dtype=torch.float64))
    torch.testing.assert_close(turns, torch.tensor([0.125]).double(), rtol=0, atol=1e-15)


def test_awkward_points(version: str) -> None:  # noqa: F811
    mesh = Triangles(SHAPES["sphere"])
    odd = [math.nan, math.inf, -math.inf]
    x = torch.tensor([[odd[i % 3] if k == i // 3 else 0.0 for k in range(3)] for i in range(9)])
    nearest, numbers = closest_points(mesh, x.double())
    assert nearest.isnan().all()
    assert (numbers == -1).all()
    assert winding_numbers(mesh, x.double(), accuracy=2.0).isnan().all()

    empty = x[:0].double()
    nearest, numbers = closest_points(mesh, empty)
    assert nearest.shape == (0, 3)
    assert numbers.shape == winding_numbers(mesh, empty, accuracy=2.0).shape == (0,)

    places = [[1e30, 0, 0], [-1e100, 1e100, 0], [1e12, 1e12, -1e12]]
    far = torch.tensor(places, dtype=torch.float64)
    nearest, numbers = closest_points(mesh, far)
    assert (nearest.norm(dim=1) < 0.81).all()
    assert (numbers >= 0).all()
    assert winding_numbers(mesh, far, accuracy=2.0).abs().max() < 1e-6


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"Triangles: expected corners of shape"):
        Triangles(torch.zeros(0, 3, 3, dtype=torch.float64))
    with pytest.raises(TypeError, match="expected float64 corners"):
        Triangles(torch.zeros(1, 3, 3))
    mesh = Triangles(SHAPES["one"])
    with pytest.raises(ValueError, match="accuracy of 1 or more"):
        winding_numbers(mesh, torch.zeros(1, 3, dtype=torch.float64), accuracy=0.5)


def answers(corners: Tensor, x: Tensor) -> list[Tensor]:
    mesh = Triangles(corners)
    return [*closest_points(mesh, x), winding_numbers(mesh, x, accuracy=2.0)]


@needs_native
@pytest.mark.parametrize("own", [False, True])
def test_threads_do_not_change_a_byte(level: str, own: bool) -> None:  # noqa: F811
    before = torch.get_num_threads()
    x = torch.cat([points(SHAPES["soup"])] * 3)
    try:
        library.native().use_own_threads(own)
        found = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append(answers(SHAPES["soup"], x))
    finally:
        library.native().use_own_threads(False)
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


@needs_native
@pytest.mark.parametrize("name", ["soup", "large", "same", "sphere"])
def test_an_answer_is_of_its_point_alone(level: str, name: str) -> None:  # noqa: F811
    """Not of its neighbours, where the search begins; though many triangles are equally near."""
    corners = SHAPES[name]
    x = points(corners)
    together = answers(corners, x)
    order = torch.randperm(len(x), generator=generator(3))[:200]
    for i, picked in enumerate(zip(*answers(corners, x[order]), strict=True)):
        for all_of_them, one in zip(together, picked, strict=True):
            assert torch.equal(all_of_them[order[i]], one)


@needs_native
def test_the_border_refuses() -> None:
    native = library.native()
    tree = native.MeshTree(SHAPES["one"])
    x, nearest = torch.zeros(2, 2, 3, dtype=torch.float64)
    numbers, turns = torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.float64)
    native.mesh_closest(tree, x, nearest, numbers, 1)
    native.mesh_winding(tree, x, 2.0, turns, 1)
    wrong_closest = {
        1: [x[:, :2].contiguous(), x[0], x[:1]],
        2: [nearest[:1], nearest[:, :2].contiguous()],
        3: [numbers[:1]],
        4: [0, 65537],
    }
    wrong_winding = {1: [x[0], x[:1]], 2: [0.5, math.nan], 3: [turns[:1], nearest], 4: [0]}
    for call, arguments, wrong in (
        (native.mesh_closest, [tree, x, nearest, numbers, 1], wrong_closest),
        (native.mesh_winding, [tree, x, 2.0, turns, 1], wrong_winding),
    ):
        for at, value in itertools.chain(*([(k, v) for v in vs] for k, vs in wrong.items())):
            with pytest.raises((ValueError, TypeError)):
                call(*[value if i == at else given for i, given in enumerate(arguments)])
        with pytest.raises(TypeError):
            call(*[given.float() if given is x else given for given in arguments])
    for corners in (torch.zeros(0, 3, 3), torch.zeros(1, 2, 3), torch.full((1, 3, 3), math.nan)):
        with pytest.raises(ValueError, match="mesh"):
            native.MeshTree(corners.double())
