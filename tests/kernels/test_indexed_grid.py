"""Indexed levels, where chosen vertices have rows: against dense ones with zeros for the rest."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradgradcheck
from torch.func import vmap
from torch.testing import assert_close

from neurafield.errors import KernelNotice
from neurafield.kernels import dispatch, library
from neurafield.kernels.grid import (
    FEATURES,
    INTERPOLATIONS,
    Level,
    Levels,
    grid_interpolate,
    grid_jet,
    indexed_levels,
    make_levels,
    native,
)

from .levels import level, needs_native, version  # noqa: F401
from .test_grid import DIMS, awkward_coords, some_coords, some_levels, some_table


class Problem:
    """Levels of chosen vertices, and dense ones that hold the same."""

    def __init__(self, dim: int, features: int = 2, share: float = 0.4, seed: int = 0) -> None:
        g = torch.Generator().manual_seed(seed)
        cells = [[1] * dim, [3 + axis for axis in range(dim)], [9 - axis for axis in range(dim)]]
        self.dense = make_levels(cells, max_rows=None)
        kept = [
            torch.rand(own.size, generator=g).lt(share).index_fill(0, torch.tensor([0]), True)
            for own in self.dense.levels
        ]
        self.levels = indexed_levels(cells, [int(mask.sum()) for mask in kept])
        # Both number their vertices in the same way.
        self.keys = torch.cat(kept).nonzero().squeeze(1)
        self.places = self.keys.clone()
        self.table = torch.randn(len(self.keys), features, generator=g)
        self.x = torch.cat([some_coords(403, dim), awkward_coords(dim)])
        self.x = self.x[self.x.isfinite().all(-1)]

    def spread(self, table: Tensor) -> Tensor:
        """The dense table."""
        whole = table.new_zeros(self.dense.num_rows, table.shape[1])
        return whole.index_copy(0, self.places, table)

    def read(self, x: Tensor, table: Tensor, **options: Any) -> Tensor:
        return grid_interpolate(x, table, self.levels, keys=self.keys, **options)

    def expected(self, x: Tensor, table: Tensor, **options: Any) -> Tensor:
        return grid_interpolate(x, self.spread(table), self.dense, **options)


Read = Callable[..., Tensor]


def with_gradients(
    read: Read, x: Tensor, table: Tensor, dtype: torch.dtype = torch.float32, **options: Any
) -> list[Tensor]:
    x, table = x.to(dtype).clone().requires_grad_(), table.to(dtype).clone().requires_grad_()
    y = read(x, table, **options)
    upstream = torch.linspace(-1, 1, y.numel(), dtype=dtype).reshape(y.shape)
    return [y.detach(), *torch.autograd.grad(y, [x, table], upstream)]


def check(problem: Problem, **options: Any) -> None:
    got = with_gradients(problem.read, problem.x, problem.table, **options)
    want = with_gradients(
        problem.expected, problem.x, problem.table, torch.float64, **options | {"sparse": False}
    )
    for number, (g, w) in enumerate(zip(got, want, strict=True)):
        g = g.to_dense() if g.is_sparse else g
        error = (g.double() - w).norm() / w.norm()
        assert error < 1e-5, number


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dim", DIMS)
def test_reference_is_a_dense_grid_with_zeros(
    dim: int, interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    for share in (0.0, 0.4, 1.0):
        check(Problem(dim, share=share), interpolation=interpolation)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("dim", DIMS)
def test_native_is_a_dense_grid_with_zeros(level: str, dim: int, features: int) -> None:  # noqa: F811
    for sparse in (False, True):
        for interpolation in INTERPOLATIONS:
            for added in (False, True):
                options = {"interpolation": interpolation, "sparse": sparse, "added": added}
                check(Problem(dim, features), **options)
    # A single vertex of each level; all of them.
    for share in (0.0, 1.0):
        check(Problem(dim, features, share=share))


def test_check_can_fail(version: str) -> None:  # noqa: F811
    problem = Problem(2)
    gap = (problem.keys[1:] - problem.keys[:-1] > 1).nonzero()[-1]
    problem.keys[gap] += 1
    with pytest.raises(AssertionError):
        check(problem)


def test_indexed_beside_other_levels(version: str) -> None:  # noqa: F811
    problem = Problem(2)
    indexed = [
        Level("indexed", own.cells, own.tile, own.offset + 6, own.size)
        for own in problem.levels.levels
    ]
    levels = Levels((Level("dense", (1, 2), (2, 3), 0, 6), *indexed))
    table = torch.cat([torch.randn(6, 2), problem.table])
    keys = torch.cat([torch.zeros(6, dtype=torch.int64), problem.keys])
    got = grid_interpolate(problem.x, table, levels, keys=keys)
    first = grid_interpolate(problem.x, table[:6], Levels(levels.levels[:1]))
    assert_close(got, torch.cat([first, problem.read(problem.x, problem.table)], -1))


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_not_stored_touches_no_row(version: str, sparse: bool) -> None:  # noqa: F811
    # Only the first of many vertices has a row, and that row is not even a number.
    levels = indexed_levels([[8, 8]], [1])
    keys, table = torch.zeros(1, dtype=torch.int64), torch.full((1, 2), math.nan)
    x = some_coords(50, 2).clamp(-0.7, 1.0).requires_grad_()
    table.requires_grad_()
    y = grid_interpolate(x, table, levels, keys=keys, sparse=sparse)
    assert (y == 0).all()
    y.sum().backward()
    assert (x.grad == 0).all()
    assert (table.grad.to_dense() == 0).all()
    if sparse:
        assert table.grad._nnz() == 0
    assert grid_interpolate(-torch.ones(2), table, levels, keys=keys).isnan().all()


def test_nan_stays_with_its_point(version: str) -> None:  # noqa: F811
    problem = Problem(3)
    x = problem.x.clone()
    x[5, 1] = math.nan
    values, grad_x, grad_table = with_gradients(problem.read, x, problem.table)
    assert values[5].isnan().all()
    assert (grad_x[5] == 0).all()
    assert grad_table.isfinite().all()
    assert values[6:].isfinite().all()


def test_keys_that_change_are_looked_at_again(version: str) -> None:  # noqa: F811
    problem = Problem(2)
    cells = [[9, 8]]
    levels, table = indexed_levels(cells, [3]), problem.table[:3]
    keys = torch.tensor([0, 20, 40])
    before = grid_interpolate(problem.x, table, levels, keys=keys)
    assert_close(grid_interpolate(problem.x, table, levels, keys=keys.clone()), before)
    keys += 7
    after = grid_interpolate(problem.x, table, levels, keys=keys)
    assert not torch.equal(after, before)
    assert torch.equal(grid_interpolate(problem.x, table, levels, keys=keys.clone()), after)
    with torch.inference_mode():
        fixed = keys.clone()
        assert torch.equal(grid_interpolate(problem.x, table, levels, keys=fixed), after)
        fixed -= 7
        assert torch.equal(grid_interpolate(problem.x, table, levels, keys=fixed), before)


def test_first_levels_alone(version: str) -> None:  # noqa: F811
    problem = Problem(3)
    whole = problem.read(problem.x, problem.table)
    for count in (3, 1, 2, 3):
        got = grid_interpolate(
            problem.x, problem.table, problem.levels.first(count), keys=problem.keys
        )
        assert torch.equal(got, whole[:, : 2 * count])


@needs_native
def test_an_index_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)
    made = []

    def watched(name: str, *arguments: object) -> object:
        if name == "GridIndex":
            made.append(name)
        return library.call(name, *arguments)

    monkeypatch.setattr(native, "call", watched)
    problem = Problem(2)
    for count in (3, 1, 2, 3):
        table = problem.table.clone().requires_grad_()
        levels = problem.levels.first(count)
        grid_interpolate(problem.x, table, levels, keys=problem.keys).sum().backward()
    assert len(made) == 1


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_jet_is_that_of_a_dense_grid(interpolation: str) -> None:
    problem = Problem(2)
    x, table = problem.x.double(), problem.table.double()
    options = {"interpolation": interpolation, "keys": problem.keys}
    want = grid_jet(x, problem.spread(table), problem.dense, interpolation=interpolation)
    for g, w in zip(grid_jet(x, table, problem.levels, **options), want, strict=True):
        assert_close(g, w)
    total = grid_jet(x, table, problem.levels, **options, added=True)
    for g, w in zip(total, want, strict=True):
        assert_close(g, w.unflatten(1, (3, 2)).sum(1))


def test_gradients_of_gradients() -> None:
    problem = Problem(2)
    x = some_coords(7, 2, spread=0.9).double().requires_grad_()
    table = problem.table.double().requires_grad_()
    assert gradgradcheck(
        lambda x, table: problem.read(x, table, interpolation="smoothstep"), (x, table)
    )


def test_stacked_grids() -> None:
    problem = Problem(2)
    other = Problem(2)
    gap = (problem.keys[1:] - problem.keys[:-1] > 1).nonzero()[-1]
    other.keys[gap] += 1
    keys = torch.stack([problem.keys, other.keys])
    tables = torch.stack([problem.table, other.table])

    def read(table: Tensor, keys: Tensor) -> Tensor:
        return grid_interpolate(problem.x, table, problem.levels, keys=keys)

    each = [p.read(p.x, p.table) for p in (problem, other)]
    assert not torch.equal(*each)
    assert_close(vmap(read)(tables, keys), torch.stack(each))


def test_missing_keys_are_told() -> None:
    problem = Problem(2)
    for keys, found in ((None, "none"), (problem.keys[1:], "shape")):
        with pytest.raises(ValueError, match=rf"or more keys .* got {found}"):
            grid_interpolate(problem.x, problem.table, problem.levels, keys=keys)


@needs_native
@pytest.mark.parametrize(
    ("cells", "message"),
    [([2**15, 2**16], "vertices of an indexed level"), ([2**25, 1], "cells along an axis")],
)
def test_huge_levels_are_served_by_the_reference(
    cells: list[int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)
    monkeypatch.setattr(dispatch, "_notified", set())
    levels = indexed_levels([cells], [2])
    keys = torch.tensor([0, (cells[0] + 1) * (cells[1] + 1) - 1])
    table = torch.tensor([[1.0], [2.0]])
    with pytest.warns(KernelNotice, match=message):
        y = grid_interpolate(torch.tensor([[-1.0, -1], [1, 1], [0, 0]]), table, levels, keys=keys)
    assert y.flatten().tolist() == [1, 2, 0]


@needs_native
def test_the_border_of_the_library_lets_nothing_wrong_through() -> None:
    compiled = library.native()
    problem = Problem(2)
    columns, x, table = problem.levels.columns, problem.x, problem.table
    y = torch.empty(len(x), 6)
    good = compiled.GridIndex(columns, 2, problem.keys)
    compiled.grid_forward(columns, False, 1, table, x, y, good)
    last = problem.levels.levels[-1]
    wrong = {
        "descending": problem.keys.flip(0),
        "twice": problem.keys.index_copy(0, torch.tensor([1]), problem.keys[:1]),
        "negative": problem.keys - 1,
        "beyond": problem.keys.index_fill(0, torch.tensor([-1]), math.prod(last.tile)),
        "short": problem.keys[:-1],
    }
    for keys in wrong.values():
        with pytest.raises(ValueError, match="grid: "):
            compiled.GridIndex(columns, 2, keys)
    for dim in (0, 5):
        with pytest.raises(ValueError, match="grid: "):
            compiled.GridIndex(columns, dim, problem.keys)
    with pytest.raises(TypeError):
        compiled.GridIndex(columns, 2, problem.keys.int())
    fewer = Problem(2, share=0.2, seed=3)
    others = compiled.GridIndex(fewer.levels.columns, 2, fewer.keys)
    first = compiled.GridIndex(columns[:1].copy(), 2, problem.keys)
    coarse = Problem(1)
    narrow = compiled.GridIndex(coarse.levels.columns, 1, coarse.keys)
    grads, rows = torch.empty(len(table), 2), torch.empty(10**4, dtype=torch.int64)
    for index in (None, others, first, narrow):
        with pytest.raises(ValueError, match="grid: index"):
            compiled.grid_forward(columns, False, 1, table, x, y, index)
        with pytest.raises(ValueError, match="grid: index"):
            compiled.grid_backward_table(columns, False, 1, x, y, grads, index)
        with pytest.raises(ValueError, match="grid: index"):
            compiled.grid_backward_coords(columns, False, 1, table, x, y, x.clone(), index)
        with pytest.raises(ValueError, match="grid: index"):
            compiled.grid_backward_touched(
                columns, False, 1, x, y, rows, torch.empty(10**4, 2), index
            )
    with pytest.raises(TypeError):
        compiled.grid_forward(columns, False, 1, table, x, y, 3)
    # Levels that are added have as many features as one.
    compiled.grid_forward(columns, False, 1, table, x, y[:, :2].contiguous(), good, True)
    for width, added in ((2, False), (6, True), (4, True)):
        narrow = torch.empty(len(x), width)
        with pytest.raises(ValueError, match="shape of the features"):
            compiled.grid_forward(columns, False, 1, table, x, narrow, good, added)
        with pytest.raises(ValueError, match="shape of the features"):
            compiled.grid_backward_table(columns, False, 1, x, narrow, grads, good, added)
        with pytest.raises(ValueError, match="shape of the features"):
            compiled.grid_backward_coords(
                columns, False, 1, table, x, narrow, x.clone(), good, added
            )


# ---- levels that are added up, of any kind


@pytest.mark.parametrize("overflow", ["hashed", "tiled"])
@pytest.mark.parametrize("sparse", [False, True])
def test_added_levels_are_the_sum(version: str, overflow: str, sparse: bool) -> None:  # noqa: F811
    levels = some_levels(2, overflow)
    table = some_table(levels, 4)
    x = torch.cat([some_coords(1031, 2), awkward_coords(2)])

    def read(x: Tensor, table: Tensor, added: bool) -> Tensor:
        y = grid_interpolate(x, table, levels, sparse=sparse, added=added)
        return y if added else y.unflatten(-1, (-1, 4)).sum(-2)

    got, want = (with_gradients(partial(read, added=added), x, table) for added in (True, False))
    assert got[0].isnan().any()
    for g, w in zip(got, want, strict=True):
        g, w = (t.to_dense() if t.is_sparse else t for t in (g, w))
        assert_close(g, w, rtol=1e-5, atol=1e-4, equal_nan=True)


def test_a_single_level_with_nan_in_some_points(version: str) -> None:  # noqa: F811
    # Its gradients are read where they are, and put aside only if a point is NaN.
    levels = make_levels([[5, 7]], max_rows=None)
    table, x = some_table(levels, 2), some_coords(3000, 2)
    clean = with_gradients(partial(grid_interpolate, levels=levels), x, table)
    x[2700, 0] = math.nan
    values, grad_x, grad_table = with_gradients(partial(grid_interpolate, levels=levels), x, table)
    assert values[2700].isnan().all()
    assert (grad_x[2700] == 0).all()
    x[2700] = 9.0
    beyond = with_gradients(partial(grid_interpolate, levels=levels), x, table)[2]
    assert grad_table.isfinite().all()
    touched = (grad_table != beyond).any(-1)
    assert 0 < touched.sum() <= 4
    assert torch.equal(grad_x[:2700], clean[1][:2700])
