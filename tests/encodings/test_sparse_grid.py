"""Sparse grids against dense ones, and the octrees under them against counting by hand."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield.derivatives import Jet
from neurafield.encodings import DenseGrid, Octree, SparseGrid


def random_grid(dim: int, interpolation: str = "linear") -> SparseGrid:
    g = torch.Generator().manual_seed(dim)
    points = 0.8 * torch.rand(7, dim, generator=g) - 0.3
    tree = Octree.from_points(points, base_resolution=[2, 3, 1, 2][:dim], num_levels=3)
    grid = SparseGrid.from_octree(tree, features=2, interpolation=interpolation).double()
    torch.nn.init.normal_(grid.table, generator=g)
    return grid


def vertices(grid: SparseGrid) -> list[Tensor]:
    """Row-major numbers of the stored vertices of each level."""
    keys = grid.keys.split(grid.num_vertices)
    before = [0, *np.cumsum([np.prod(np.array(cells) + 1) for cells in grid.cells])]
    return [own - int(first) for own, first in zip(keys, before, strict=False)]


def dense_levels(grid: SparseGrid) -> list[DenseGrid]:
    """Each level as a dense grid, with zeros at the vertices that are not stored."""
    levels = []
    tables = grid.table.split(grid.num_vertices)
    for cells, own, rows in zip(grid.cells, vertices(grid), tables, strict=True):
        level = DenseGrid(
            grid.in_dim,
            resolution=list(cells),
            features=grid.out_dim,
            interpolation=grid.interpolation,
        ).double()
        with torch.no_grad():
            level.table.zero_()[own] = rows
        levels.append(level)
    return levels


def places(dim: int) -> Tensor:
    g = torch.Generator().manual_seed(9)
    x = 2.4 * torch.rand(101, dim, generator=g, dtype=torch.float64) - 1.2  # Also outside.
    corners = [torch.tensor([-1.0, 0.0, 0.25, 1.0], dtype=torch.float64)] * dim
    return torch.cat([x, torch.cartesian_prod(*corners).reshape(-1, dim)])


def check_equals_dense(grid: SparseGrid) -> None:
    x = places(grid.in_dim)
    levels = dense_levels(grid)
    total = torch.zeros(len(x), grid.out_dim, dtype=torch.float64)
    for lod, level in enumerate(levels):
        total = total + level(x)
        assert_close(grid.at_lod(lod)(x), total)
    weights = torch.eye(grid.in_dim, dtype=torch.float64)
    streams = [level.jet(Jet.root(x, weights)).streams for level in levels]
    assert_close(grid.jet(Jet.root(x, weights)).streams, torch.stack(streams).sum(0))
    weight = torch.randn_like(total)
    got = torch.autograd.grad((weight * grid(x)).sum(), grid.table)[0]
    want = torch.autograd.grad((weight * total).sum(), [level.table for level in levels])
    want = [w[own] for w, own in zip(want, vertices(grid), strict=True)]
    assert_close(got, torch.cat(want))


@pytest.mark.parametrize("interpolation", ["linear", "smoothstep"])
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_it_is_a_sum_of_dense_grids_with_zeros_where_nothing_is_stored(
    dim: int, interpolation: str
) -> None:
    check_equals_dense(random_grid(dim, interpolation))


def test_check_equals_dense_can_fail() -> None:
    grid = random_grid(2)
    # A search finds nothing in what is not sorted.
    grid.keys = torch.cat([keys.flip(0) for keys in grid.keys.split(grid.num_vertices)])
    with pytest.raises(AssertionError):
        check_equals_dense(grid)


def test_with_all_cells_occupied_it_is_dense() -> None:
    tree = Octree.from_mask(torch.ones(8, 12, dtype=torch.bool), num_levels=3)
    assert tree.base_resolution == (2, 3)
    assert tree.num_vertices == [3 * 4, 5 * 7, 9 * 13]
    grid = SparseGrid.from_octree(tree)
    assert torch.equal(grid.keys, torch.arange(sum(tree.num_vertices)))
    check_equals_dense(SparseGrid.from_octree(tree).double())


def test_it_vanishes_away_from_occupied_cells_and_is_continuous() -> None:
    cells = torch.tensor([[2, 2]])
    tree = Octree.from_cells(cells, base_resolution=8, num_levels=1)
    grid = SparseGrid.from_octree(tree, features=1)
    torch.nn.init.ones_(grid.table)
    # Cell 2 of 8 is [-0.5, -0.25]; next to it the one at the vertex fades to zero.
    x = torch.tensor([-0.4, -0.25, -0.125, 0.0, 0.5])
    got = grid(torch.stack([x, torch.full_like(x, -0.4)], dim=-1))[:, 0]
    assert_close(got, torch.tensor([1.0, 1.0, 0.5, 0.0, 0.0]))


def test_a_missing_coordinate_gives_missing_features() -> None:
    grid = random_grid(2).float()
    x = torch.tensor([[torch.nan, 0.0], [0.1, 0.1]], requires_grad=True)
    y = grid(x)
    assert y.isnan().all(-1).tolist() == [True, False]
    y.nansum().backward()
    assert grid.table.grad is not None
    assert grid.table.grad.isfinite().all()
    assert torch.equal(x.grad[0], torch.zeros(2))


# ---- octrees


def test_ancestors_are_those_counted_by_hand() -> None:
    tree = Octree.from_cells(torch.tensor([[5, 0], [7, 3]]), base_resolution=2, num_levels=3)
    assert [cells.tolist() for cells in tree.cells] == [
        [[1, 0]],
        [[2, 0], [3, 1]],
        [[5, 0], [7, 3]],
    ]
    # Two cells that share a corner have seven vertices.
    assert tree.num_vertices == [4, 7, 8]


def test_points_occupy_the_cells_that_hold_them() -> None:
    points = torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.3, -0.9], [1.5, 0.0]])
    tree = Octree.from_points(points, base_resolution=4, num_levels=1)
    assert tree.cells[0].tolist() == [[0, 0], [2, 0], [3, 3]]


def affine_residual(values: np.ndarray, cell: tuple[slice, ...]) -> float:
    """The best affine function by NumPy's least squares, not axis by axis."""
    part = values[cell]
    rows = [[1.0, *place] for place in np.ndindex(part.shape[:-1])]
    own = part.reshape(-1, part.shape[-1])
    found = np.linalg.lstsq(np.array(rows), own, rcond=None)[0]
    return float(((own - np.array(rows) @ found) ** 2).sum())


def test_detail_splits_the_cells_that_are_farthest_from_affine() -> None:
    values = np.random.default_rng(0).normal(size=(16, 16, 2))
    values[:, :8] = np.arange(16)[:, None, None]  # Affine: nothing to find.
    tree = Octree.from_detail(values, base_resolution=2, num_levels=2, max_vertices=9 + 15)
    # A first split costs 9 vertices, a second next to it 6 more.
    assert tree.num_vertices == [9, 15]
    assert tree.cells[1].tolist() == [[i, j] for j in (2, 3) for i in range(4)] or sorted(
        tree.cells[1].tolist()
    ) == [[i, j] for i in range(4) for j in (2, 3)]
    tree = Octree.from_detail(values, base_resolution=2, num_levels=2, max_vertices=9 + 14)
    left = {
        (i, j): affine_residual(values, (slice(8 * i, 8 * i + 8), slice(8 * j, 8 * j + 8)))
        for i, j in product(range(2), repeat=2)
    }
    worst = max(left, key=lambda cell: left[cell])
    assert {tuple((cell // 2).tolist()) for cell in tree.cells[1]} == {worst}


@pytest.mark.parametrize("shape", [(97,), (64, 50), (17, 19, 23)], ids=str)
def test_detail_makes_a_tree_within_its_budget(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=(*shape, 1)).cumsum(0)
    budget = 3 ** len(shape) + 4 ** len(shape)
    tree = Octree.from_detail(values, base_resolution=2, num_levels=4, max_vertices=budget)
    assert 0.7 * budget < sum(tree.num_vertices) <= budget
    for coarse, fine in zip(tree.cells, tree.cells[1:], strict=False):
        parents = {tuple(cell) for cell in coarse.tolist()}
        assert {tuple(cell) for cell in (fine // 2).tolist()} <= parents


def test_a_flat_signal_needs_the_coarsest_level_only() -> None:
    values = np.full((32, 32, 3), 0.7)
    tree = Octree.from_detail(values, base_resolution=4, num_levels=4, max_vertices=1000)
    assert tree.num_vertices == [25]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SparseGrid(2, base_resolution=4, num_vertices=[9], features=0), "features"),
        (lambda: SparseGrid(2, base_resolution=4, num_vertices=[]), "num_levels"),
        (lambda: SparseGrid(2, base_resolution=4, num_vertices=[26]), "level 0 up to 25"),
        (lambda: SparseGrid(5, base_resolution=4, num_vertices=[9]), "in_dim"),
        (
            lambda: SparseGrid(2, base_resolution=4, num_vertices=[9], interpolation="cubic"),
            "linear or smoothstep",
        ),
        (lambda: SparseGrid(4, base_resolution=2**20, num_vertices=[9]), r"2\^62"),
        (
            lambda: Octree.from_cells(torch.tensor([[4, 0]]), base_resolution=2, num_levels=2),
            "from 0 to below",
        ),
        (
            lambda: Octree.from_mask(torch.ones(6, 4, dtype=torch.bool), num_levels=3),
            "that 4 divides",
        ),
        (
            lambda: Octree.from_points(torch.full((3, 2), 2.0), base_resolution=2, num_levels=2),
            r"in \[-1, 1\] on every axis, got 3 and none there\. Shift and scale",
        ),
        (
            lambda: Octree.from_points(np.zeros(3), base_resolution=2, num_levels=2),
            r"points of shape \(n, d\), got \(3,\)|^Type-check error",
        ),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_points_may_be_an_array() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    made = [
        Octree.from_points(given, base_resolution=2, num_levels=4)
        for given in (points, torch.from_numpy(points))
    ]
    assert all(map(torch.equal, made[0].cells, made[1].cells))


def test_a_grid_is_made_of_an_octree_only() -> None:
    # Where annotations are checked, it is these that refuse it.
    message = "expected an Octree, got Tensor.*Octree.from_points|^Type-check error"
    with pytest.raises(TypeError, match=message):
        SparseGrid.from_octree(torch.rand(5, 2))
