"""Planes and tensor factors against `grid_sample` and explicit sums, written independently."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch.testing import assert_close

from neurafield.encodings import (
    AbstractEncoding,
    CPFactors,
    DenseGrid,
    KPlanes,
    TriPlane,
    VMFactors,
)


def points(dim: int) -> Tensor:
    """Also outside of the box."""
    generator = torch.Generator().manual_seed(1)
    return 2.4 * torch.rand(101, dim, generator=generator, dtype=torch.float64) - 1.2


def sampled(table: Tensor, cells: Sequence[int], x: Tensor) -> Tensor:
    """A line or plane of one or more blocks of features, one behind the other, interpolated."""
    features = []
    for block in table.split(len(table) // max(1, len(table) // rows(cells))):
        # A line as a plane of one column; grid_sample wants the last axis first.
        sides = [n + 1 for n in cells] if len(cells) == 2 else [cells[0] + 1, 1]
        where = x if len(cells) == 2 else torch.cat([x, torch.zeros_like(x)], dim=-1)
        picture = block.reshape(*sides, -1).movedim(-1, 0)[None]
        got = grid_sample(
            picture, where.flip(-1)[None, None], padding_mode="border", align_corners=True
        )
        features.append(got[0, :, 0].mT)
    return torch.cat(features, dim=-1)


def rows(cells: Sequence[int]) -> int:
    """Vertices of a line or plane."""
    return torch.Size([n + 1 for n in cells]).numel()


def randomised(encoding: AbstractEncoding) -> AbstractEncoding:
    """In float64, with values that make every mistake visible."""
    generator = torch.Generator().manual_seed(2)
    for parameter in encoding.double().parameters():
        parameter.data.normal_(generator=generator)
    return encoding


def check_against(encoding: AbstractEncoding, x: Tensor, expected: Tensor) -> None:
    """Values, and the gradients of coordinates and tables."""
    got = encoding(x)
    assert_close(got, expected)
    weight = torch.linspace(-1, 2, got.numel(), dtype=got.dtype).reshape(got.shape)
    inputs = [x, *encoding.parameters()]
    mine = torch.autograd.grad((weight * got).sum(), inputs)
    theirs = torch.autograd.grad((weight * expected).sum(), inputs)
    for ours, other in zip(mine, theirs, strict=True):
        assert_close(ours, other)


@pytest.mark.parametrize("features", [2, 24])
def test_tri_plane_adds_three_planes(features: int) -> None:
    encoding = randomised(TriPlane(3, resolution=[5, 7, 11], features=features))
    xy, xz, yz = encoding.factors
    x = points(3).requires_grad_()
    expected = (
        sampled(xy, [5, 7], x[:, [0, 1]])
        + sampled(xz, [5, 11], x[:, [0, 2]])
        + sampled(yz, [7, 11], x[:, [1, 2]])
    )
    check_against(encoding, x, expected)


def test_check_against_can_fail() -> None:
    encoding = randomised(TriPlane(3, resolution=[5, 7, 11], features=2))
    x = points(3).requires_grad_()
    with pytest.raises(AssertionError):
        check_against(encoding, x, encoding(x.flip(-1)))
    with pytest.raises(AssertionError):  # Equal values, other gradients.
        check_against(encoding, x, encoding(x) + (x - x.detach())[:, :1])


@pytest.mark.parametrize("dim", [2, 3, 4])
def test_k_planes_multiply_all_pairs(dim: int) -> None:
    cells = [3, 2, 5, 7][:dim]
    encoding = randomised(KPlanes(dim, resolution=cells, num_levels=2, features=8, time_axis=1))
    x = points(dim).requires_grad_()
    tables = iter(encoding.factors)
    first = torch.ones(101, 8, dtype=torch.float64)
    second = torch.ones(101, 8, dtype=torch.float64)
    for a in range(dim):
        for b in range(a + 1, dim):
            table = next(tables)
            finer = [2 * cells[axis] if axis != 1 else cells[axis] for axis in (a, b)]
            coarse = [cells[a], cells[b]]
            first = first * sampled(table[: rows(coarse)], coarse, x[:, [a, b]])
            second = second * sampled(table[rows(coarse) :], finer, x[:, [a, b]])
    check_against(encoding, x, torch.cat([first, second], dim=-1))


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
def test_cp_factors_multiply_lines(dim: int) -> None:
    cells = [3, 2, 5, 7][:dim]
    encoding = randomised(CPFactors(dim, resolution=cells, components=16))
    x = points(dim).requires_grad_()
    expected = torch.ones(101, 16, dtype=torch.float64)
    for axis, table in enumerate(encoding.factors):
        expected = expected * sampled(table, [cells[axis]], x[:, [axis]])
    check_against(encoding, x, expected)


def test_vm_factors_multiply_a_line_and_a_plane() -> None:
    encoding = randomised(VMFactors(3, resolution=[5, 7, 11], components=4))
    v0, m12, v1, m02, v2, m01 = encoding.factors
    x = points(3).requires_grad_()
    expected = [
        sampled(v0, [5], x[:, [0]]) * sampled(m12, [7, 11], x[:, [1, 2]]),
        sampled(v1, [7], x[:, [1]]) * sampled(m02, [5, 11], x[:, [0, 2]]),
        sampled(v2, [11], x[:, [2]]) * sampled(m01, [5, 7], x[:, [0, 1]]),
    ]
    check_against(encoding, x, torch.cat(expected, dim=-1))


def test_factors_at_vertices_are_the_tensors_of_the_papers() -> None:
    axes = [torch.linspace(-1, 1, n + 1, dtype=torch.float64) for n in (2, 3, 4)]
    x = torch.cartesian_prod(*axes)
    cp = randomised(CPFactors(3, resolution=[2, 3, 4], components=8))
    tensor = torch.einsum("ir,jr,kr->ijk", *cp.factors)
    assert_close(cp(x).sum(-1).reshape(3, 4, 5), tensor)
    vm = randomised(VMFactors(3, resolution=[2, 3, 4], components=2))
    v0, m12, v1, m02, v2, m01 = (factor.detach() for factor in vm.factors)
    tensor = (
        torch.einsum("ir,jkr->ijk", v0, m12.reshape(4, 5, 2))
        + torch.einsum("jr,ikr->ijk", v1, m02.reshape(3, 5, 2))
        + torch.einsum("kr,ijr->ijk", v2, m01.reshape(3, 4, 2))
    )
    assert_close(vm(x).sum(-1).reshape(3, 4, 5), tensor)


def test_in_two_dimensions_planes_are_dense_grids() -> None:
    x = points(2)
    dense = randomised(DenseGrid(2, resolution=[5, 7], features=4))
    for planes in (TriPlane, KPlanes):
        one = planes(2, resolution=[5, 7], features=4)
        one.load_state_dict({"factors.0": dense.table.data})
        assert_close(one.double()(x), dense(x), rtol=1e-6, atol=1e-6)


def test_planes_start_so_that_products_do_not_vanish() -> None:
    generator = torch.Generator().manual_seed(0)
    clip = KPlanes(3, resolution=7, num_levels=2, time_axis=0, generator=generator)
    t_row, t_column, space = clip.factors
    assert torch.equal(t_row, torch.ones_like(t_row))
    assert torch.equal(t_column, torch.ones_like(t_column))
    assert 0.1 <= space.min() < 0.11
    assert 0.49 < space.max() <= 0.5
    # Nothing moves at first.
    still = clip(torch.tensor([[-0.7, 0.3, 0.1], [0.4, 0.3, 0.1]]))
    assert_close(still[0], still[1])


@pytest.mark.parametrize("make", [TriPlane, KPlanes, CPFactors, VMFactors])
def test_beyond_the_box_the_border_goes_on(make: Any) -> None:
    encoding = randomised(make(3, resolution=5))
    x = torch.tensor([[3.0, 0.2, -0.1], [1.0, 0.2, -0.1]], dtype=torch.float64).requires_grad_()
    outside, border = encoding(x)
    assert torch.equal(outside, border)
    (slope,) = torch.autograd.grad(outside.sum(), x)
    assert slope[0, 0] == 0
    assert slope[0, 1] != 0
    lost = torch.tensor([0.0, float("nan"), 0.0], dtype=torch.float64)
    assert encoding(lost)[-1].isnan()


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda **o: TriPlane(1, resolution=3, **o), {}, "in_dim between 2 and 4, got 1"),
        (lambda **o: TriPlane(3, resolution=3, **o), {"features": 12}, "features to be .*got 12"),
        (lambda **o: TriPlane(3, resolution=3, **o), {"features": 520}, "between 1 and 512"),
        (lambda **o: TriPlane(3, resolution=3, **o), {"interpolation": "cubic"}, "got 'cubic'"),
        (lambda **o: KPlanes(3, resolution=3, **o), {"time_axis": 3}, "time_axis between 0 and 2"),
        (
            lambda **o: KPlanes(3, resolution=3, **o),
            {"num_levels": 40},
            "features between 1 and 12",
        ),
        (
            lambda **o: KPlanes(3, resolution=2**20, features=8, **o),
            {"num_levels": 8},
            "cells of the finest level between",
        ),
        (lambda **o: CPFactors(5, resolution=3, **o), {}, "in_dim between 1 and 4, got 5"),
        (lambda **o: CPFactors(2, resolution=3, **o), {"components": 0}, "components between 1"),
        (lambda **o: VMFactors(4, resolution=3, **o), {}, "in_dim between 2 and 3, got 4"),
        (lambda **o: VMFactors(3, resolution=[3, 3], **o), {}, "resolution to have 3 values"),
    ],
)
def test_factors_refuse(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)
