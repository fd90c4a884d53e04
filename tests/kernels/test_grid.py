"""Grids: the compiled kernel against the reference, and the reference against plain Python."""

import itertools
import math
import mmap
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close

from neurafield.kernels import dispatch, grid, library
from neurafield.kernels.grid import (
    FEATURES,
    INTERPOLATIONS,
    Level,
    Levels,
    grid_interpolate,
    make_levels,
    native,
    reference,
)
from neurafield.kernels.grid.levels import PRIMES, largest_tile
from neurafield.kernels.grid.reference import corner_rows, corner_weights

from .levels import implementation, level, needs_native, version  # noqa: F401

OVERFLOWS = ("hashed", "tiled")
DIMS = (1, 2, 3, 4)

NAN, INF = math.nan, math.inf


def some_levels(dim: int, overflow: str = "hashed", max_rows: int = 256) -> Levels:
    """Other cells along each axis; the coarse levels are dense, the fine ones overflow."""
    resolutions = [[1 + 5 * n + axis for axis in range(dim)] for n in range(4)]
    fine = [[97 + 4 * axis for axis in range(dim)], [512 + axis for axis in range(dim)]]
    return make_levels(resolutions + fine, max_rows=max_rows, overflow=overflow)


def some_table(levels: Levels, features: int, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(levels.num_rows, features, generator=g)


def some_coords(points: int, dim: int, seed: int = 1, spread: float = 1.2) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return spread * (2 * torch.rand(points, dim, generator=g) - 1)


def awkward_coords(dim: int) -> Tensor:
    """Borders, faces of cells, just inside and outside, and what is no number at all."""
    near = [-1.0, 1.0, 0.0, 0.5, -0.25, 1 - 2**-24, -1 + 2**-24, 2**-30, 1 + 2**-20, -7.0]
    values = torch.tensor([*near, INF, -INF, NAN, 1e30])
    g = torch.Generator().manual_seed(dim)
    mixed = values[torch.randint(len(values), (101, dim), generator=g)]
    return torch.cat([values[:, None].expand(-1, dim), mixed])


# ---- the reference against plain Python


def oracle_row(vertex: list[int], own: Level) -> int:
    if own.kind == "hashed":
        row = 0
        for number, prime in zip(reversed(vertex), PRIMES, strict=False):
            row ^= (number * prime) % 2**32
        return row % own.size
    row = 0
    for number, side in zip(vertex, own.tile, strict=True):
        row = row * side + number % side
    return row


def oracle_features(
    x: list[float], table: np.ndarray, levels: Levels, interpolation: str
) -> list[float]:
    """One point, in plain Python: for each level, for each corner."""
    features = []
    for own in levels.levels:
        total = np.zeros(table.shape[1])
        for sides in itertools.product((0, 1), repeat=len(x)):
            vertex, weight = [], 1.0
            for coord, cells, side in zip(x, own.cells, sides, strict=True):
                position = (min(max(coord, -1.0), 1.0) + 1) / 2 * cells
                cell = min(int(position), cells - 1)
                t = position - cell
                t = t if interpolation == "linear" else 3 * t**2 - 2 * t**3
                vertex.append(cell + side)
                weight *= t if side else 1 - t
            total += weight * table[own.offset + oracle_row(vertex, own)]
        features += total.tolist()
    return features


def check_oracle(levels: Levels, interpolation: str, table: Tensor, expected: Tensor) -> None:
    x = torch.cat([some_coords(13, levels.dim), awkward_coords(levels.dim)]).double()
    x = x[x.isfinite().all(-1)]
    got = reference.grid_interpolate(x, table, levels, interpolation)
    want = [oracle_features(row, expected.numpy(), levels, interpolation) for row in x.tolist()]
    assert_close(got, torch.tensor(want, dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("overflow", OVERFLOWS)
def test_reference_is_what_plain_python_says(dim: int, interpolation: str, overflow: str) -> None:
    levels = some_levels(dim, overflow)
    assert {own.kind for own in levels.levels} == {"dense", overflow}
    table = some_table(levels, 3).double()
    check_oracle(levels, interpolation, table, table)


def test_check_oracle_can_fail() -> None:
    levels = some_levels(2)
    table = some_table(levels, 3).double()
    with pytest.raises(AssertionError):
        check_oracle(levels, "linear", table, table.roll(1, 0))


def test_rows_are_right_beyond_31_bits() -> None:
    cells = (2**24 - 1, 2**17 + 7, 2**20)
    vertices = [[0, 0, 0], [2**24 - 2, 2**17 + 6, 2**20 - 1], [12_345_678, 100_003, 654_321]]
    low = [torch.tensor(axis) for axis in zip(*vertices, strict=True)]
    tile = tuple(n + 1 for n in cells)
    for kind, sides, size in (
        ("dense", tile, math.prod(tile)),
        ("tiled", (2**23 + 1, 2**17, 2**19), 2**60),
        ("hashed", tile, 2**32),
        ("hashed", tile, 2**19),
    ):
        own = Level(kind, cells, sides, 0, size)
        got = corner_rows(low, own)
        for corner, offsets in enumerate(itertools.product((0, 1), repeat=3)):
            for point, vertex in enumerate(vertices):
                moved = [v + o for v, o in zip(vertex, offsets, strict=True)]
                assert got[corner, point].item() == oracle_row(moved, own)
    assert oracle_row(vertices[1], Level("dense", cells, tile, 0, 0)) > 2**60


def test_corner_weights_sum_to_one() -> None:
    weights = corner_weights(some_coords(11, 3).double().unbind(-1))
    assert weights.shape == (8, 11)
    assert_close(weights.sum(0), torch.ones(11, dtype=torch.float64))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dim", DIMS)
def test_reference_gradients_of_first_and_second_order(dim: int, interpolation: str) -> None:
    levels = make_levels([[2] * dim, [5] * dim], max_rows=32)
    table = some_table(levels, 2 if dim < 3 else 1).double().requires_grad_()
    x = some_coords(3, dim, spread=0.9).double().requires_grad_()

    def function(x: Tensor, table: Tensor) -> Tensor:
        return grid_interpolate(x, table, levels, interpolation=interpolation)

    assert gradcheck(function, (x, table))
    assert gradgradcheck(function, (x, table))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script")
def test_transforms_see_through_it() -> None:
    levels = some_levels(2)
    table, x = some_table(levels, 2).double(), some_coords(5, 2, spread=0.9).double()

    def function(x: Tensor) -> Tensor:
        return grid_interpolate(x, table, levels, interpolation="smoothstep", sparse=True)

    assert_close(vmap(function)(x), function(x))
    assert_close(vmap(jacfwd(function))(x), vmap(jacrev(function))(x))
    tables = torch.stack([table, 2 * table])
    both = vmap(lambda table: grid_interpolate(x, table, levels))(tables)
    assert_close(both[1], 2 * both[0])


# ---- the compiled version against the reference

Results = tuple[Tensor, Tensor, Tensor]


def compiled(
    x: Tensor, table: Tensor, levels: Levels, interpolation: str, sparse: bool = False
) -> Tensor:
    """The version under test, never the reference."""
    own = implementation(grid)
    return grid.autograd.grid_interpolate(own, x, table, levels, interpolation, sparse)


def values_and_gradients(
    function: Callable[..., Tensor],
    x: Tensor,
    table: Tensor,
    levels: Levels,
    interpolation: str,
    *options: bool,
) -> Results:
    x, table = x.detach().requires_grad_(), table.detach().requires_grad_()
    y = function(x, table, levels, interpolation, *options)
    g = torch.Generator().manual_seed(7)
    grad_y = torch.randn(y.shape, generator=g).to(y.dtype)
    return (y.detach(), *torch.autograd.grad(y, (x, table), grad_y))


def check_agreement(x: Tensor, table: Tensor, levels: Levels, interpolation: str) -> None:
    """The version in float32 against the reference in float64, to 1e-5 of the largest value."""
    got = values_and_gradients(compiled, x, table, levels, interpolation)
    want = values_and_gradients(
        reference.grid_interpolate, x.double(), table.double(), levels, interpolation
    )
    for ours, theirs in zip(got, want, strict=True):
        scale = theirs[~theirs.isnan()].abs().max().item() if theirs.numel() else 0.0
        assert_close(ours.double(), theirs, rtol=0, atol=1e-5 * scale, equal_nan=True)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("dim", DIMS)
def test_native_agrees_with_the_reference(level: str, dim: int, features: int) -> None:  # noqa: F811
    x = torch.cat([some_coords(311, dim), awkward_coords(dim)])
    for interpolation, overflow in itertools.product(INTERPOLATIONS, OVERFLOWS):
        levels = some_levels(dim, overflow)
        check_agreement(x, some_table(levels, features), levels, interpolation)


@pytest.mark.parametrize("points", [0, 1, 2, 7, 8, 17, 255, 256, 257, 1031])
def test_any_number_of_points(level: str, points: int) -> None:  # noqa: F811
    levels = some_levels(3)
    check_agreement(some_coords(points, 3), some_table(levels, 2), levels, "linear")


def test_a_single_cell_and_many_levels(level: str) -> None:  # noqa: F811
    for resolutions in ([[1, 1]], [[1, 2**24]], [[1 + n, 2] for n in range(64)]):
        levels = make_levels(resolutions, max_rows=64)
        check_agreement(some_coords(31, 2), some_table(levels, 4), levels, "smoothstep")


@needs_native
def test_check_agreement_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = some_levels(2)
    x, table = some_coords(31, 2), some_table(levels, 2)
    true = native.forward
    for error in (1e-4, NAN):
        monkeypatch.setattr(native, "forward", lambda *a, error=error: true(*a) * (1 + error))
        with pytest.raises(AssertionError):
            check_agreement(x, table, levels, "linear")


@needs_native
def test_float32_positions_are_exact() -> None:
    # Rounded to float32, a position among 2^20 cells would be off by 3 % of a cell.
    levels = make_levels([[2**20]], max_rows=2**12)
    x, table = some_coords(1031, 1), some_table(levels, 1)
    check_agreement(x, table, levels, "linear")
    ours = reference.grid_interpolate(x, table, levels, "linear")
    assert_close(
        ours.double(), reference.grid_interpolate(x.double(), table.double(), levels, "linear")
    )


# ---- awkward input


def test_outside_the_border_goes_on(version: str) -> None:  # noqa: F811
    levels = some_levels(2)
    table = some_table(levels, 2)
    x = torch.tensor([[1.5, 0.3], [-INF, 0.3], [0.3, 1e20]]).requires_grad_()
    y = grid_interpolate(x, table, levels)
    border = grid_interpolate(x.detach().clamp(-1, 1), table, levels)
    assert torch.equal(y, border)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(grad == 0, torch.tensor([[True, False], [True, False], [False, True]]))


def test_on_the_border_the_slope_is_that_of_the_cell(version: str) -> None:  # noqa: F811
    levels = make_levels([[2]], max_rows=None)
    table = torch.tensor([[0.0], [10.0], [30.0]])
    x = torch.tensor([[-1.0], [0.0], [1.0]]).requires_grad_()
    (grad,) = torch.autograd.grad(grid_interpolate(x, table, levels).sum(), x)
    assert grad.flatten().tolist() == [10.0, 20.0, 20.0]


@pytest.mark.parametrize("sparse", [False, True])
def test_nan_stays_with_its_point(version: str, sparse: bool) -> None:  # noqa: F811
    levels = some_levels(3)
    table = some_table(levels, 4).requires_grad_()
    x = some_coords(29, 3)
    x[5, 1] = x[17, 0] = NAN
    x.requires_grad_()
    y = grid_interpolate(x, table, levels, sparse=sparse)
    lost = torch.zeros(29, dtype=torch.bool)
    lost[[5, 17]] = True
    assert torch.equal(y.isnan(), lost[:, None].expand_as(y))
    grad_x, grad_table = torch.autograd.grad(y, (x, table), y.detach())
    assert grad_x.isfinite().all()
    assert not grad_x[lost].any()
    others = x.detach()[~lost]
    y = grid_interpolate(others, table, levels)
    (want,) = torch.autograd.grad(y, table, y.detach())
    assert_close(grad_table.to_dense(), want)


@needs_native
def test_layouts_that_are_not_contiguous() -> None:
    levels = some_levels(3)
    table, x = some_table(levels, 2), some_coords(35, 3)
    want = values_and_gradients(compiled, x, table, levels, "linear", False)
    transposed_table = table.mT.contiguous().mT
    wide = torch.cat([x, x], -1)
    reversed_twice = x.flip(0).contiguous().flip(0)
    for other in (x.mT.contiguous().mT, wide[:, :3], reversed_twice, x.reshape(5, 7, 3)):
        got = values_and_gradients(compiled, other, transposed_table, levels, "linear", False)
        for ours, theirs in zip(got, want, strict=True):
            assert torch.equal(ours.reshape(theirs.shape), theirs)
    one = x[:1].expand(35, 3)
    assert torch.equal(
        compiled(one, table, levels, "linear", False),
        compiled(one.contiguous(), table, levels, "linear", False),
    )
    x.requires_grad_()
    y = compiled(x, table, levels, "linear", False)
    (expanded,) = torch.autograd.grad(y.sum(), x, retain_graph=True)
    (plain,) = torch.autograd.grad(y, x, torch.ones_like(y))
    assert torch.equal(expanded, plain)


def test_bad_arguments_are_told() -> None:
    levels = some_levels(2)
    table, x = some_table(levels, 2), some_coords(3, 2)
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 2\), got \(3, 3\)"):
        grid_interpolate(some_coords(3, 3), table, levels)
    with pytest.raises(ValueError, match="interpolation to be linear or smoothstep, got 'cubic'"):
        grid_interpolate(x, table, levels, interpolation="cubic")
    for wrong in (table[1:], table[:, :0], table[:0]):
        with pytest.raises(ValueError, match="expected a table of shape"):
            grid_interpolate(x, wrong, levels)


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_of_finer_levels_are_neither_read_nor_changed(sparse: bool) -> None:
    levels = some_levels(2)
    first, x = levels.first(2), some_coords(50, 2)
    table = some_table(levels, 2).requires_grad_()
    own = table.detach()[: first.num_rows].clone().requires_grad_()
    found = grid_interpolate(x, table, first, sparse=sparse)
    assert torch.equal(found, grid_interpolate(x, own, first))
    (grad,) = torch.autograd.grad(found.square().sum(), table)
    (expected,) = torch.autograd.grad(grid_interpolate(x, own, first).square().sum(), own)
    assert torch.equal(grad.to_dense()[: first.num_rows], expected)
    assert not grad.to_dense()[first.num_rows :].any()
    assert levels.first(len(levels.levels)) is levels


def test_sizes_that_native_lacks_are_served_by_the_reference() -> None:
    levels = some_levels(2)
    table, x = some_table(levels, 3), some_coords(5, 2)
    assert_close(
        grid_interpolate(x, table, levels),
        reference.grid_interpolate(x, table, levels, "linear"),
    )
    double = grid_interpolate(x.double(), some_table(levels, 2).double(), levels)
    assert double.dtype == torch.float64


@needs_native
def test_the_border_of_the_library_lets_nothing_wrong_through() -> None:
    compiled_library = library.native()
    levels = some_levels(2)
    x, table = some_coords(5, 2), some_table(levels, 2)
    y = torch.empty(5, len(levels.levels) * 2)

    def call(columns: np.ndarray, *tensors: Tensor, threads: int = 1) -> None:
        compiled_library.grid_forward(columns, False, threads, *tensors)

    call(levels.columns, table, x, y)
    for tensors in (
        (table[1:], x, y),
        (table, x[:4], y),
        (table, x[:, :1].contiguous(), y),
        (table, x, y[:, 1:].contiguous()),
        (table[:, :1].contiguous(), x, y),
        (table.flatten(), x, y),
        (table, x.flatten(), y),
    ):
        with pytest.raises(ValueError, match="grid: "):
            call(levels.columns, *tensors)
    for threads in (0, -1):
        with pytest.raises(ValueError, match="grid: threads"):
            call(levels.columns, table, x, y, threads=threads)
    for tensors in ((table.double(), x, y), (table, x.mT.contiguous().mT, y)):
        with pytest.raises(TypeError):
            call(levels.columns, *tensors)
    last = len(levels.levels) - 1
    for place, value in [
        ((0, 0), 3), ((0, 0), -1), ((0, 1), 1), ((0, 2), 0), ((0, 2), -5), ((0, 2), 2**41),
        ((0, 3), 0), ((0, 3), 2**25), ((0, 7), 0), ((0, 7), 1), ((0, 8), 2**62), ((0, 4), 10),
        ((last, 2), 255), ((last, 0), 0), ((last, 0), 1), ((1, 1), 2**63 - 1),
    ]:  # fmt: skip
        columns = levels.columns.copy()
        columns[place] = value
        with pytest.raises(ValueError, match="grid: "):
            call(columns, table, x, y)
    with pytest.raises(ValueError, match="grid: levels"):
        call(levels.columns[:, :10].copy(), table, x, y)
    grad = torch.empty_like(table)
    with pytest.raises(ValueError, match="grid: room"):
        compiled_library.grid_backward_touched(
            levels.columns, False, 1, x, y, torch.empty(3, dtype=torch.int64), grad[:3]
        )


# ---- derivatives of derivatives


def check_second_derivatives(interpolation: str, dim: int) -> None:
    levels = some_levels(dim)
    results = []
    for function, dtype in (
        (compiled, torch.float32),
        (reference.grid_interpolate, torch.float64),
    ):
        x = some_coords(31, dim, spread=1).to(dtype).requires_grad_()
        table = some_table(levels, 2).to(dtype).requires_grad_()
        y = function(x, table, levels, interpolation)
        weight = torch.linspace(-1, 1, y.numel(), dtype=dtype).reshape(y.shape)
        first = torch.autograd.grad((weight * y).sin().sum(), (x, table), create_graph=True)
        loss = first[0].square().sum() + first[1].square().sum()
        results.append(torch.autograd.grad(loss, (x, table)))
    for ours, theirs in zip(*results, strict=True):
        scale = theirs.abs().max().item()
        assert_close(ours.double(), theirs, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dim", [1, 3])
def test_second_derivatives_through_native(level: str, dim: int, interpolation: str) -> None:  # noqa: F811
    check_second_derivatives(interpolation, dim)


@needs_native
def test_check_second_derivatives_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    true = grid.autograd.gradients_by_reference

    def cut(*arguments: object) -> list[Tensor | None]:
        return [None if g is None else g.detach() + 0 * g for g in true(*arguments)]

    monkeypatch.setattr(grid.autograd, "gradients_by_reference", cut)
    with pytest.raises(AssertionError):
        check_second_derivatives("smoothstep", 2)


@needs_native
@pytest.mark.parametrize("wanted", ["x", "table"])
def test_only_what_is_asked_for_is_differentiated(wanted: str) -> None:
    levels = some_levels(2)
    x, table = some_coords(5, 2), some_table(levels, 2)
    leaf = (x if wanted == "x" else table).requires_grad_()
    y = compiled(x, table, levels, "linear", False)
    y.sum().backward()
    assert leaf.grad is not None
    assert (x.grad is None) != (table.grad is None)


# ---- the same bytes


def check_threads_do_not_matter(levels: Levels, sparse: bool) -> None:
    x, table = some_coords(5003, levels.dim), some_table(levels, 2)
    results = []
    try:
        for threads in (1, 2, 7, 1):
            torch.set_num_threads(threads)
            results.append(values_and_gradients(compiled, x, table, levels, "linear", sparse))
    finally:
        torch.set_num_threads(1)
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            assert torch.equal(ours.to_dense(), theirs.to_dense())


@pytest.mark.parametrize("sparse", [False, True])
def test_threads_do_not_change_a_byte(level: str, sparse: bool) -> None:  # noqa: F811
    check_threads_do_not_matter(some_levels(2), sparse)
    check_threads_do_not_matter(some_levels(3, "tiled"), sparse)
    check_threads_do_not_matter(make_levels([[7, 5]], max_rows=None), sparse)


@needs_native
def test_check_threads_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    true = native.forward
    monkeypatch.setattr(native, "forward", lambda *a: true(*a) + 1e-6 * torch.get_num_threads())
    with pytest.raises(AssertionError):
        check_threads_do_not_matter(some_levels(2), False)


# ---- sparse gradients


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("features", FEATURES)
def test_sparse_gradients_are_the_dense_ones(level: str, dim: int, features: int) -> None:  # noqa: F811
    x = torch.cat([some_coords(521, dim), awkward_coords(dim)])
    # The size of a table and the number of its features do not meet in the code.
    sizes = (256, 2**20) if features == 2 else (256,)
    for overflow, max_rows in itertools.product(OVERFLOWS, sizes):
        levels = some_levels(dim, overflow, max_rows)
        table = some_table(levels, features)
        _, _, dense = values_and_gradients(compiled, x, table, levels, "linear", False)
        _, _, sparse = values_and_gradients(compiled, x, table, levels, "linear", True)
        assert sparse.is_sparse
        assert sparse.is_coalesced()
        rows = sparse.indices()[0]
        assert (rows.diff() > 0).all()
        torch.sparse_coo_tensor(rows[None], sparse.values(), sparse.shape, check_invariants=True)
        assert torch.equal(sparse.to_dense(), dense)
        untouched = torch.ones(len(table), dtype=torch.bool)
        untouched[rows] = False
        assert not dense[untouched].any()


def test_the_reference_gives_sparse_gradients_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    levels = some_levels(2)
    x, table = some_coords(5, 2), some_table(levels, 2).requires_grad_()
    grads = []
    for sparse in (False, True):
        y = grid_interpolate(x, table, levels, sparse=sparse)
        (grad,) = torch.autograd.grad(y.square().sum(), table)
        assert grad.is_sparse == sparse
        grads.append(grad)
    assert grads[1].is_coalesced()
    assert torch.equal(grads[1].to_dense(), grads[0])
    assert len(grads[1].values()) < len(table) / 4


def test_sparse_gradients_can_be_differentiated_again(version: str) -> None:  # noqa: F811
    levels = some_levels(2)
    x, table = some_coords(5, 2), some_table(levels, 2).requires_grad_()
    seconds = []
    for sparse in (False, True):
        y = grid_interpolate(x, table, levels, sparse=sparse)
        (first,) = torch.autograd.grad(y.pow(3).sum(), table, create_graph=True)
        seconds.append(torch.autograd.grad(first.square().sum(), table)[0].to_dense())
    assert_close(seconds[1], seconds[0])
    assert seconds[0].any()


@needs_native
def test_sparse_gradients_of_no_points() -> None:
    levels = some_levels(2)
    _, grad_x, grad = values_and_gradients(
        compiled, torch.empty(0, 2), some_table(levels, 2), levels, "linear", True
    )
    assert grad_x.shape == (0, 2)
    assert grad._nnz() == 0
    assert grad.shape == (levels.num_rows, 2)


# ---- tables of more than 2^31 numbers, of which a few are real


def large_table(rows: int, features: int) -> Tensor:
    """Memory that the system promises, and gives only where something is written."""
    size = 4 * rows * features
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
    try:
        memory = mmap.mmap(-1, size, flags=flags)
    except OSError:
        pytest.skip(f"this machine does not promise {size / 2**30:.0f} GiB")
    return torch.from_numpy(np.frombuffer(memory, np.float32).reshape(rows, features))


@pytest.mark.skipif(sys.platform != "linux", reason="promised memory is Linux's")
@pytest.mark.parametrize(
    ("cells", "features", "max_rows", "overflow"),
    [
        ((50_000, 49_999), 1, None, "hashed"),  # 2.5e9 rows: 32 bits, unsigned
        ((70_000, 65_537), 1, None, "hashed"),  # 4.6e9 rows: more than 32 bits
        ((1_999, 1_500, 1_600), 1, None, "hashed"),
        ((40_000, 39_999), 2, None, "hashed"),
        ((2**20, 2**20), 1, 2**32, "hashed"),
        ((2**20, 2**20), 1, 2**32, "tiled"),
        ((2**20, 2**20), 4, 2**30, "tiled"),
    ],
    ids=str,
)
def test_tables_of_more_than_2_31_numbers(
    level: str,  # noqa: F811
    cells: tuple[int, ...],
    features: int,
    max_rows: int | None,
    overflow: str,
) -> None:
    levels = make_levels([[3] * len(cells), cells], max_rows=max_rows, overflow=overflow)
    assert levels.num_rows * features > 2**31
    table = large_table(levels.num_rows, features)
    # Few points, and the last cell among them.
    x = torch.cat([some_coords(11, len(cells)), torch.ones(1, len(cells))])
    fine, position = levels.levels[1], (x.double().clamp(-1, 1) + 1) / 2
    low = [(position[:, axis] * n).floor().clamp(max=n - 1).long() for axis, n in enumerate(cells)]
    rows = fine.offset + corner_rows(low, fine)
    assert rows.max() * features > 2**31
    table[rows] = torch.randn(*rows.shape, features, generator=torch.Generator().manual_seed(3))
    for interpolation in INTERPOLATIONS:
        y, grad_x, grad = values_and_gradients(compiled, x, table, levels, interpolation, True)
        want = torch.tensor(
            [oracle_features(p, table.numpy(), levels, interpolation) for p in x.double().tolist()]
        )
        assert want[:, -features:].all()
        assert_close(y, want.float(), rtol=1e-5, atol=1e-5)
        assert grad_x.any(-1).sum() >= 3
        touched = grad.indices()[0]
        assert set(rows.unique().tolist()) == set(touched[touched >= fine.offset].tolist())


# ---- the geometry of levels


def test_levels_are_dense_where_they_fit() -> None:
    levels = make_levels([[3, 4], [9, 9], [10, 9]], max_rows=100, overflow="tiled")
    kinds = [(own.kind, own.offset, own.size, own.tile) for own in levels.levels]
    assert kinds == [
        ("dense", 0, 20, (4, 5)),
        ("dense", 20, 100, (10, 10)),
        ("tiled", 120, 100, (10, 10)),
    ]
    assert (levels.num_rows, levels.dim) == (220, 2)


@pytest.mark.parametrize(
    ("vertices", "max_rows", "tile"),
    [
        ((100,), 7, (7,)),
        ((100, 100), 35, (5, 7)),
        ((3, 100), 35, (3, 11)),
        ((100, 3), 35, (11, 3)),
        ((100, 2, 100), 2**11, (32, 2, 32)),
        ((10**6, 10**6, 10**6), 10**9, (1000, 1000, 1000)),
        ((100, 100, 100, 100), 3, (1, 1, 1, 3)),
    ],
)
def test_tiles_are_as_square_as_they_can_be(
    vertices: tuple[int, ...], max_rows: int, tile: tuple[int, ...]
) -> None:
    assert largest_tile(vertices, max_rows) == tile
    assert math.prod(tile) <= max_rows


def test_tiles_repeat_over_the_box() -> None:
    levels = make_levels([[64]], max_rows=16, overflow="tiled")
    table = some_table(levels, 2).double()
    x = some_coords(17, 1, spread=0.2).double()
    here = reference.grid_interpolate(x, table, levels, "linear")
    there = reference.grid_interpolate(x + 0.5, table, levels, "linear")  # 16 cells on
    assert_close(there, here)
