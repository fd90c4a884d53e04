"""Hard boundary conditions: values, exact derivatives, files."""

import types
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.testing import assert_close

from neurafield import Field, FieldFileError, HardBoundary, encodings, load, networks, save
from neurafield.derivatives import Jet
from neurafield.domains import Ball, Box
from neurafield.errors import ArgumentError

SQUARE = Box.cube(2)
CUT = SQUARE - Ball((0.0, 0.0), 0.5)


def given(x: Tensor) -> Tensor:
    return torch.stack([x.prod(-1), x.sum(-1).sin()], dim=-1)


def hard(factor=SQUARE.distance_factor, values=given) -> HardBoundary:
    generator = torch.Generator().manual_seed(0)
    encoding = encodings.RandomFourier(2, 5, sigma=1.0, generator=generator)
    network = networks.MLP(10, 2, width=7, activation="Tanh", generator=generator)
    return HardBoundary(Field(network, encoding=encoding), factor, values).double()


def points(domain, count: int = 7, *, boundary: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(0)

    def uniform(n: int, k: int) -> Tensor:
        return torch.rand(n, k, dtype=torch.float64, generator=generator)

    return (domain.boundary if boundary else domain.interior)(count, uniform)


@pytest.mark.parametrize("domain", [SQUARE, CUT], ids=["square", "cut"])
def test_values_on_the_boundary_are_exact(domain) -> None:
    u, x = hard(domain.distance_factor), points(domain, 50, boundary=True)
    assert_close(u(x), given(x), atol=1e-6, rtol=0)
    inside = points(domain, 50)
    assert (u(inside) - given(inside)).abs().max() > 0.1


def check_jet(u: nn.Module, x: Tensor) -> None:
    got = u.jet(x)
    second = vmap(jacrev(jacrev(u)))(x).diagonal(dim1=-2, dim2=-1)
    assert_close(got.value, u(x))
    assert_close(got.jacobian, vmap(jacrev(u))(x))
    assert_close(got.laplacian, second.sum(-1))


@pytest.mark.parametrize("values", [given, 2.0], ids=["function", "number"])
@pytest.mark.parametrize("domain", [SQUARE, CUT], ids=["square", "cut"])
def test_jet_matches_autodiff(domain, values) -> None:
    check_jet(hard(domain.distance_factor, values), points(domain))


def test_check_jet_can_fail() -> None:
    class Forgetful(HardBoundary):
        def jet_after(self, x: Jet) -> Jet:
            return self.field.jet(x)

    u = hard()
    with pytest.raises(AssertionError):
        check_jet(Forgetful(u.field, u.factor, u.values), points(SQUARE))


def test_gradients_reach_parameters_and_coordinates() -> None:
    u, x = hard(), points(SQUARE)
    got = u.jet(x)
    gradients = torch.autograd.grad(got.laplacian.square().mean(), list(u.parameters())[:-1])
    assert all(g.abs().max() > 0 for g in gradients)
    at = x.clone().requires_grad_()
    (third,) = torch.autograd.grad(u.jet(at).laplacian.sum(), at)
    assert third.abs().max() > 0


@pytest.mark.parametrize("domain", [SQUARE, CUT | Ball((1.0, 0.0), 0.3)], ids=["square", "cut"])
def test_a_domain_comes_back_from_a_file(domain, tmp_path: Path) -> None:
    u, x = hard(domain.distance_factor, 2.0), points(SQUARE)
    save(tmp_path / "u.field", u)
    again = load(tmp_path / "u.field").field
    assert isinstance(again, HardBoundary)
    assert torch.equal(again(x), u(x))
    assert repr(again) == repr(u)


def rising(x: Tensor) -> Tensor:
    return x[..., 0] + 1


def test_functions_come_back_by_their_names(tmp_path: Path) -> None:
    u, x = hard(rising, given), points(SQUARE)
    save(tmp_path / "u.field", u)
    again = load(tmp_path / "u.field", components=[given, rising]).field
    assert torch.equal(again(x), u(x))
    with pytest.raises(FieldFileError, match=r"function: expected one of rising, got 'given'.*Py"):
        load(tmp_path / "u.field", components=[rising])
    with pytest.raises(ValueError, match="name that is not taken, got another given"):
        load(tmp_path / "u.field", components=[given, rename(rising, "given")])


def rename(function, name: str):
    other = types.FunctionType(function.__code__, function.__globals__)
    other.__name__ = name
    return other


def test_functions_without_a_name_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(FieldFileError, match=r"function with a name, got <lambda>\. Define it"):
        save(tmp_path / "u.field", hard(lambda x: x[..., 0]))
    assert not list(tmp_path.iterdir())


class Boundary:
    """Two functions of one name."""

    def phi(self, x: Tensor) -> Tensor:
        return x[..., 0] + 1


def test_methods_come_back_by_their_names(tmp_path: Path) -> None:
    network = Field(networks.Siren(1, 1, width=5, depth=1))
    m = Boundary()
    field = HardBoundary(HardBoundary(network, m.phi), m.phi)
    assert m.phi is not m.phi
    save(tmp_path / "x.field", field)
    again = load(tmp_path / "x.field", components=[m.phi, m.phi]).field
    x = torch.rand(5, 1)
    assert torch.equal(again(x), field(x))
    other = HardBoundary(HardBoundary(network, m.phi), Boundary().phi)
    with pytest.raises(FieldFileError, match=r"another phi\. Rename the function"):
        save(tmp_path / "y.field", other)


class Square(Box):
    """A domain from outside the library."""

    def distance_factor(self, x: Tensor) -> Tensor:
        return (1 - x.square()).prod(-1)


def test_a_domain_of_ones_own_goes_by_the_name_of_its_function(tmp_path: Path) -> None:
    square = Square((-1.0, -1.0), (1.0, 1.0))
    field = hard(square.distance_factor, 0.0)
    save(tmp_path / "x.field", field)
    again = load(tmp_path / "x.field", components=[square.distance_factor]).field
    x = torch.rand(5, 2, dtype=torch.float64)
    assert torch.equal(again(x), field(x))
    with pytest.raises(FieldFileError, match="'distance_factor'"):
        load(tmp_path / "x.field")


def test_a_domain_has_the_dimensions_of_the_field() -> None:
    for wrong in (Box.cube(3).distance_factor, Ball((0.0,), 0.5).distance_factor):
        with pytest.raises(ArgumentError, match=r"domain in 2 dim.*got (Box in 3|Ball in 1)"):
            hard(wrong)


@pytest.mark.parametrize("values", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_a_constant_is_finite(values: float) -> None:
    with pytest.raises(ArgumentError, match="expected values to be finite"):
        hard(values=values)


def test_a_constant_is_a_number() -> None:
    for values in (True, "0", None):
        with pytest.raises(TypeError, match=r"a function or a number|^Type-check error"):
            hard(values=values)


def test_weights_beside_a_jet_are_refused() -> None:
    u, x = hard(), points(SQUARE)
    with pytest.raises(ValueError, match=r"HardBoundary\.jet: expected no weights beside a jet"):
        u.jet(Jet.root(x), torch.eye(2).double())


def test_shapes_are_checked() -> None:
    u, x = hard(), points(SQUARE)
    with pytest.raises(ValueError, match=r"factor to give shape \(7,\).*got \(7, 1\)"):
        HardBoundary(u.field, lambda x: x[..., :1])(x)
    with pytest.raises(ValueError, match=r"values to give shape \(7, 2\), got \(7,\)"):
        HardBoundary(u.field, u.factor, lambda x: x[..., 0])(x)
    with pytest.raises(TypeError, match=r"a function|Callable"):
        HardBoundary(u.field, 1.0)
    with pytest.raises(TypeError, match="not trained, got a module"):
        HardBoundary(u.field, u.factor, nn.Linear(2, 2))


def test_other_boundary_values_have_another_repr() -> None:
    field = hard().field
    same = [repr(HardBoundary(field, SQUARE.distance_factor, 3.0)) for _ in range(2)]
    others = [
        repr(HardBoundary(field, factor, values))
        for factor, values in [
            (CUT.distance_factor, 3.0),
            (SQUARE.distance_factor, 4.0),
            (SQUARE.distance_factor, given),
        ]
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 4
