"""Domains: distances against brute force, points that fill what they should, normals, errors."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from neurafield.domains import AbstractDomain, Ball, Box, Difference, Intersection, Union

BOX = Box((-1.0, 0.0), (0.5, 3.0))
DISC = Ball((0.3, -0.2), 0.7)
L_SHAPE = Box.cube(2) - Box((0.0, 0.0), (1.0, 1.0))
DOMAINS = {
    "interval": Box((0.25,), (2.0,)),
    "box": BOX,
    "box 3-d": Box((-1.0, 0.0, 2.0), (0.5, 3.0, 2.5)),
    "disc": DISC,
    "ball": Ball((0.3, -0.2, 1.0), 0.7),
    "ball 1-d": Ball((0.5,), 0.25),
    "union": Box.cube(2) | Ball((1.0, 0.0), 0.8),
    "l-shape": L_SHAPE,
    "ring": Ball((0.0, 0.0), 1.0) - Ball((0.2, 0.0), 0.4),
    "lens": Ball((-0.4, 0.0), 1.0) & Ball((0.4, 0.0), 1.0),
    "of three": (Box.cube(2) - DISC) | Ball((-1.0, -1.0), 0.3),
}


def uniform(seed: int = 0) -> Callable[[int, int], Tensor]:
    rng = np.random.default_rng(seed)
    return lambda n, k: torch.from_numpy(rng.random((n, k)))


@pytest.fixture(params=DOMAINS, ids=str)
def domain(request: pytest.FixtureRequest) -> AbstractDomain:
    return DOMAINS[request.param]


def around(domain: AbstractDomain, count: int = 4001) -> Tensor:
    """Points in and around a domain."""
    low, high = (torch.tensor(corner, dtype=torch.float64) for corner in domain.bounds)
    return low + (high - low) * (1.5 * uniform(1)(count, domain.dim) - 0.25)


# ---- distances


def check_distance(domain: AbstractDomain, distance: Callable[[Tensor], Tensor], exact: bool):
    """Against the nearest of many points of the boundary."""
    x = around(domain, 211)
    surface = domain.boundary(40_000, uniform(2))
    nearest = torch.cdist(x, surface).amin(1)
    got = distance(x)
    assert torch.equal(got <= 0, domain.contains(x))
    assert (got.abs() <= nearest + 1e-9).all(), "at most the distance"
    # The nearest of the drawn points is a little farther away than the nearest of all.
    gap = 0.01 if domain.dim < 3 else 0.1
    if exact:
        assert (got.abs() >= nearest - gap).all()


def test_signed_distance(domain: AbstractDomain) -> None:
    check_distance(domain, domain.signed_distance, exact=isinstance(domain, Box | Ball))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: -BOX.signed_distance(x),
        lambda x: 1.1 * BOX.signed_distance(x),
        lambda x: 0.9 * BOX.signed_distance(x),
    ],
)
def test_check_distance_can_fail(wrong: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(AssertionError):
        check_distance(BOX, wrong, exact=True)


def test_signed_distance_in_closed_form() -> None:
    x = torch.tensor([[0.0, 1.0], [-0.9, 1.0], [0.5, 3.0], [2.5, 1.0], [3.5, 7.0]])
    torch.testing.assert_close(BOX.signed_distance(x), torch.tensor([-0.5, -0.1, 0.0, 2.0, 5.0]))


def test_the_factor_has_the_sign_and_is_zero_on_the_boundary(domain: AbstractDomain) -> None:
    x = around(domain)
    inside = domain.signed_distance(x) < -1e-6
    outside = domain.signed_distance(x) > 1e-6
    assert (domain.distance_factor(x[inside]) > 0).all()
    assert (domain.distance_factor(x[outside]) < 0).all()
    surface = domain.boundary(500, uniform())
    torch.testing.assert_close(
        domain.distance_factor(surface), surface.new_zeros(500), atol=1e-7, rtol=0
    )


def test_the_factor_is_smooth_inside_and_finite_everywhere(domain: AbstractDomain) -> None:
    """Its slope by autograd is that of differences, and no number is NaN, in corners neither."""
    x = domain.interior(300, uniform())
    x = x[domain.signed_distance(x) < -0.02].requires_grad_()
    (slope,) = torch.autograd.grad(domain.distance_factor(x).sum(), x)
    for axis in range(domain.dim):
        h = torch.zeros_like(x)
        h[:, axis] = 1e-5
        difference = (domain.distance_factor(x + h) - domain.distance_factor(x - h)) / 2e-5
        torch.testing.assert_close(slope[:, axis], difference, atol=1e-6, rtol=1e-5)
    low, high = domain.bounds
    corners = torch.tensor([low, high, [0.0] * domain.dim], requires_grad=True)
    (slope,) = torch.autograd.grad(domain.distance_factor(corners).sum(), corners)
    assert slope.isfinite().all()


# ---- points


def check_uniform(points: Tensor, measure: Callable[[Tensor], Tensor]) -> None:
    """A one-dimensional measure of the points is uniform in [0, 1] (Kolmogorov-Smirnov)."""
    assert scipy.stats.kstest(measure(points).numpy(), "uniform").pvalue > 1e-3


def test_interior_points_are_uniform() -> None:
    disc = DISC.interior(5000, uniform())
    centre = torch.tensor(DISC.centre)
    check_uniform(disc, lambda x: (x - centre).square().sum(-1) / DISC.radius**2)
    check_uniform(BOX.interior(5000, uniform()), lambda x: x[:, 1] / 3)
    shape = L_SHAPE.interior(6000, uniform())
    quarter = ((shape[:, 0] > 0) & (shape[:, 1] < 0)).double().mean()
    assert quarter == pytest.approx(1 / 3, abs=0.03)
    with pytest.raises(AssertionError):
        check_uniform(disc, lambda x: (x - centre).norm(dim=-1) / DISC.radius)


def test_surface_points_are_uniform() -> None:
    ball = Ball((0.0, 0.0, 0.0), 2.0)
    # The height on a sphere is uniform (Archimedes); the angle on a circle.
    check_uniform(ball.boundary(5000, uniform()), lambda x: (x[:, 2] + 2) / 4)
    circle = Ball((0.0, 0.0), 1.0).boundary(5000, uniform())
    check_uniform(circle, lambda x: (torch.atan2(x[:, 1], x[:, 0]) / math.pi + 1) / 2)
    faces = BOX.boundary(9000, uniform())
    # Two edges of 1.5 and two of 3.
    ends = ((faces[:, 1] == 0) | (faces[:, 1] == 3)).double().mean()
    assert ends == pytest.approx(1 / 3, abs=0.02)
    check_uniform(faces[faces[:, 0] == 0.5], lambda x: x[:, 1] / 3)


def test_surfaces_that_coincide_are_not_drawn_twice() -> None:
    # Two boxes with half of each left edge in common: the union is [-1, 1] x [-1, 1].
    both = Box((-1.0, -1.0), (1.0, 0.5)) | Box((-1.0, -0.5), (1.0, 1.0))
    edge = both.boundary(20_000, uniform())
    check_uniform(edge[edge[:, 0] == -1], lambda x: (x[:, 1] + 1) / 2)


def test_points_are_where_they_belong(domain: AbstractDomain) -> None:
    inside = domain.interior(997, uniform())
    assert inside.shape == (997, domain.dim)
    assert (domain.signed_distance(inside) <= 0).all()
    surface = domain.boundary(997, uniform())
    torch.testing.assert_close(
        domain.signed_distance(surface), surface.new_zeros(997), atol=1e-7, rtol=0
    )
    assert domain.interior(0, uniform()).shape == (0, domain.dim)


def test_the_boundary_of_an_l_shape() -> None:
    x = L_SHAPE.boundary(8000, uniform())
    assert not ((x[:, 0] == 1) & (x[:, 1] > 0)).any(), "that was cut away"
    inner = ((x[:, 0] == 0) & (x[:, 1] > 0)).double().mean()
    assert inner == pytest.approx(1 / 8, abs=0.02)


def check_normals(domain: AbstractDomain, normal: Callable[[Tensor], Tensor]) -> None:
    for dtype, step in ((torch.float64, 1e-4), (torch.float32, 1e-3)):
        x = domain.boundary(500, uniform()).to(dtype)
        n = normal(x)
        torch.testing.assert_close(n.norm(dim=-1), torch.ones(500, dtype=dtype))
        # All but those next to a corner go out along the normal and in against it.
        out, back = domain.contains(x + step * n), domain.contains(x - step * n)
        assert (~out & back).double().mean() > 0.99
        moved = domain.signed_distance(x + step * n)
        close = (moved - step).abs() < 0.05 * step
        assert close.double().mean() > 0.98


def test_normals_point_outwards(domain: AbstractDomain) -> None:
    check_normals(domain, domain.normal)


def test_check_normals_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_normals(DISC, lambda x: -DISC.normal(x))
    with pytest.raises(AssertionError):
        check_normals(DISC, lambda x: DISC.normal(x).flip(-1))


def test_slices() -> None:
    x = L_SHAPE.slice(0, 0.5, 400, uniform())
    assert (x[:, 0] == 0.5).all()
    check_uniform(x, lambda x: x[:, 1] + 1)
    assert (BOX.slice(1, 0.0, 5, uniform())[:, 1] == 0).all(), "a face belongs to its box"


def test_a_part_of_the_boundary() -> None:
    left = BOX.boundary(100, uniform(), where=lambda x: x[:, 0] == -1)
    assert (left[:, 0] == -1).all()


# ---- operators and errors


def test_operators_make_pairs() -> None:
    a, b = Box.cube(2), DISC
    assert (a | b, a & b, a - b) == (Union(a, b), Intersection(a, b), Difference(a, b))
    assert (a | b).bounds == ((-1.0, -1.0), (1.0, 1.0))
    low, high = (a & b).bounds
    assert low == pytest.approx((-0.4, -0.9))
    assert high == pytest.approx((1.0, 0.5))
    assert repr(Box((-0.5,), (np.float64(1),))) == "Box(low=(-0.5,), high=(1.0,))"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Box((0.0, 1.0), (1.0, 1.0)), "Box: expected a domain with an interior"),
        (lambda: Box((0.0,), (math.inf,)), "Box: expected a domain with an interior"),
        (lambda: Box((0.0,), (1.0, 1.0)), "corners of one length"),
        (lambda: Box((), ()), "corners of one length"),
        (lambda: Ball((0.0,), 0.0), "Ball: expected radius to be positive"),
        (lambda: Ball((math.nan,), 1.0), "finite centre"),
        (lambda: Box.cube(2) | Box.cube(3), "same number of coordinates, got 2 and 3"),
        (lambda: Box((0.0,), (1.0,)) & Box((2.0,), (3.0,)), "Intersection: .* do not overlap"),
        (
            lambda: (Ball((0.0, 0.0), 1.0) - Box.cube(2)).interior(1, uniform()),
            "Difference: expected a domain with an interior",
        ),
        (
            lambda: (Ball((0.0, 0.0), 1.0) & Box((0.8, 0.8), (1.0, 1.0))).interior(1, uniform()),
            "Intersection: expected a domain with an interior, found no point",
        ),
        (lambda: BOX.slice(0, 2.0, 1, uniform()), "coordinate 0 is 2"),
        (lambda: BOX.boundary(1, uniform(), where=lambda x: x[:, 0] > 9), "boundary where"),
        (lambda: BOX.contains(torch.zeros(2, 3)), r"shape \(..., 2\)"),
    ],
)
def test_bad_domains_are_refused(build: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)])
def test_batch_axes_are_kept(domain: AbstractDomain, shape: tuple[int, ...]) -> None:
    x = torch.rand(*shape, domain.dim)
    for function in (domain.contains, domain.signed_distance, domain.distance_factor):
        assert function(x).shape == shape
    assert domain.normal(x).shape == x.shape
