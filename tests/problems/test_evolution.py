"""Moving surfaces against closed forms, most of them in the plane."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from neurafield.derivatives import Derivatives
from neurafield.domains import Box
from neurafield.errors import SignalError
from neurafield.fit import Constraint, fit, gauss_newton
from neurafield.maps import level_set
from neurafield.problems import _flow, mean_curvature, transport
from neurafield.problems._flow import constraints, morph_constraints
from neurafield.problems._moving import at_time
from neurafield.problems._velocities import AbstractVelocity, Rotation, Vortex
from neurafield.problems.evolution import Plan
from neurafield.signals import Interior, NearSurface, near_blend, near_shape, near_surface
from neurafield.surfaces import Region, region, roundness

R = 0.7


def ball(x: Tensor) -> Tensor:
    return x.norm(dim=1, keepdim=True) - R


def egg(x: Tensor) -> Tensor:
    return ball(x * x.new_tensor([0.9, 1.5])) / 1.2


def square(x: Tensor) -> Tensor:
    return x.abs().amax(1, keepdim=True) - 0.5


def points(count: int, dim: int) -> Tensor:
    g = torch.Generator().manual_seed(3)
    return 2 * torch.rand(count, dim, generator=g, dtype=torch.float64) - 1


def shrinking(dim: int, speed: float) -> Callable[[Tensor], Tensor]:
    """A ball's level-set function with r^2 less by `speed` in the whole time."""

    def field(x: Tensor) -> Tensor:
        squared = x[..., :dim].square().sum(-1, keepdim=True)
        return (squared + speed * (x[..., dim:] + 1) / 2).sqrt() - R

    return field


def radius_errors(field: Callable[[Tensor], Tensor], dim: int) -> list[float]:
    """Relative, of the mean radius, until it is a third; by bisection in 64 directions."""
    g = torch.Generator().manual_seed(1)
    ways = torch.nn.functional.normalize(torch.randn(64, dim, generator=g), dim=1)
    errors = []
    for part in np.linspace(0, 1, 9):
        low, high = torch.full((64, 1), 0.02), torch.full((64, 1), 0.98)
        for _ in range(30):
            middle = (low + high) / 2
            x = torch.cat([ways * middle, torch.full((64, 1), 2 * part - 1)], dim=1)
            with torch.no_grad():
                outside = field(x) > 0
            high, low = torch.where(outside, middle, high), torch.where(outside, low, middle)
        errors.append(abs(float(low.mean()) / (R * math.sqrt(1 - part * 8 / 9)) - 1))
    return errors


def shrunk(dim: int, plan: Plan) -> float:
    duration = R**2 * 8 / 9 / (2 * (dim - 1))
    field = plan.field(dim, 0)
    problem = constraints(field, ball, level_set.mean_curvature_residual(duration), plan)
    fit(field, problem, steps=plan.steps, optimizer=gauss_newton)
    return max(radius_errors(field, dim))


@pytest.mark.slow
def test_a_circle_shrinks_as_it_must() -> None:
    assert shrunk(2, Plan(width=24, num_points=1000, steps=20)) < 0.02


def test_another_speed_would_be_seen() -> None:
    assert max(radius_errors(shrinking(2, R**2 * 8 / 9), 2)) < 1e-6
    assert max(radius_errors(shrinking(2, R**2 * 0.85), 2)) > 0.1


@pytest.mark.slow
def test_a_sphere_shrinks_as_it_must() -> None:
    assert shrunk(3, Plan()) < 0.02


@pytest.mark.parametrize("dim", [2, 3])
def test_mean_curvature_is_that_of_the_definition(dim: int) -> None:
    def bumpy(x: Tensor) -> Tensor:
        return (x * x.new_tensor([1.3, -0.7, 1.9, 0.4][: dim + 1])).sin().sum(-1, True) + x[
            ..., :1
        ] * x[..., 1:2] * (1 + x[..., -1:])

    x = points(7, dim + 1).requires_grad_()
    slope = torch.autograd.grad(bumpy(x).sum(), x, create_graph=True)[0]
    normal = slope[:, :dim] / slope[:, :dim].norm(dim=1, keepdim=True)
    divergence = sum(
        torch.autograd.grad(normal[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(dim)
    )
    expected = 2 * slope[:, -1] - 0.3 * slope[:, :dim].norm(dim=1) * divergence
    found = level_set.mean_curvature_residual(0.3)(Derivatives(bumpy, x), x)[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_the_shrinking_ball_obeys_the_equation() -> None:
    x = points(50, 4)
    for speed, holds in ((4 * 0.1, True), (2 * 0.1, False)):
        residual = level_set.mean_curvature_residual(0.1)
        left = residual(Derivatives(shrinking(3, speed), x), x).abs().max()
        assert bool(left < 2e-3) == holds


@pytest.mark.parametrize("velocity", [Rotation(0.3), Vortex(0.7)], ids=["rotation", "vortex"])
def test_the_way_back_is_that_of_the_velocity(velocity: AbstractVelocity) -> None:
    x = 0.9 * points(20, 2)
    at = velocity.origin(x, 0.4)
    # Forward again, by another method with many steps.
    for step in range(400):
        at = at + 1e-3 * velocity(at, torch.full_like(at[:, :1], (step + 0.5) * 1e-3))
    torch.testing.assert_close(at, x, rtol=0, atol=5e-3)
    assert not torch.allclose(velocity.origin(x, 0.4), x, atol=0.05)


def test_the_vortex_comes_back_and_keeps_volumes() -> None:
    x = 0.9 * points(20, 2)
    torch.testing.assert_close(Vortex().origin(x, 1.0), x, rtol=0, atol=1e-4)
    s = torch.full((20, 1), 0.2, dtype=torch.float64)
    moved = torch.func.vmap(torch.func.jacrev(lambda p: Vortex()(p[None], s[:1])[0]))(x)
    assert moved.diagonal(dim1=1, dim2=2).sum(1).abs().max() < 1e-9


def test_what_is_carried_obeys_the_transport() -> None:
    turned, x = Rotation(0.25), points(40, 3)

    def carried(sign: float) -> Callable[[Tensor], Tensor]:
        def field(x: Tensor) -> Tensor:
            angle = sign * math.pi / 2 * (x[..., 2] + 1) / 2
            a = angle.cos() * x[..., 0] + angle.sin() * x[..., 1]
            b = angle.cos() * x[..., 1] - angle.sin() * x[..., 0]
            return (a.square() + 3 * b.square())[..., None]

        return field

    residual = level_set.transport_residual(turned)
    assert residual(Derivatives(carried(1.0), x), x).abs().max() < 1e-9
    assert residual(Derivatives(carried(-1.0), x), x).abs().max() > 0.1


def solved(problem: list[Constraint], field: torch.nn.Module, steps: int) -> None:
    fit(field, problem, steps=steps, optimizer=gauss_newton)


def test_a_turned_body_keeps_its_volume() -> None:
    plan = Plan(width=20, num_points=800)
    field, velocity = plan.field(2, 0), Rotation()
    solved(constraints(field, egg, level_set.transport_residual(velocity), plan), field, 20)
    whole = Region.of(egg, 2).volume
    for tau in (-1.0, 0.0, 1.0):
        found = Region.of(at_time(field, tau), 2)
        moved = Region.of(lambda x, s=(tau + 1) / 2: egg(velocity.origin(x, s)), 2)
        assert found.volume == pytest.approx(whole, rel=0.02)
        assert found.overlap(moved) > 0.95
    # An egg that is not turned would be seen.
    assert moved.overlap(Region.of(egg, 2)) < 0.75


@pytest.mark.slow
def test_a_morph_begins_and_ends_with_its_shapes() -> None:
    plan = Plan(width=24, num_points=800)
    field = plan.field(2, 0)
    solved(morph_constraints(ball, square, 2, plan), field, 20)
    for shape, tau in ((ball, -1.0), (square, 1.0)):
        assert Region.of(at_time(field, tau), 2).overlap(Region.of(shape, 2)) > 0.94
    assert Region.of(ball, 2).overlap(Region.of(square, 2)) < 0.75


def test_between_planes_the_morph_is_the_blend() -> None:
    def moving(power: int) -> Callable[[Tensor], Tensor]:
        return lambda x: x[..., :1] - 0.5 * ((x[..., 3:] + 1) / 2) ** power

    x = points(9, 4)
    query = torch.cat([x, x[:, :1] - 0.5], dim=1)
    assert level_set.Towards()(moving(1), query).abs().max() < 1e-4
    assert level_set.Towards()(moving(2), query).abs().max() > 0.05


@pytest.mark.parametrize("dim", [2, 3])
def test_volumes_and_areas(dim: int) -> None:
    found = Region.of(ball, dim)
    area, volume = (2 * math.pi * R, math.pi * R**2) if dim == 2 else (4 * math.pi * R**2, 1.43676)
    assert found.volume == pytest.approx(volume, rel=3e-3)
    assert found.area == pytest.approx(area, rel=5e-3)
    steep = Region.of(lambda x: 5 * ball(x), dim)
    assert steep.volume == pytest.approx(found.volume, rel=1e-3)
    if dim == 3:
        assert roundness(found.volume, found.area) == pytest.approx(1.0, abs=0.02)
        cube = Region.of(square, 3)
        assert roundness(cube.volume, cube.area) == pytest.approx(math.pi / 6, abs=0.03)


def test_points_follow_the_surface() -> None:
    level = {"at": 0.5}

    def plane(x: Tensor) -> Tensor:
        return x[:, :1] - level["at"]

    signal = NearSurface(Interior(Box.cube(3)), plane, 0.1, hold=5)
    x, target = signal.batch(400, seed=0, step=0)
    assert x.shape == (400, 3)
    assert not target.any()
    near = (x[:, 0] - 0.5).abs() < 0.2
    assert 0.55 < near.double().mean() < 1.0
    level["at"] = -0.5
    assert torch.equal(signal.batch(400, seed=0, step=4)[0], x)
    moved = signal.batch(400, seed=0, step=5)[0]
    assert ((moved[:, 0] + 0.5).abs() < 0.2).double().mean() > 0.55


def test_the_start_is_asked_near_the_surface() -> None:
    found = near_shape(ball, 3, spread=0.1, count=500)
    assert found.coords.shape == (500, 4)
    assert (found.coords[:, 3] == -1).all()
    torch.testing.assert_close(found.targets, ball(found.coords[:, :3]))
    assert (found.targets.abs() < 0.2).double().mean() > 0.55


def test_what_a_solution_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region, "CELLS", 16)
    monkeypatch.setattr(near_surface, "_KNOWN", 2000)
    monkeypatch.setattr(_flow, "pictures", lambda *_: [])
    found = mean_curvature(ball, plan=Plan(width=8, num_points=150, steps=3))
    assert found.signal is not None
    assert found.signal["times"] == [0.0, pytest.approx(0.75 * R**2 / 4, rel=0.02)]
    assert len(found.figures["volumes"]) == len(found.figures["times"]) == 9
    turned = transport(ball, velocity="vortex", plan=Plan(width=8, num_points=150, steps=3))
    assert turned.figures["least_iou"] <= turned.figures["ious"][0] <= 1


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="expected velocity rotation or vortex, got wind"):
        transport(ball, velocity="wind")
    with pytest.raises(SignalError, match="expected a shape with an inside"):
        mean_curvature(lambda x: ball(x).abs() + 1)
    with pytest.raises(ValueError, match="duration"):
        mean_curvature(ball, duration=-1.0)
    with pytest.raises(ValueError, match="width"):
        Plan(width=0)


def test_points_near_a_blend_are_chosen_by_their_own_counter() -> None:
    """By hand: six candidates per point, weights from the blend, chances from Philox at step 1."""
    small, large = (lambda x, r=r: x.norm(dim=1, keepdim=True) - r for r in (0.4, 0.7))
    found = near_blend(small, large, 3, spread=0.15, count=50)
    scramble = int(np.random.SeedSequence([0, 1]).generate_state(1)[0])
    engine = torch.quasirandom.SobolEngine(4, scramble=True, seed=scramble)
    x = 2 * engine.draw(300, dtype=torch.float64) - 1
    goal = large(x[:, :3].float())[:, 0].double()
    done = (x[:, 3] + 1) / 2
    blend = (1 - done) * small(x[:, :3].float())[:, 0].double() + done * goal
    u = np.random.Generator(np.random.Philox(key=0, counter=[0, 0, 0, 1])).random(300)
    weights = (-((blend / 0.15) ** 2)).exp() + 0.03
    kept = set((-torch.from_numpy(u).log() / weights).argsort()[:50].tolist())
    expected = torch.cat([x, goal[:, None]], dim=1).float()
    assert {tuple(row) for row in found.coords.tolist()} == {
        tuple(expected[index].tolist()) for index in kept
    }
