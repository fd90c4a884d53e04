"""Every component's jet against nested autodiff in float64, which shares no code with it."""

import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.testing import assert_close

from neurafield import Field, encodings, networks
from neurafield._component import AbstractComponent
from neurafield.derivatives import Jet, autodiff
from neurafield.errors import DerivativeNotice

from ..cases import ALL_CASES, Case


def hessian(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Reverse over reverse: torch's own imports what warns."""
    return jacrev(jacrev(f))


every = pytest.mark.parametrize("case", ALL_CASES, ids=str)


class WrongRule(nn.Module):
    """Its jet forgets the second derivative of the sine."""

    in_dim = out_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x).sin()

    def jet(self, x: Jet) -> Jet:
        slope = self.weight * (self.weight * x.value).cos()
        value = (self.weight * x.value).sin()
        return Jet(torch.cat([value[None], slope * x.streams[1:]]), x.weights)


WRONG = Case("wrong", lambda g: WrongRule(), 3, 3)


def skewed(x: Tensor) -> Tensor:
    """Other coordinates that depend on all of `x`, so that a jet is not at its root."""
    turned = x.roll(1, -1)
    return 0.7 * (x + 0.3 * turned * turned).sin()


KINDS = ("laplacian", "each", "none", "signed")


def weights_of(kind: str, dim: int) -> Tensor | None:
    generator = torch.Generator().manual_seed(3)
    return {
        "laplacian": None,
        "each": torch.eye(dim).double(),
        "none": torch.zeros(0, dim).double(),
        "signed": torch.randn(5, dim, generator=generator).double(),
    }[kind]


def check_jet(case: Case, kinds: Sequence[str] = KINDS, *, at_root: bool) -> None:
    """Compare with nested autodiff, once differentiated for all kinds of second derivatives."""
    f = case.build().double()
    x = case.coords(7).double()
    whole = f if at_root else lambda x: f(skewed(x))
    value, jacobian = whole(x), vmap(jacrev(whole))(x)
    second = vmap(hessian(whole))(x).diagonal(dim1=-2, dim2=-1)
    for kind in kinds:
        root = Jet.root(x, weights_of(kind, case.in_dim))
        got = f.jet(root if at_root else autodiff.jet_by_autodiff(skewed, root))
        assert_close(got.value, value)
        assert_close(got.jacobian, jacobian)
        assert_close(got.weighted_hessian, second @ root.weights.mT)
        if kind == "laplacian":
            assert_close(got.laplacian, second.sum(-1))


@every
@pytest.mark.parametrize("at_root", [True, False], ids=["root", "composed"])
def test_jet_matches_autodiff(case: Case, at_root: bool) -> None:
    check_jet(case, at_root=at_root)


@pytest.mark.parametrize("kind", ["laplacian", "each", "signed"])
@pytest.mark.parametrize("at_root", [True, False])
def test_check_jet_can_fail(at_root: bool, kind: str) -> None:
    with pytest.raises(AssertionError):
        check_jet(WRONG, [kind], at_root=at_root)


def check_parameter_gradients(case: Case) -> None:
    """Training on derivatives: the same gradients as by nested autograd through `forward`."""
    f = case.build().double()
    if not list(f.parameters()):
        return
    x = case.coords(7).double()
    target = torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None]

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        def g(x: Tensor) -> Tensor:
            return functional_call(f, parameters, (x,))

        laplacian = vmap(hessian(g))(x).diagonal(dim1=-2, dim2=-1).sum(-1)
        jacobian = vmap(jacrev(g))(x)
        return ((laplacian - target) ** 2).mean() + jacobian.square().mean() + g(x).mean()

    parameters = dict(f.named_parameters())
    expected = torch.autograd.grad(loss(parameters), list(parameters.values()))
    got = f.jet(Jet.root(x))
    mine = ((got.laplacian - target) ** 2).mean() + got.jacobian.square().mean() + got.value.mean()
    assert_close(torch.autograd.grad(mine, list(parameters.values())), expected)


@every
def test_gradients_of_derivatives(case: Case) -> None:
    check_parameter_gradients(case)


def test_check_parameter_gradients_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_parameter_gradients(WRONG)


@every
def test_jet_keeps_batch_axes(case: Case) -> None:
    f = case.build()
    for batch in [(), (5,), (2, 3), (0,)]:
        x = case.coords(*batch)
        got = f.jet(Jet.root(x))
        assert got.value.shape == (*batch, case.out_dim)
        assert got.jacobian.shape == (*batch, case.out_dim, case.in_dim)
        assert got.laplacian.shape == (*batch, case.out_dim)
        assert got.value.dtype == x.dtype
        assert_close(got.value, f(x))


@every
def test_no_component_falls_back(case: Case) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DerivativeNotice)
        case.build().jet(Jet.root(case.coords(2)))


class Ruleless(AbstractComponent):
    """A user's component, which has no rule."""

    in_dim = out_dim = 2

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.prod(-1), x[..., 0].exp()], dim=-1)

    def hyperparams(self) -> dict[str, object]:
        return {}


def test_a_component_without_a_rule_falls_back_and_says_so_once() -> None:
    autodiff._told.clear()
    with pytest.warns(DerivativeNotice, match="Ruleless.*nested autodiff"):
        check_jet(Case("ruleless", lambda g: Ruleless(), 2, 2), ["laplacian"], at_root=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_jet(Case("ruleless", lambda g: Ruleless(), 2, 2), ["laplacian"], at_root=False)


@pytest.mark.parametrize("network", [networks.Siren(2, 1, width=5, depth=2), networks.MLP(2, 1)])
def test_a_changed_layer_is_not_overlooked(network: nn.Module) -> None:
    network.double()
    network.layers[1].register_forward_hook(lambda module, inputs, output: output.exp())
    autodiff._told.clear()
    x = torch.rand(3, 2, dtype=torch.float64)
    with pytest.warns(DerivativeNotice):
        got = network.jet(Jet.root(x))
    assert_close(
        got.laplacian[:, 0],
        vmap(hessian(lambda x: network(x)[0]))(x).diagonal(dim1=1, dim2=2).sum(-1),
    )


def test_a_field_takes_coordinates_or_a_jet() -> None:
    field = Field(networks.Siren(3, 2, width=7, depth=2))
    x, weights = torch.rand(5, 3), torch.eye(3)
    assert torch.equal(field.jet(x, weights).streams, field.jet(Jet.root(x, weights)).streams)
    with pytest.raises(ValueError, match="no weights beside a jet"):
        field.jet(Jet.root(x), weights)
    with pytest.raises(ValueError, match=r"\(s, 3\).*\(2, 2\)"):
        field.jet(x, torch.eye(2))
    with pytest.raises(ValueError, match=r"3.*2"):
        field.jet(torch.rand(5, 2))
    with pytest.raises(TypeError, match=r"floating-point|Float"):
        field.jet(torch.ones(5, 3, dtype=torch.int64))


def test_derivatives_of_a_smooth_hash_grid_jump_at_faces_only() -> None:
    encoding = encodings.HashGrid(
        2, num_levels=1, base_resolution=4, finest_resolution=4, interpolation="smoothstep"
    )
    with torch.no_grad():
        encoding.table.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    # On a face the first derivative along the axis is zero from both sides.
    face = encoding.jet(Jet.root(torch.tensor([[0.0, 0.3]])))
    assert_close(face.jacobian[0, :, 0], torch.zeros(2))
    outside = encoding.jet(Jet.root(torch.tensor([[1.5, 0.3]])))
    assert_close(outside.jacobian[0, :, 0], torch.zeros(2))
    assert outside.jacobian[0, :, 1].abs().max() > 0.1


@pytest.mark.compiled
@every
def test_torch_compile_accepts_jets(case: Case) -> None:
    # In float64: compiled code takes the reference, and float32 would compare two roundings.
    module, x = case.build().double(), case.coords(13).double()
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: module.jet(Jet.root(x)).streams, backend="aot_eager")
    assert_close(compiled(x), module.jet(Jet.root(x)).streams)
