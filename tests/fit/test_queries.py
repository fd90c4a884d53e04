"""Queries that are not tensors, and maps that need the whole query at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from neurafield import Field
from neurafield.domains import Box
from neurafield.fit import Constraint, fit, gauss_newton, least_squares, solve_last_layer
from neurafield.geometry import Rays
from neurafield.maps import AbstractMap, LevelOfDetail, Residual
from neurafield.networks import MLP
from neurafield.signals import AbstractSignal, Interior, Query, Samples


def network(in_dim: int, seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(MLP(in_dim, 1, width=12, depth=1, activation="Tanh", generator=g))


# ---- rays


def some_rays(count: int) -> Rays:
    g = torch.Generator().manual_seed(0)
    origins = torch.randn(count, 3, generator=g)
    directions = torch.randn(count, 3, generator=g)
    return Rays(origins, directions / directions.norm(dim=-1, keepdim=True))


def test_rays_and_tensors_are_queries() -> None:
    assert isinstance(torch.zeros(3, 2), Query)
    assert isinstance(some_rays(3), Query)
    assert not isinstance([1, 2], Query)


def test_rays_can_be_indexed_and_moved() -> None:
    rays = some_rays(7)
    assert len(rays) == 7
    assert torch.equal(rays[2:5].origins, rays.origins[2:5])
    assert torch.equal(rays[torch.tensor([6, 0])].directions, rays.directions[[6, 0]])
    assert rays.to(torch.zeros(1, dtype=torch.float64)).origins.dtype == torch.float64


class Mean(AbstractMap):
    """Mean of a field along the first unit of length of each ray, by the midpoint rule."""

    def __call__(self, field: Callable[[Tensor], Tensor], query: Rays) -> Tensor:
        depths = (torch.arange(8) + 0.5) / 8
        points = query.origins[:, None] + depths[:, None] * query.directions[:, None]
        return field(points).mean(1)


class RaySamples(AbstractSignal):
    """Means of the field x + 2 y - z along rays, which are its values at their midpoints."""

    in_dim, out_dim = 3, 1

    def __init__(self, count: int) -> None:
        self.rays = some_rays(count)
        middle = self.rays.at(torch.full((count,), 0.5))
        self.targets = middle @ torch.tensor([[1.0], [2.0], [-1.0]])

    def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> Any:
        if size is None:
            return self.rays, self.targets
        kept = torch.randperm(len(self.rays), generator=torch.Generator().manual_seed(step))[:size]
        return self.rays[kept], self.targets[kept]

    def fingerprint(self) -> str:
        return "rays"


@pytest.mark.parametrize("refine", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_field_is_fitted_to_rays(refine: int) -> None:
    field = network(3)
    problem = Constraint(signal=RaySamples(200), map=Mean(), batch_size=60, refine=refine)
    result = fit(field, problem, steps=400, lr=1e-2, micro_batch=17)
    assert result.loss < 0.05 * problem.signal.targets.square().mean()


def test_parts_of_rays_add_up_to_the_whole() -> None:
    fields = [network(3).double() for _ in range(2)]
    for field, micro_batch in zip(fields, (1000, 7), strict=True):
        problem = Constraint(signal=RaySamples(40), map=Double())
        fit(field, problem, steps=5, lr=1e-2, micro_batch=micro_batch)
    for a, b in zip(*(field.parameters() for field in fields), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


class Double(Mean):
    def __call__(self, field: Callable[[Tensor], Tensor], query: Rays) -> Tensor:
        assert query.origins.dtype == torch.float64, "queries take the type of the field"
        depths = (torch.arange(8, dtype=torch.float64) + 0.5) / 8
        points = query.origins[:, None] + depths[:, None] * query.directions[:, None]
        return field(points).mean(1)


# ---- members of a collection


@dataclass(frozen=True)
class Members:
    """Points of several objects, and the index of the object of each."""

    items: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, part: slice | Tensor) -> "Members":
        return Members(self.items[part], self.points[part])

    def to(self, like: Tensor) -> "Members":
        return Members(self.items.to(like.device), self.points.to(like))


class OneOf(AbstractMap):
    def __call__(self, field: Callable[[Tensor], Tensor], query: Members) -> Tensor:
        assert query.items.dtype == torch.int64
        return field(query.points) * query.items[:, None]


class Things(AbstractSignal):
    in_dim, out_dim = 1, 1

    def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> Any:
        x = torch.linspace(-1, 1, 30)[:, None]
        items = torch.arange(30) % 3
        return Members(items, x), items[:, None] * x.sin()

    def fingerprint(self) -> str:
        return "things"


def test_members_of_a_collection_are_queries() -> None:
    field = network(1)
    fit(field, Constraint(signal=Things(), map=OneOf()), steps=300, lr=1e-2, micro_batch=7)
    x = torch.linspace(-1, 1, 9)[:, None]
    assert (field(x) - x.sin()).abs().max() < 0.1


# ---- maps that need the whole query


class Spectrum(AbstractMap):
    """Real part of the discrete Fourier transform of a field along a line."""

    cuts = False

    def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
        self.seen = len(query)
        return torch.fft.rfft(field(query)[:, 0]).real[:5, None]


def spectrum() -> tuple["Coarse", Tensor]:
    x = (torch.arange(16) + 0.5)[:, None] / 8 - 1
    return Coarse(x, torch.fft.rfft((math.pi * x[:, 0]).cos()).real[:5, None]), x


class Coarse(AbstractSignal):
    """Sixteen points, and five numbers that were observed of all of them."""

    in_dim, out_dim = 1, 1

    def __init__(self, coords: Tensor, targets: Tensor) -> None:
        self.coords, self.targets = coords, targets

    def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> Any:
        return self.coords, self.targets

    def fingerprint(self) -> str:
        return "coarse"


def test_a_map_with_cuts_false_gets_the_whole_query() -> None:
    signal, x = spectrum()
    field, whole = network(1), Spectrum()
    result = fit(field, Constraint(signal=signal, map=whole), steps=300, lr=1e-2, micro_batch=3)
    assert whole.seen == len(x)
    assert result.loss < 0.1 * signal.targets.square().mean()
    assert LevelOfDetail(0, of=whole).cuts is False
    assert LevelOfDetail(0).cuts is True


def test_fewer_targets_than_queries_are_refused_if_the_map_cuts() -> None:
    class Cutting(Spectrum):
        cuts = True

    problem = Constraint(signal=spectrum()[0], map=Cutting())
    with pytest.raises(ValueError, match=r"5 targets for 16 queries.*cuts = False"):
        fit(network(1), problem, steps=1)


def test_gauss_newton_refuses_a_map_with_cuts_false() -> None:
    problem = Constraint(signal=spectrum()[0], map=Spectrum())
    with pytest.raises(ValueError, match="residuals that belong to points"):
        fit(network(1), problem, steps=1, optimizer=gauss_newton)


# ---- invalid parts of a problem


def test_signals_and_maps_must_derive_from_their_base_class() -> None:
    class Periodic:
        def __call__(self, field: Callable, query: Tensor) -> Tensor:
            return field(query) - field(query + 1)

    samples = Samples(torch.zeros(1, 1), torch.zeros(1, 1))
    with pytest.raises(TypeError, match=r"AbstractMap, got Periodic|Type-check"):
        Constraint(signal=samples, map=Periodic())
    with pytest.raises(TypeError, match=r"AbstractSignal, got Tensor|Type-check"):
        Constraint(signal=torch.zeros(3, 1))


def test_a_map_without_residuals_per_query_is_not_refined() -> None:
    with pytest.raises(ValueError, match="refine=1 for a map that needs all queries at once"):
        Constraint(signal=spectrum()[0], map=Spectrum(), batch_size=8, refine=2)


def test_solvers_that_draw_once_refuse_refined_batches() -> None:
    x = torch.linspace(-1, 1, 9)[:, None]
    problem = Constraint(signal=Samples(x, x), batch_size=4, refine=2)
    for solve in (least_squares, solve_last_layer):
        with pytest.raises(ValueError, match="expected refine=1 in constraint 'data', got 2"):
            solve(network(1), problem)


def test_a_signal_without_samples_is_named() -> None:
    class Empty(RaySamples):
        def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> Any:
            return self.rays[:0], self.targets[:0]

    problem = Constraint(signal=Empty(4), map=Mean(), name="rays")
    with pytest.raises(ValueError, match="samples from the signal of constraint 'rays', got none"):
        fit(network(3), problem, steps=1)


def test_gauss_newton_names_queries_that_are_no_tensors() -> None:
    problem = Constraint(signal=RaySamples(9), map=Mean(), name="rays")
    with pytest.raises(ValueError, match="tensors from constraint 'rays', got Rays"):
        fit(network(3), problem, steps=1, optimizer=gauss_newton)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda u, x: u.d(0) - x[:, 0], r"x\[:, :1\] is \(n, 1\)"),
        (lambda u, x: torch.cat([u.value, u.d(0)], 1), r"Interior\(\.\.\., out_dim=2\)"),
    ],
    ids=["lost axis", "a system"],
)
def test_residuals_of_another_shape_get_a_hint(function: Callable, message: str) -> None:
    points = Interior(Box.cube(1), num_points=7)
    with pytest.raises(ValueError, match=message):
        fit(network(1), Constraint(signal=points, map=Residual(function)), steps=1)
