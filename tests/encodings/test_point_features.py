"""Point features against SciPy's k-d tree and the formula in NumPy."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.testing import assert_close

from neurafield.derivatives import Jet
from neurafield.encodings import PointFeatures, _nearest, point_features
from neurafield.encodings._nearest import _Index, nearest, spatial_order


def cloud(count: int, dim: int, kind: str = "even") -> Tensor:
    g = torch.Generator().manual_seed(count)
    points = 2 * torch.rand(count, dim, generator=g, dtype=torch.float64) - 1
    if kind == "sphere":
        points = 0.7 * torch.nn.functional.normalize(points, dim=-1)
    if kind == "clusters":
        points = points[torch.randint(5, (count,), generator=g)] + 1e-3 * points
    return points


def check_neighbours(order: Tensor, kind: str, dim: int) -> None:
    points = cloud(601, dim, kind)
    x = torch.cat([1.5 * cloud(97, dim), 1e-9 * cloud(5, dim)])
    found = nearest(x, points[order], torch.arange(len(points))[:, None], 9)
    distances, expected = cKDTree(points[order].numpy()).query(x.numpy(), 9)
    got = (x[:, None] - points[order][found]).norm(dim=-1)
    np.testing.assert_allclose(got, distances, rtol=1e-9)
    apart = np.diff(distances, axis=1).min(1) > 1e-6  # Elsewhere two orders are right.
    assert apart.mean() > 0.5
    np.testing.assert_array_equal(found.numpy()[apart], expected[apart])


@pytest.mark.parametrize("kind", ["even", "sphere", "clusters"])
@pytest.mark.parametrize("dim", [2, 3])
def test_neighbours_are_those_of_a_tree(kind: str, dim: int) -> None:
    check_neighbours(spatial_order(cloud(601, dim, kind)), kind, dim)
    # In any order, if more slowly.
    check_neighbours(torch.arange(601), kind, dim)


def test_check_neighbours_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "nearest", lambda x, *_: torch.zeros(len(x), 9).long())
    with pytest.raises(AssertionError):
        check_neighbours(torch.arange(601), "even", 2)


def formula(encoding: PointFeatures, x: np.ndarray) -> np.ndarray:
    table = encoding.table.detach().numpy()
    inside = np.clip(x, -1, 1)
    count = encoding.num_neighbours
    distances, found = cKDTree(encoding.points.numpy()).query(inside, count + 1)
    u = distances**2 / distances[:, -1:] ** 2
    weights = ((1 - u) ** 2 + 1e-6) / (u + 0.01)
    return (weights[..., None] * table[found]).sum(1) / weights.sum(1)[:, None]


def test_it_is_its_formula() -> None:
    encoding = PointFeatures.from_points(cloud(61, 3), features=5, num_neighbours=6).double()
    torch.nn.init.normal_(encoding.table)
    x = 1.3 * cloud(83, 3)
    expected = formula(encoding, x.numpy())
    np.testing.assert_allclose(encoding(x).detach().numpy(), expected, atol=1e-11)


def check_continuity() -> None:
    encoding = PointFeatures(2, num_points=200, generator=torch.Generator().manual_seed(0))
    encoding.double()
    torch.nn.init.normal_(encoding.table, generator=torch.Generator().manual_seed(1))
    steps = torch.linspace(-0.3, 0.3, 20_001, dtype=torch.float64)
    line = torch.stack([steps, 0.37 * steps + 0.1], dim=-1)
    neighbours = nearest(line, encoding.points, torch.arange(200)[:, None], 8).sort(-1).values
    changes = neighbours.diff(dim=0).ne(0).any(-1)
    assert int(changes.sum()) > 15
    # Steps of 3e-5, of features near 1 whose points are 0.14 apart.
    assert float(encoding(line).detach().diff(dim=0).abs().max()) < 2e-3


def test_it_is_continuous_where_neighbours_change() -> None:
    check_continuity()


def test_check_continuity_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    # By inverse distance alone the neighbour that goes takes its share along.
    monkeypatch.setattr(point_features, "_kernel", lambda u: point_features._inverse(u, 0.01))
    with pytest.raises(AssertionError):
        check_continuity()


def test_points_that_coincide_share_and_gradients_stay_finite() -> None:
    points = torch.tensor([[0.2, 0.2]] * 4 + [[-0.5, 0.1], [0.7, -0.6]], dtype=torch.float64)
    encoding = PointFeatures.from_points(points, features=1, num_neighbours=3).double()
    with torch.no_grad():
        encoding.table.copy_(torch.arange(6.0)[:, None])
    x = torch.tensor([[0.2, 0.2], [0.2, 0.2 + 1e-9], [0.5, 0.5]], dtype=torch.float64)
    x.requires_grad_()
    y = encoding(x)
    assert y.isfinite().all()
    same = (encoding.points - 0.2).abs().amax(-1) < 1e-6
    values = encoding.table[same].detach()
    assert values.min() <= y[0].detach() <= values.max()
    assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()
    assert encoding.jet(Jet.root(x)).streams.isfinite().all()


def test_at_a_point_its_own_feature_has_most_of_the_weight() -> None:
    encoding = PointFeatures(2, num_points=300, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        encoding.table.zero_()[17] = 1.0
    at, elsewhere = encoding(encoding.points[17]), encoding(encoding.points[18])
    assert at.min() > 0.8
    assert elsewhere.max() < 0.1


def test_initial_points_fill_the_box_evenly() -> None:
    encoding = PointFeatures(2, num_points=400, generator=torch.Generator().manual_seed(0))
    assert float(encoding.points.abs().max()) <= 1
    gaps = cKDTree(encoding.points.numpy()).query(encoding.points.numpy(), 2)[0][:, 1]
    assert gaps.min() > 0.4 * gaps.mean()  # Random points come far closer.
    cells = ((encoding.points + 1) * 5).long()
    counts = (cells[:, 0] * 10 + cells[:, 1]).bincount(minlength=100)
    assert 2 <= int(counts.min()) <= int(counts.max()) <= 6


def test_beyond_the_border_its_value_goes_on() -> None:
    encoding = PointFeatures(2, num_points=50, generator=torch.Generator().manual_seed(0))
    x = torch.tensor([[1.5, 0.3], [torch.nan, 0.0]], requires_grad=True)
    y = encoding(x)
    assert_close(y[0], encoding(torch.tensor([1.0, 0.3])))
    assert y[1].isnan().all()
    slope = torch.autograd.grad(y.nansum(), x)[0]
    assert slope[0, 0] == 0
    assert slope[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PointFeatures(2, num_points=1), "num_points"),
        (lambda: PointFeatures(2, num_points=8, num_neighbours=8), "num_neighbours"),
        (lambda: PointFeatures.from_points(torch.full((9, 2), torch.nan)), "finite points"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_points_may_be_an_array_in_the_box() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    made = [PointFeatures.from_points(given) for given in (points, torch.from_numpy(points))]
    assert torch.equal(made[0].points, made[1].points)
    with pytest.raises(ValueError, match=r"in \[-1, 1\].*got 20 and none there\. Shift and scale"):
        PointFeatures.from_points(points + 10)


def on_a_lattice(num_neighbours: int, size: float) -> float:
    """The largest step of 200 that cross the middle of a cell, over a length of `size`."""
    axis = torch.linspace(-1, 1, 9, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    encoding = PointFeatures.from_points(points, features=1, num_neighbours=num_neighbours)
    encoding.double()
    torch.nn.init.uniform_(encoding.table, generator=torch.Generator().manual_seed(0))
    away = size * torch.linspace(-0.5, 0.5, 201, dtype=torch.float64)[:, None]
    y = encoding(0.125 + away * torch.tensor([1.0, 0.37], dtype=torch.float64)).detach()
    return float(y.diff(dim=0).abs().max())


@pytest.mark.parametrize("num_neighbours", [3, 4, 8])
def test_on_a_lattice_it_is_continuous(num_neighbours: int) -> None:
    # Steep at most, not a jump: a step a hundredth as long is a hundredth as high.
    assert on_a_lattice(num_neighbours, 1e-6) < 1e-3
    assert on_a_lattice(num_neighbours, 1e-8) < 1e-5


def test_on_a_lattice_it_jumps_with_too_few_neighbours() -> None:
    assert on_a_lattice(1, 1e-8) > 0.05


def with_duplicates() -> PointFeatures:
    others = [[0.5, 0.5], [0.2, 0.1], [0.9, -0.3]]
    points = torch.tensor([[0.0, 0.0]] * 10 + others)
    encoding = PointFeatures.from_points(points, features=1, num_neighbours=4)
    torch.nn.init.uniform_(encoding.table, -1, 1, generator=torch.Generator().manual_seed(0))
    return encoding


def check_duplicates(encoding: PointFeatures) -> None:
    """Near enough points that coincide it is constant, the mean of those of them that are read."""
    x = torch.tensor([[0.0, 0.0], [1e-7, 0.0], [1e-5, 0.0], [1e-4, -1e-4], [0.02, 0.01]])
    found = encoding.jet(Jet.root(x))
    assert_close(found.value, found.value[:1].expand(5, 1))
    assert float(found.jacobian.abs().max()) < 1e-4
    assert float(found.laplacian.abs().max()) < 1e-2


def test_near_points_that_coincide_derivatives_are_right() -> None:
    encoding = with_duplicates()
    with torch.no_grad():
        check_duplicates(encoding)
    encoding.double()
    x = torch.tensor([[1e-4, 0.0], [0.02, 0.01], [0.15, 0.08], [0.3, 0.3], [0.2, 0.1]]).double()
    found = encoding.jet(Jet.root(x))
    jacobian = torch.func.vmap(torch.func.jacrev(encoding))(x)
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.jacrev(encoding)))(x)
    assert_close(found.jacobian, jacobian, rtol=1e-7, atol=1e-7)
    laplacian = hessian.diagonal(dim1=-2, dim2=-1).sum(-1)
    assert float(laplacian.detach().abs().max()) > 1
    assert_close(found.laplacian, laplacian, rtol=1e-6, atol=1e-4)


def test_points_that_nearly_coincide_in_single_precision() -> None:
    g = torch.Generator().manual_seed(0)
    # Whole multiples of 2^-22, so that both types hold the same places.
    points = torch.randint(-400, 400, (60, 2), generator=g) * 2.0**-22
    single = PointFeatures.from_points(points, features=1, num_neighbours=4)
    x = torch.randint(-400, 400, (50, 2), generator=g) * 2.0**-22
    got = single.jet(Jet.root(x)).streams.detach().double()
    expected = copy.deepcopy(single).double().jet(Jet.root(x.double())).streams.detach()
    for own, right in zip(got, expected, strict=True):
        assert_close(own, right, rtol=1e-5, atol=1e-5 * float(right.abs().max()))


def test_modules_and_coordinates_of_any_type() -> None:
    encoding = PointFeatures(2, num_points=50, generator=torch.Generator().manual_seed(0))
    torch.nn.init.normal_(encoding.table)
    x = cloud(20, 2).float()
    expected = encoding(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoding(x), expected)
    for own, given in ((torch.float32, torch.float64), (torch.float64, torch.float32)):
        got = encoding.to(own)(x.to(given))
        assert got.dtype == torch.float64
        assert_close(got.detach(), expected.double(), rtol=1e-4, atol=1e-5)
    assert encoding.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def check_blocks(count: int) -> None:
    """Boxes that are looked at for each query, and how many of them at a time."""
    index = _Index(cloud(count, 3)[:, None])
    num_blocks, size = index.rows.shape
    assert num_blocks * size >= count
    assert num_blocks <= 4.1 * count**0.5 + 5
    assert num_blocks * index.queries <= 2**22


@pytest.mark.parametrize("count", [5, 16_000, 300_000])
def test_many_points_are_looked_at_in_larger_blocks(count: int) -> None:
    check_blocks(count)
    points, x = cloud(count, 3), cloud(20, 3)
    points = points[spatial_order(points)]
    found = nearest(x, points, torch.arange(count)[:, None], 4)
    np.testing.assert_array_equal(found.numpy(), cKDTree(points.numpy()).query(x.numpy(), 4)[1])


def test_check_blocks_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nearest, "isqrt", lambda count: 0)
    with pytest.raises(AssertionError):
        check_blocks(300_000)
