"""Conformance tests that every public concrete field must pass."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.testing import assert_close

from neurafield import Field, composition, encodings, fields, networks
from neurafield.derivatives import Jet
from neurafield.errors import DerivativeNotice
from neurafield.field_file import build_field, field_spec
from neurafield.fields import AbstractField, ModuleField, as_field

from ..cases import FIELD_CASES, Case

MODULE = Case(
    "module",
    lambda g: ModuleField(
        nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 3)), in_dim=2, out_dim=3
    ),
    2,
    3,
)
every = pytest.mark.parametrize("case", FIELD_CASES, ids=str)


def public_fields() -> set[type]:
    return {
        cls
        for subpackage in (fields, composition)
        for cls in vars(subpackage).values()
        if inspect.isclass(cls) and issubclass(cls, AbstractField) and not inspect.isabstract(cls)
    }


def test_every_public_field_has_a_case() -> None:
    covered = {type(case.build()) for case in FIELD_CASES} | {ModuleField}
    assert covered == public_fields()


def check_jet(field: AbstractField, x: Tensor) -> None:
    """Compares with torch.func on `forward` in float64, with three sums of second derivatives."""
    dim = x.shape[-1]
    weights = torch.linspace(-1, 2, 3 * dim, dtype=x.dtype).reshape(3, dim)
    got = field.jet(x, weights)
    second = vmap(jacrev(jacrev(field)))(x).diagonal(dim1=-2, dim2=-1)
    assert_close(got.value, field(x))
    assert_close(got.jacobian, vmap(jacrev(field))(x))
    assert_close(got.weighted_hessian, second @ weights.mT)


@every
def test_jet_is_that_of_forward(case: Case) -> None:
    if not case.smooth:
        pytest.skip("second derivatives jump at the faces; its own tests cover it")
    check_jet(case.build().double(), case.coords(7).double())


def test_check_jet_can_fail() -> None:
    class Wrong(Field):
        def jet_after(self, x: Jet) -> Jet:
            found = super().jet_after(x)
            return Jet(found.streams * 1.001, found.weights)

    wrong = Wrong(networks.Siren(2, 1, width=5, depth=1)).double()
    with pytest.raises(AssertionError):
        check_jet(wrong, torch.rand(7, 2, dtype=torch.float64))


@every
def test_weights_beside_a_jet_are_refused(case: Case) -> None:
    field, x = case.build(), case.coords(5)
    with pytest.raises(ValueError, match=r"\.jet: expected no weights beside a jet"):
        field.jet(Jet.root(x), torch.eye(case.in_dim))
    with pytest.raises(ValueError, match=f"{case.in_dim}.*{case.in_dim + 3}"):
        field.jet(torch.zeros(5, case.in_dim + 3))


@every
def test_the_description_builds_the_field_again(case: Case, tmp_path: Any) -> None:
    field = case.build()
    again = build_field(tmp_path / "x.field", field_spec(field))
    assert type(again) is type(field)
    assert field_spec(again) == field_spec(field)
    names = {name: tuple(tensor.shape) for name, tensor in field.state_dict().items()}
    assert {name: tuple(tensor.shape) for name, tensor in again.state_dict().items()} == names


@every
def test_parts_are_fields_and_have_the_levels(case: Case) -> None:
    field = case.build()
    assert all(isinstance(part, AbstractField) for part in field.parts)
    assert field.num_lods == max([1, *(part.num_lods for part in field.parts)])
    with pytest.raises(ValueError, match="lod between 0 and"):
        field.at_lod(field.num_lods)
    x = case.coords(5)
    assert torch.equal(field.at_lod(field.num_lods - 1)(x), field(x))


def test_levels_of_detail_come_from_the_parts() -> None:
    g = torch.Generator().manual_seed(0)
    grid = encodings.HashGrid(2, num_levels=3, finest_resolution=16, generator=g)
    torch.nn.init.normal_(grid.table, generator=g)
    detailed = Field(networks.MLP(grid.out_dim, 1, width=5, depth=1, generator=g), encoding=grid)
    plain = Field(networks.Siren(2, 1, width=5, depth=1, generator=g))
    bounded = fields.HardBoundary(detailed, lambda x: x[..., 0])
    joined = composition.Union(bounded, plain)
    assert (bounded.num_lods, joined.num_lods) == (3, 3)
    x = torch.rand(5, 2)
    assert torch.equal(bounded.at_lod(1)(x), x[:, :1] * detailed.at_lod(1)(x))
    assert torch.equal(joined.at_lod(1)(x), torch.minimum(bounded.at_lod(1)(x), plain(x)))


def test_a_view_at_a_level_keeps_class_parameters_and_mode() -> None:
    class Scaled(AbstractField):
        """A field times a trained factor, with a list of parts."""

        def __init__(self, *parts: AbstractField) -> None:
            super().__init__()
            self.fields, self.gain = nn.ModuleList(parts), nn.Parameter(torch.tensor(3.0))
            self.in_dim, self.out_dim = parts[0].in_dim, parts[0].out_dim

        @property
        def parts(self) -> tuple[AbstractField, ...]:
            return tuple(self.fields)

        def forward(self, x: Tensor) -> Tensor:
            return self.gain * sum(field(x) for field in self.fields)

        def hyperparams(self) -> dict[str, Any]:
            return {}

    g = torch.Generator().manual_seed(0)
    grid = encodings.HashGrid(2, num_levels=3, finest_resolution=16, generator=g)
    torch.nn.init.normal_(grid.table, generator=g)
    detailed = Field(networks.MLP(grid.out_dim, 1, width=5, depth=1, generator=g), encoding=grid)
    scaled = Scaled(detailed, Field(networks.Siren(2, 1, width=5, depth=1, generator=g))).eval()
    x = torch.rand(5, 2)
    assert torch.equal(scaled.at_lod(2)(x), scaled(x))
    coarse = scaled.at_lod(0)
    assert (type(coarse), coarse.training) == (Scaled, False)
    assert coarse.gain is scaled.gain
    assert_close(coarse(x), 3 * (detailed.at_lod(0)(x) + scaled.fields[1](x)))
    assert not torch.equal(coarse(x), scaled(x))
    assert scaled.fields[0] is detailed, "the field itself stays whole"


# ---- custom modules


def test_any_module_becomes_a_field() -> None:
    field, x = MODULE.build().double(), torch.rand(7, 2, dtype=torch.float64)
    with pytest.warns(DerivativeNotice, match="ModuleField: has no rule"):
        check_jet(field, x)
    assert field.num_parameters == 33
    with pytest.raises(TypeError, match="a field that a file can describe"):
        field_spec(field)


def test_as_field() -> None:
    siren = networks.Siren(2, 1, width=5, depth=1)
    field = as_field(siren)
    assert isinstance(field, Field)
    assert field.network is siren
    assert as_field(field) is field
    linear = nn.Linear(2, 3)
    assert as_field(linear, in_dim=2, out_dim=3)(torch.zeros(5, 2)).shape == (5, 3)
    with pytest.raises(TypeError, match=r"Linear without in_dim\. Pass it: as_field\("):
        as_field(linear)
    with pytest.raises(ValueError, match=r"shape \(5, 4\) from Linear, got \(5, 3\)"):
        as_field(linear, in_dim=2, out_dim=4)(torch.zeros(5, 2))
    with pytest.raises(ValueError, match="expected in_dim to be 2, as Field has it, got 3"):
        as_field(field, in_dim=3)
    with pytest.raises(TypeError, match=r"a field or a module|Type-check error"):
        as_field(torch.sin)


def test_as_field_finds_sizes_of_classes_and_properties() -> None:
    class Sized(nn.Module):
        in_dim = 2

        @property
        def out_dim(self) -> int:
            return 1

        def forward(self, x: Tensor) -> Tensor:
            return x[..., :1]

    assert as_field(Sized())(torch.zeros(5, 2)).shape == (5, 1)


def test_boundary_values_are_functions_or_numbers() -> None:
    with pytest.raises(TypeError, match=r"a function or a number, got 'warm'|Type-check error"):
        fields.HardBoundary(FIELD_CASES[-2].build(), lambda x: x[..., 0], "warm")


def test_a_module_in_a_scene_and_a_composition() -> None:
    distance = as_field(nn.Linear(2, 1), in_dim=2, out_dim=1)
    x = torch.rand(5, 2) - 0.5
    scene = fields.Scene([fields.Placed(distance, (0.0, 0.0))], fields.overlap.Sum())
    assert_close(scene(x), distance(x))
    assert_close(composition.Offset(distance, distance=0.25)(x), distance(x) - 0.25)
