"""Levels of detail: values, shared parameters, errors, and the map."""

import copy
import itertools

import pytest
import torch
from torch.func import functional_call, jacrev, vmap
from torch.testing import assert_close

from neurafield import Field
from neurafield._component import AbstractComponent
from neurafield.derivatives import Jet
from neurafield.encodings import HashGrid, Positional
from neurafield.fit import Constraint, fit
from neurafield.maps import Jacobian, LevelOfDetail
from neurafield.networks import MLP, Linear
from neurafield.signals import Samples

from ..cases import COMPONENT_CASES, Case, hash_grid

LEVELLED = [case for case in COMPONENT_CASES if case.build().num_lods > 1]
"""All components with several levels."""

levelled = pytest.mark.parametrize("case", LEVELLED, ids=str)


def test_some_components_have_levels() -> None:
    assert {"hash-grid"} <= {case.name for case in LEVELLED}


@pytest.mark.parametrize("case", COMPONENT_CASES, ids=str)
def test_the_last_level_is_the_whole_bit_for_bit(case: Case) -> None:
    whole, x = case.build(), case.coords(7)
    last = whole.at_lod(whole.num_lods - 1)
    assert torch.equal(last(x), whole(x))
    assert torch.equal(last.jet(Jet.root(x)).streams, whole.jet(Jet.root(x)).streams)
    assert whole.lod == whole.num_lods - 1


def check_shared(whole: AbstractComponent, view: AbstractComponent) -> None:
    """Checks that parameters are shared, also after the module replaces them."""
    assert view.state_dict().keys() == whole.state_dict().keys()
    for ours, theirs in zip(view.parameters(), whole.parameters(), strict=True):
        assert ours is theirs
    whole.double()
    assert all(tensor.dtype == torch.float64 for tensor in view.parameters())
    state = {name: torch.ones_like(tensor) for name, tensor in whole.state_dict().items()}
    whole.load_state_dict(state, assign=True)
    for tensor in view.state_dict().values():
        assert torch.equal(tensor, torch.ones_like(tensor))


@levelled
def test_all_levels_share_their_parameters(case: Case) -> None:
    whole = case.build()
    check_shared(whole, whole.at_lod(0))


@levelled
def test_check_shared_can_fail(case: Case) -> None:
    whole = case.build()
    with pytest.raises(AssertionError):
        check_shared(whole, copy.deepcopy(whole).at_lod(0))


@levelled
def test_levels_differ_and_can_be_chosen_from_any_view(case: Case) -> None:
    whole, x = case.build(), case.coords(7)
    found = [whole.at_lod(lod)(x) for lod in range(whole.num_lods)]
    for coarse, fine in itertools.pairwise(found):
        assert coarse.shape == fine.shape
        assert not torch.equal(coarse, fine)
    assert torch.equal(whole.at_lod(0).at_lod(whole.num_lods - 1)(x), whole(x))
    assert "lod=0" in repr(whole.at_lod(0))
    assert "lod=" not in repr(whole)


@levelled
def test_a_level_has_a_jet_of_its_own(case: Case) -> None:
    x = case.coords(5).double()
    view = case.build().double().at_lod(1)
    got = view.jet(Jet.root(x))
    assert_close(got.value, view(x))
    second = vmap(jacrev(jacrev(view)))(x).diagonal(dim1=-2, dim2=-1).sum(-1)
    assert_close(got.laplacian, second)


@levelled
def test_parameters_from_outside_reach_a_level(case: Case) -> None:
    whole, x = case.build(), case.coords(5)
    other = case.build(seed=1)
    view = whole.at_lod(0)
    assert_close(functional_call(view, other.state_dict(), (x,)), other.at_lod(0)(x))


@pytest.mark.compiled
@levelled
def test_torch_compile_accepts_a_level(case: Case) -> None:
    view, x = case.build().at_lod(0), case.coords(13)
    torch._dynamo.reset()
    assert_close(torch.compile(view, backend="aot_eager", fullgraph=True)(x), view(x))


@pytest.mark.parametrize("lod", [-1, 5])
def test_a_missing_level_is_refused(lod: int) -> None:
    grid = hash_grid(2)
    field = Field(Linear(grid.out_dim, 1), encoding=grid)
    for levels in (grid, field):
        with pytest.raises(ValueError, match=rf"lod between 0 and 4, got {lod}"):
            levels.at_lod(lod)
    with pytest.raises(TypeError, match=r"Python int|^Type-check error"):
        grid.at_lod(1.0)
    with pytest.raises(ValueError, match="lod between 0 and 0, got 1"):
        Positional(2, 3).at_lod(1)


# ---- grids


def test_a_cut_grid_has_zeros_for_finer_levels() -> None:
    grid, x = hash_grid(3), 2 * torch.rand(11, 3) - 1
    for lod in range(5):
        expected = grid(x).clone()
        expected[:, 2 * (lod + 1) :] = 0
        assert torch.equal(grid.at_lod(lod)(x), expected)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_cut_grid_gives_gradients_to_its_levels_only(sparse: bool, dtype: torch.dtype) -> None:
    grid = hash_grid(2, sparse=sparse).to(dtype)
    x = (2 * torch.rand(50, 2, dtype=dtype) - 1).requires_grad_()
    factors = torch.randn(50, grid.out_dim, dtype=dtype)
    factors[:, 4:] = 0
    (grid(x) * factors).sum().backward()
    expected = grid.table.grad, x.grad
    grid.table.grad = x.grad = None
    (grid.at_lod(1)(x) * factors).sum().backward()
    assert grid.table.grad.is_sparse == sparse
    assert_close(grid.table.grad.to_dense(), expected[0].to_dense())
    assert_close(x.grad, expected[1])
    first_finer = grid.levels.levels[2].offset
    assert not grid.table.grad.to_dense()[first_finer:].any()
    assert grid.table.grad.to_dense()[:first_finer].any()


# ---- fields


class TwoLevels(Linear):
    """A network with two levels."""

    num_lods = 2  # type: ignore[assignment]


def test_a_field_has_the_levels_of_its_encoding_or_its_network() -> None:
    grid = hash_grid(2)
    x = torch.rand(7, 2)
    field = Field(MLP(10, 3, width=7, depth=1), encoding=grid)
    assert field.num_lods == 5
    assert torch.equal(field.at_lod(2)(x), field.network(grid.at_lod(2)(x)))
    assert torch.equal(field.at_lod(4)(x), field(x))
    assert torch.equal(
        field.at_lod(2).jet(x).value, field.network.jet(grid.at_lod(2).jet(Jet.root(x))).value
    )
    assert Field(TwoLevels(2, 1)).num_lods == 2
    assert Field(TwoLevels(2, 1)).at_lod(0).network.lod == 0
    alone = Field(Linear(2, 1))
    assert alone.num_lods == 1
    assert torch.equal(alone.at_lod(0)(x), alone(x))
    with pytest.raises(ValueError, match="one part at most, got 5 in HashGrid and 2 in TwoLevels"):
        Field(TwoLevels(10, 1), encoding=grid)


# ---- the map


def test_the_map_reads_a_level() -> None:
    grid, x = hash_grid(2), torch.rand(7, 2)
    field = Field(Linear(10, 1), encoding=grid)
    assert torch.equal(LevelOfDetail(1)(field, x), field.at_lod(1)(x))
    slopes = LevelOfDetail(1, of=Jacobian())(field, x)
    assert_close(slopes, field.at_lod(1).jet(x).jacobian)
    with pytest.raises(ValueError, match="lod between 0 and 4, got 5"):
        LevelOfDetail(5)(field, x)
    with pytest.raises(ValueError, match="LevelOfDetail: expected lod"):
        LevelOfDetail(-1)
    with pytest.raises(TypeError, match="with levels of detail, got builtin_function"):
        LevelOfDetail(0)(torch.sin, x)


def test_different_maps_have_different_fingerprints() -> None:
    prints = {
        LevelOfDetail(0).fingerprint(),
        LevelOfDetail(1).fingerprint(),
        LevelOfDetail(0, of=Jacobian()).fingerprint(),
    }
    assert len(prints) == 3
    assert LevelOfDetail(1).fingerprint() == LevelOfDetail(1).fingerprint()


def levels_of(field: Field, signal: Samples) -> list[Constraint]:
    return [
        Constraint(signal=signal, map=LevelOfDetail(lod), name=f"level {lod}")
        for lod in range(field.num_lods)
    ]


def smallest_errors(every_level: bool) -> list[float]:
    generator = torch.Generator().manual_seed(0)
    grid = HashGrid(1, num_levels=3, base_resolution=4, finest_resolution=64, generator=generator)
    field = Field(Linear(grid.out_dim, 1, generator=generator), encoding=grid)
    x = torch.linspace(-1, 1, 200)[:, None]
    y = (3 * x).sin() + 0.2 * (40 * x).sin()
    signal = Samples(x, y)
    problem = levels_of(field, signal) if every_level else Constraint(signal=signal)
    fit(field, problem, steps=200, lr=1e-2)
    with torch.no_grad():
        return [(field.at_lod(lod)(x) - y).square().mean().item() for lod in range(3)]


def test_training_all_levels_makes_each_one_accurate() -> None:
    errors = smallest_errors(every_level=True)
    assert errors[0] < 0.03  # The mean square of the fine sine is 0.02.
    assert errors[2] < errors[0] / 10


def test_training_only_the_whole_leaves_coarse_levels_inaccurate() -> None:
    assert smallest_errors(every_level=False)[0] > 0.05
