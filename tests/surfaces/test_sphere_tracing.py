"""Sphere tracing against intersections in closed form, and against roots of polynomials."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from neurafield.geometry import Camera, Rays
from neurafield.surfaces import DistanceGrid, attached_depth, measured_slope, trace
from neurafield.surfaces.sphere_tracing import Hits

Function = Callable[[Tensor], Tensor]


def ball(x: Tensor) -> Tensor:
    return x.norm(dim=-1, keepdim=True) - 0.7


def torus(x: Tensor) -> Tensor:
    around = x[..., :2].norm(dim=-1) - 0.6
    return (around.square() + x[..., 2].square()).sqrt()[..., None] - 0.25


def block(x: Tensor) -> Tensor:
    away = x.abs() - x.new_tensor([0.5, 0.3, 0.7])
    outside = away.clamp(min=0).norm(dim=-1)
    return (outside + away.amax(-1).clamp(max=0))[..., None]


def ball_depth(rays: Rays) -> Float[Tensor, " n"]:
    b = (rays.origins * rays.directions).sum(-1)
    root = b * b - rays.origins.square().sum(-1) + 0.7**2
    ends = torch.stack([-b - root.sqrt(), -b + root.sqrt()])
    return torch.where(ends >= 0, ends, math.inf).nan_to_num(nan=math.inf, posinf=math.inf).amin(0)


def block_depth(rays: Rays) -> Float[Tensor, " n"]:
    """Six planes, and the first place on one of them that is on the block."""
    best = torch.full_like(rays.origins[:, 0], math.inf)
    half = (0.5, 0.3, 0.7)
    for axis in range(3):
        for side in (-1, 1):
            t = (side * half[axis] - rays.origins[:, axis]) / rays.directions[:, axis]
            x = rays.origins + t[:, None] * rays.directions
            others = [other for other in range(3) if other != axis]
            on = torch.stack([x[:, other].abs() <= half[other] for other in others]).all(0)
            best = torch.where(on & (t >= 0) & (t < best), t, best)
    return best


def torus_depth(rays: Rays) -> Float[Tensor, " n"]:
    """(|x|^2 + R^2 - r^2)^2 = 4 R^2 (x^2 + y^2), a quartic along a ray."""
    found = []
    for o, d in zip(rays.origins.numpy(), rays.directions.numpy(), strict=True):
        whole = np.polynomial.Polynomial([o @ o + 0.6**2 - 0.25**2, 2 * o @ d, 1.0])
        flat = np.polynomial.Polynomial([o[:2] @ o[:2], 2 * o[:2] @ d[:2], d[:2] @ d[:2]])
        roots = (whole**2 - 4 * 0.6**2 * flat).roots()
        real = roots[(abs(roots.imag) < 1e-9) & (roots.real >= 0)].real
        found.append(real.min() if len(real) else math.inf)
    return torch.tensor(found, dtype=torch.float64)


def some_rays(count: int = 300, *, distance: float = 3.0) -> Rays:
    """From all around toward places in the box; none of them along an axis."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.nn.functional.normalize(
        torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=-1
    )
    targets = 1.6 * torch.rand(count, 3, generator=generator, dtype=torch.float64) - 0.8
    toward = targets - distance * origins
    return Rays(distance * origins, torch.nn.functional.normalize(toward, dim=-1))


def check_hits(hits: Hits, rays: Rays, depth: Float[Tensor, " n"], tolerance: float) -> None:
    assert (hits.hit == depth.isfinite()).all()
    assert (hits.depth == math.inf).equal(~hits.hit)
    expected = depth[hits.hit].to(hits.depth)
    assert_close(hits.depth[hits.hit], expected, atol=tolerance, rtol=0)
    points = rays.origins[hits.hit] + expected[:, None] * rays.directions[hits.hit]
    assert_close(hits.points[hits.hit], points, atol=2 * tolerance, rtol=0)
    assert not hits.points[~hits.hit].any()
    assert not hits.normals[~hits.hit].any()


@pytest.mark.parametrize(
    ("function", "depth"),
    [(ball, ball_depth), (torus, torus_depth), (block, block_depth)],
    ids=["ball", "torus", "block"],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-5)])
@pytest.mark.parametrize("slope", [1.0, 1.7, None])
def test_closed_forms(
    function: Function,
    depth: Callable[[Rays], Tensor],
    dtype: torch.dtype,
    tolerance: float,
    slope: float | None,
) -> None:
    rays = some_rays()
    expected = depth(rays)
    # Some of them hit, some do not.
    assert 30 < int(expected.isfinite().sum()) < 290
    given = Rays(rays.origins.to(dtype), rays.directions.to(dtype))
    check_hits(trace(function, given, slope=slope), given, expected, tolerance)


def test_check_hits_can_fail() -> None:
    rays = some_rays()
    hits = trace(ball, rays)
    with pytest.raises(AssertionError):
        check_hits(hits, rays, ball_depth(rays) + 1e-9, 1e-11)
    with pytest.raises(AssertionError):
        check_hits(hits, rays, torch.full_like(hits.depth, math.inf), 1e-11)


def test_normals_are_those_of_the_shape() -> None:
    rays = some_rays()
    hits = trace(ball, rays)
    assert_close(hits.normals[hits.hit], hits.points[hits.hit] / 0.7)
    hits = trace(block, rays)
    # Outward, along one axis.
    assert_close(hits.normals.abs().amax(-1), hits.hit.double())
    assert ((hits.normals * rays.directions).sum(-1)[hits.hit] < 0).all()


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: 50 * torch.tanh(ball(x)), 50.0),  # Like a logit.
        (lambda x: (ball(x) / 0.1).clamp(-1, 1), 10.0),  # A truncated distance.
        (lambda x: x.square().sum(-1, keepdim=True) - 0.49, 2 * 3**0.5),
        (lambda x: ball(x) * (1.5 + torch.sin(9 * x[..., :1])), 10.0),
    ],
    ids=["logit", "tsdf", "squared", "wavy"],
)
@pytest.mark.parametrize("measured", [True, False])
def test_fields_that_are_no_distances(function: Function, slope: float, measured: bool) -> None:
    rays = some_rays()
    check_hits(
        trace(function, rays, slope=None if measured else slope), rays, ball_depth(rays), 1e-9
    )


def test_rays_that_graze() -> None:
    beside = torch.tensor([-1e-2, -1e-3, -1e-4, -1e-5, 1e-6, 1e-5, 1e-4, 1e-3]).double()
    origins = torch.stack([0.7 + beside, torch.zeros(8), torch.full((8,), -3.0)], -1).double()
    rays = Rays(origins, torch.tensor([0.0, 0.0, 1.0]).double().expand(8, 3))
    hits = trace(ball, rays, slope=1.0)
    assert hits.hit.tolist() == [True] * 4 + [False] * 4
    assert_close(hits.depth[:4], ball_depth(rays)[:4], atol=1e-8, rtol=0)


def test_a_camera_in_the_shape_sees_its_wall_from_within() -> None:
    rays = some_rays(distance=0.2)
    hits = trace(ball, rays)
    assert hits.hit.all()
    check_hits(hits, rays, ball_depth(rays), 1e-11)
    assert ((hits.normals * rays.directions).sum(-1) > 0).all()


def shell(x: Tensor) -> Tensor:
    """A ball's surface, 4e-4 thick."""
    return ball(x).abs() - 2e-4


def test_thin_shells_are_met_on_their_outside() -> None:
    rays = some_rays()
    hits = trace(shell, rays, slope=1.0)
    outer = Rays(rays.origins / (0.7002 / 0.7), rays.directions)
    check_hits(hits, rays, ball_depth(outer) * (0.7002 / 0.7), 1e-9)


def test_with_too_small_a_slope_thin_shells_are_missed() -> None:
    rays = some_rays()
    reached = trace(shell, rays, slope=1.0).hit.sum()
    assert trace(shell, rays, slope=0.5).hit.sum() < 0.5 * reached
    # What is thick is still met, by its change of sign, and at the same place.
    check_hits(trace(ball, rays, slope=0.7), rays, ball_depth(rays), 1e-11)


def test_an_unsigned_distance_is_met_at_a_level() -> None:
    rays = some_rays()
    hits = trace(lambda x: ball(x).abs(), rays, level=0.01)
    outer = Rays(rays.origins / (0.71 / 0.7), rays.directions)
    check_hits(hits, rays, ball_depth(outer) * (0.71 / 0.7), 1e-11)


def test_nothing_outside_the_box_is_met() -> None:
    # A plane at z = 1.5, a ray beside the box, one away from it.
    origins = torch.tensor([[0.0, 0, 3], [0, 3, 0.5], [0, 0, -2]]).double()
    directions = torch.tensor([[0.0, 0, -1], [0, 0, -1], [0, 0, -1]]).double()
    rays = Rays(origins, directions)
    assert not trace(lambda x: x[..., 2:] - 1.5, rays, slope=1.0).hit.any()
    hits = trace(lambda x: x[..., 2:] - 0.5, rays, slope=1.0)
    assert hits.hit.tolist() == [True, False, False]


@pytest.mark.parametrize("slope", [1.0, None])
@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (0, 2)])
def test_any_number_of_rays(shape: tuple[int, ...], slope: float | None) -> None:
    origins = torch.tensor([0.1, 0.2, -3.0]).expand(*shape, 3)
    rays = Rays(origins, torch.tensor([0.0, 0.0, 1.0]).expand(*shape, 3))
    hits = trace(ball, rays, slope=slope)
    assert hits.depth.shape == hits.hit.shape == shape
    assert hits.points.shape == hits.normals.shape == (*shape, 3)
    assert hits.hit.all()


def test_nan_is_nothing() -> None:
    rays = some_rays(20)
    assert not trace(lambda x: ball(x) * math.nan, rays, slope=1.0).hit.any()
    assert not trace(lambda x: ball(x) * math.nan, rays).hit.any()


@pytest.mark.parametrize("distance", [1e4, 1e6])
def test_from_afar_places_are_as_exact(distance: float) -> None:
    rays = Rays(torch.tensor([[0.25, 0.0, -distance]]), torch.tensor([[0.0, 0.0, 1.0]]))
    for distance_grid in (None, DistanceGrid.of(ball, slope=1.0)):
        hits = trace(ball, rays, slope=1.0, distance_grid=distance_grid)
        assert_close(hits.points, torch.tensor([[0.25, 0.0, -math.sqrt(0.7**2 - 0.25**2)]]))
        assert_close(hits.depth, distance + hits.points[:, 2])


def test_what_stays_near_for_too_long_is_nothing() -> None:
    rays = some_rays(20)
    assert not trace(ball, rays, slope=1.0, max_steps=1).hit.any()


def test_settings_are_checked() -> None:
    for wrong in ({"slope": 0.0}, {"slope": math.nan}, {"max_steps": 0}):
        with pytest.raises(ValueError, match="expected"):
            trace(ball, some_rays(3), **wrong)
    with pytest.raises(ValueError, match="cells"):
        DistanceGrid.of(ball, slope=1.0, cells=0)


# ---- What is free of the surface


@pytest.mark.parametrize("function", [ball, torus, block], ids=["ball", "torus", "block"])
def test_free_cells_change_nothing_but_the_cost(function: Function) -> None:
    asked = [0]

    def counted(x: Tensor) -> Tensor:
        asked[0] += len(x)
        return function(x)

    rays = some_rays()
    plain = trace(counted, rays, slope=1.2)
    cost, asked[0] = asked[0], 0
    distance_grid = DistanceGrid.of(function, slope=1.2, dtype=torch.float64)
    hits = trace(counted, rays, slope=1.2, distance_grid=distance_grid)
    assert asked[0] < 0.8 * cost
    assert hits.hit.equal(plain.hit)
    assert_close(hits.depth, plain.depth, atol=1e-11, rtol=0)


def test_a_wrong_distance_grid_is_noticed() -> None:
    rays = some_rays()
    wrong = DistanceGrid(DistanceGrid.of(ball, slope=1.0).free.double() + 0.3)
    assert not trace(ball, rays, slope=1.0, distance_grid=wrong).hit.equal(trace(ball, rays).hit)


def test_the_ball_around_the_surface() -> None:
    assert 0.7 <= DistanceGrid.of(ball, slope=1.0).radius < 0.77
    assert 0.85 <= DistanceGrid.of(torus, slope=1.0).radius < 0.92
    assert DistanceGrid.of(lambda x: ball(x) + 9, slope=1.0).radius == 0


def rough(x: Tensor) -> Tensor:
    return ball(x) + 0.02 * torch.sin(300 * x[..., :1]) * (ball(x) > 0.7)


def test_measured_slopes() -> None:
    assert 1.0 <= measured_slope(ball) <= 1.2501
    assert measured_slope(lambda x: 40 * ball(x)) == pytest.approx(40 * measured_slope(ball))
    assert 10 <= measured_slope(lambda x: (ball(x) / 0.1).clamp(-1, 1)) <= 12.51
    # No surface at all, nor any slope.
    assert measured_slope(lambda x: 1 + 0 * x[..., :1]) == 1.0
    # Steep at some distance, up to 7, which says little of how near the surface is.
    assert measured_slope(rough) < 1.6


# ---- Derivatives of the depth


def test_the_depth_of_a_ball_by_its_radius_and_by_the_ray() -> None:
    rays = some_rays()

    def depths(values: Tensor) -> Tensor:
        radius, shift = values[0], values[1:]
        moved = Rays(rays.origins + shift, rays.directions)
        with torch.no_grad():
            hits = trace(lambda x: x.norm(dim=-1, keepdim=True) - radius, moved, slope=1.0)
        found = attached_depth(lambda x: x.norm(dim=-1, keepdim=True) - radius, moved, hits)
        return found[hits.hit]

    def closed(values: Tensor) -> Tensor:
        origins, directions = rays.origins + values[1:], rays.directions
        b = (origins * directions).sum(-1)
        root = b * b - origins.square().sum(-1) + values[0] ** 2
        return -b[root > 0] - root[root > 0].sqrt()

    at = torch.tensor([0.7, 0.0, 0.0, 0.0]).double()
    assert_close(depths(at), closed(at), atol=1e-10, rtol=0)
    weights = torch.linspace(-1, 1, len(closed(at))).double()
    a, b = at.clone().requires_grad_(), at.clone().requires_grad_()
    (weights * depths(a)).sum().backward()
    (weights * closed(b)).sum().backward()
    assert_close(a.grad, b.grad)


def test_an_attached_depth_leaves_misses_alone() -> None:
    rays = some_rays()
    hits = trace(ball, rays)
    radius = torch.tensor(0.7, requires_grad=True, dtype=torch.float64)
    depth = attached_depth(lambda x: x.norm(dim=-1, keepdim=True) - radius, rays, hits)
    assert_close(depth, hits.depth)
    depth[hits.hit].sum().backward()
    assert radius.grad.isfinite()


def test_a_camera_and_its_depth() -> None:
    camera = Camera.orbit(20.0, 10.0, 3.0, size=(9, 9))
    hits = trace(ball, camera.rays(torch.tensor([4.5, 4.5]).double()))
    assert hits.depth.item() == pytest.approx(2.3)
