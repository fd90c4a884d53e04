"""Fields of shapes, on bodies whose distance is known in closed form."""

from pathlib import Path
from typing import Any

import pytest
import torch
import trimesh
from torch import Tensor

from neurafield import Field
from neurafield.encodings import HashGrid
from neurafield.fit import Checkpointing, fit, losses
from neurafield.fit.shape_losses import OffSurface, OnSurface
from neurafield.geometry import Frame
from neurafield.maps import ValueAndGradient
from neurafield.networks import MLP, Siren
from neurafield.shapes import Mesh, PointCloud, PointDistance, ShapeLayout, implicit_kind
from neurafield.signals import DistanceSamples
from neurafield.signals.distances import shape_fingerprint
from neurafield.tasks import shape_distance


@pytest.fixture(autouse=True)
def measured_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shape_distance, "_MEASURED", 5000)
    monkeypatch.setattr(shape_distance, "_MEASURED_INSIDE", 40_000)


def ball(subdivisions: int = 3) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=subdivisions)
    return Mesh(torch.tensor(made.vertices).double(), torch.tensor(made.faces).long())


def sphere_points(count: int = 2000) -> PointCloud:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    x = torch.nn.functional.normalize(x, dim=1)
    return PointCloud(x, x)


def layout(name: Any = "sdf") -> ShapeLayout:
    # A radius of one half in coordinates.
    return ShapeLayout(frame=Frame(scale=2.0), quantity=implicit_kind(name))


def small_field() -> Field:
    generator = torch.Generator().manual_seed(0)
    grid = HashGrid(
        3,
        num_levels=4,
        log2_table_size=10,
        base_resolution=4,
        finest_resolution=16,
        generator=generator,
    )
    return Field(MLP(grid.out_dim, 1, width=16, depth=2, generator=generator), encoding=grid)


def exact(x: Tensor) -> Tensor:
    return x.double().norm(dim=1, keepdim=True) - 0.5


@pytest.mark.parametrize("shape", [ball(), sphere_points()], ids=["mesh", "points"])
@pytest.mark.parametrize("name", ["sdf", "tsdf", "occupancy", "udf"])
def test_samples_are_what_the_quantity_says(shape: Mesh | PointCloud, name: Any) -> None:
    samples = DistanceSamples(shape, layout(name), num_points=400)
    x, target = samples.batch(None, seed=0, step=0)
    wanted = implicit_kind(name).target(exact(x)[:, 0])[:, None]
    if name == "occupancy":
        clear = exact(x).abs() > 0.01
        assert (target.double() == wanted)[clear].all()
        assert 0 < target.mean() < 1
    else:
        scale = 0.1 if name == "tsdf" else 1
        # Facets lie within the sphere, and the nearest point is somewhat farther than the surface.
        assert (target - wanted).abs().max() * scale < 0.03
        assert (target - wanted).abs().mean() * scale < 0.003
    assert x.abs().max() <= 1


def test_samples_do_not_depend_on_who_asks_when() -> None:
    one, other = (DistanceSamples(ball(1), layout(), num_points=80) for _ in range(2))
    other.batch(9, seed=0, step=3)
    for a, b in zip(one.batch(9, seed=0, step=5), other.batch(9, seed=0, step=5), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.batch(9, seed=0, step=5)[0], one.batch(9, seed=0, step=6)[0])


def test_fingerprints_tell_shapes_quantities_and_frames_apart() -> None:
    mesh = ball(1)
    moved = Mesh(mesh.vertices + 1e-12, mesh.faces)
    turned = Mesh(mesh.vertices, mesh.faces.flip(1))
    cloud = sphere_points(9)
    shapes = [mesh, moved, turned, cloud, PointCloud(cloud.points)]
    assert len({shape_fingerprint(shape) for shape in shapes}) == len(shapes)
    signals = [DistanceSamples(mesh, layout(name)) for name in ("sdf", "udf")]
    signals.append(DistanceSamples(mesh, ShapeLayout(frame=Frame(scale=3.0))))
    assert len({signal.fingerprint() for signal in signals}) == 3


def test_points_without_normals_have_no_sides() -> None:
    bare = PointCloud(sphere_points(50).points)
    with pytest.raises(ValueError, match="expected normals for sdf"):
        DistanceSamples(bare, layout())
    _, target = DistanceSamples(bare, layout("udf"), num_points=80).batch(5, seed=0, step=0)
    assert (target >= 0).all()


def test_the_surface_between_points_is_found() -> None:
    cloud = sphere_points()
    x = torch.nn.functional.normalize(torch.randn(500, 3).double(), dim=1)
    radius = torch.linspace(0, 3, 500).double()[:, None]
    found, truth = PointDistance(cloud).signed(x * radius), radius[:, 0] - 1
    assert (found - truth).abs().max() < 0.05
    near = truth.abs() < 0.04
    assert (found - truth)[near].abs().mean() < 0.003
    assert ((found < 0) == (truth < 0))[truth.abs() > 0.01].all()
    # All turned inward, as a mesh that is inside out: the same, near and far.
    inward = PointDistance(PointCloud(cloud.points, -cloud.points))
    torch.testing.assert_close(inward.signed(x * radius), found)


def test_one_point_has_no_surface() -> None:
    point = PointCloud(torch.ones(1, 3).double())
    with pytest.raises(ValueError, match="two points"):
        PointDistance(point)


def test_a_hash_grid_learns_a_ball() -> None:
    field = small_field()
    untrained = shape_distance.accuracy(field, ball(), layout())
    constraint = shape_distance.distance_constraint(
        ball(), layout(), batch_size=2048, num_points=20_000
    )
    fit(field, constraint, steps=150, lr=1e-2)
    found = shape_distance.accuracy(field, ball(), layout())
    assert found["iou"] > 0.97 > untrained["iou"]
    assert found["surface_error"] < 0.01 < untrained["surface_error"]


def test_accuracy_of_the_truth_is_perfect() -> None:
    def truth(x: Tensor) -> Tensor:
        return exact(x)

    found = shape_distance.accuracy(truth, ball(5), layout())
    assert found["iou"] > 0.995
    assert found["surface_error"] < 1e-3
    assert shape_distance.accuracy(truth, ball(2), layout("udf")).keys() == {"surface_error"}
    occupied = shape_distance.accuracy(lambda x: -exact(x), ball(5), layout("occupancy"))
    assert occupied.keys() == {"iou"}
    assert occupied["iou"] > 0.995


def test_losses_of_shapes_are_zero_at_the_truth_and_the_formula_elsewhere() -> None:
    x = torch.nn.functional.normalize(torch.randn(7, 3).double(), dim=1)
    on = torch.cat([torch.zeros(7, 1).double(), x], dim=1)
    assert OnSurface()(on, on) == pytest.approx(0, abs=1e-9)
    wrong = torch.cat([torch.full((7, 1), -0.2).double(), -3 * x], dim=1)
    assert OnSurface()(wrong, on) == pytest.approx(3e3 * 0.2 + 1e2 * 2 + 5e1 * 2)
    assert OffSurface()(wrong, on) == pytest.approx(1e2 * torch.tensor(-20.0).exp() + 5e1 * 2)
    unturned = OnSurface(normal=0.0)(wrong, torch.zeros_like(on))
    assert unturned == pytest.approx(3e3 * 0.2 + 5e1 * 2)
    assert OnSurface(value=1.0).__name__ != OnSurface().__name__
    with pytest.raises(ValueError, match="expected normal"):
        OnSurface(normal=-1.0)


def test_relative_loss_and_cross_entropy() -> None:
    target = torch.tensor([[0.0], [0.99]])
    assert losses.relative_l1(target + 0.01, target) == pytest.approx((1 + 0.01) / 2)
    logits, inside = torch.tensor([[2.0], [-1.0]]), torch.tensor([[1.0], [0.0]])
    chance = logits.sigmoid()
    by_hand = -(inside * chance.log() + (1 - inside) * (1 - chance).log()).mean()
    assert losses.binary_cross_entropy(logits, inside) == pytest.approx(float(by_hand))


def test_value_and_gradient_are_those_of_the_field() -> None:
    field = Field(Siren(3, 1, width=16, depth=2)).double()
    x = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    value = field(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    found = ValueAndGradient()(field, x)
    torch.testing.assert_close(found, torch.cat([value, slope], dim=1))
    with pytest.raises(ValueError, match="one value"):
        ValueAndGradient()(Field(Siren(3, 2, width=16, depth=2)), torch.rand(5, 3))


def test_resumed_fits_are_equal_bit_by_bit(tmp_path: Path) -> None:
    def train(steps: int, resume: bool) -> Field:
        field = small_field()
        constraint = shape_distance.distance_constraint(
            ball(1), layout(), batch_size=64, num_points=800
        )
        kept = tmp_path / "run.checkpoint"
        fit(
            field,
            constraint,
            steps=steps,
            lr=1e-2,
            schedule=lambda done: 1.0,
            checkpointing=Checkpointing(path=kept, resume=resume),
        )
        return field

    whole = train(6, False)
    train(3, False)
    again = train(6, True)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_the_shape_does_not_have_counts_wherever_it_is() -> None:
    def with_another(x: Tensor) -> Tensor:
        """The ball, 0.5 here, and one as large in a corner of the box."""
        centres = (x.new_zeros(3), x.new_full((3,), 0.49))
        near, far = ((x - c).norm(dim=-1, keepdim=True) - 0.5 for c in centres)
        return torch.minimum(near, far)

    one = shape_distance.accuracy(lambda x: x.norm(dim=-1, keepdim=True) - 0.5, ball(), layout())
    two = shape_distance.accuracy(with_another, ball(), layout())
    assert one["iou"] > 0.98
    # Balls of radius r whose middles are d apart share pi (4 r + d) (2 r - d)^2 / 12.
    d = 0.49 * 3**0.5
    shared = (2 + d) * (1 - d) ** 2 / 12 / (4 / 3 * 0.5**3)
    assert two["iou"] == pytest.approx(1 / (2 - shared), abs=0.02)


def test_four_constraints_are_those_of_the_paper_with_their_gradients() -> None:
    """Written out by hand: two layers of sines, and autograd for everything."""
    field = Field(Siren(3, 1, width=8, depth=2)).double()
    x, normal = torch.rand(6, 3).double(), torch.randn(6, 3).double()
    normal = normal / normal.square().sum(1, keepdim=True).sqrt()
    target = torch.cat([torch.zeros(6, 1).double(), normal], dim=1)
    parameters = list(field.parameters())

    def by_hand(on: bool) -> Tensor:
        (a, b, c), (d, e, g) = parameters[0::2], parameters[1::2]
        places = x.clone().requires_grad_()
        hidden = torch.sin(30 * (places @ a.T + d))
        value = (torch.sin(30 * (hidden @ b.T + e)) @ c.T + g)[:, 0]
        (slope,) = torch.autograd.grad(value.sum(), places, create_graph=True)
        steepness = slope.square().sum(1).sqrt()
        cosine = (slope * normal).sum(1) / steepness
        surface = 3e3 * value.abs() + 1e2 * (1 - cosine)
        loss = surface if on else 1e2 * torch.exp(-1e2 * value.abs())
        return (loss + 5e1 * (steepness - 1).abs()).mean()

    for loss, on in ((OnSurface(), True), (OffSurface(), False)):
        found, truth = loss(ValueAndGradient()(field, x), target), by_hand(on)
        torch.testing.assert_close(found, truth, rtol=1e-12, atol=0)
        for one, other in zip(
            torch.autograd.grad(found, parameters),
            torch.autograd.grad(truth, parameters),
            strict=True,
        ):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
