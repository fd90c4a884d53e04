"""Conformance tests that every public component must pass."""

import inspect
import json
from collections.abc import Sequence
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.testing import assert_close

from neurafield import encodings, networks
from neurafield._component import AbstractComponent

from .cases import ALL_CASES, COMPONENT_CASES, ENCODING_CASES, NETWORK_CASES, Case

every = pytest.mark.parametrize("case", ALL_CASES, ids=str)
every_component = pytest.mark.parametrize("case", COMPONENT_CASES, ids=str)


class Broken(nn.Module):
    """A component that breaks every rule, so that each check is seen to fail."""

    in_dim, out_dim = 2, 3

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(2, 4))  # different in each instance

    def forward(self, x: Tensor) -> Tensor:
        y = x.reshape(-1, 2) @ self.weight  # loses the batch, and out_dim is wrong
        y = y - y.mean(0)  # mixes samples
        return y + (x.reshape(-1, 2).sum(-1, keepdim=True) * 0).sqrt()  # infinite slope

    def hyperparams(self) -> dict[str, object]:
        return {"seed": torch.zeros(1)}  # not JSON


BROKEN = Case("broken", lambda g: Broken(), 2, 3)


# ---- shapes


BATCHES = [(), (5,), (2, 3), (0,), (0, 3)]


def check_shape(case: Case, device: str, batches: Sequence[tuple[int, ...]] = BATCHES) -> None:
    module = case.build().to(device)
    assert module.in_dim == case.in_dim
    assert module.out_dim == case.out_dim
    for batch in batches:
        x = case.coords(*batch).to(device)
        y = module(x)
        assert y.shape == (*batch, case.out_dim), batch
        assert y.dtype == x.dtype
        assert y.device == x.device


@every
def test_shape(case: Case, device: str) -> None:
    check_shape(case, device)


@pytest.mark.parametrize("batch", [(2, 3), (0, 3)], ids=str)
def test_check_shape_can_fail(batch: tuple[int, ...]) -> None:
    class Flat(nn.Module):
        """Loses the batch, and nothing else."""

        in_dim, out_dim = 2, 3

        def forward(self, x: Tensor) -> Tensor:
            return x.new_zeros(x.shape[0] if x.ndim > 1 else 1, 3).reshape(*x.shape[:1], 3)

    for case in (BROKEN, Case("flat", lambda g: Flat(), 2, 3)):
        with pytest.raises((AssertionError, RuntimeError)):
            check_shape(case, "cpu", [batch])


def check_samples_are_independent(case: Case, device: str) -> None:
    module = case.build().to(device, torch.float64)
    x = case.coords(7).to(device, torch.float64)
    together = module(x)
    assert_close(vmap(module)(x), together)
    assert_close(torch.stack([module(row) for row in x]), together)


@every
def test_samples_are_independent(case: Case, device: str) -> None:
    check_samples_are_independent(case, device)


def test_check_samples_are_independent_can_fail() -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        check_samples_are_independent(BROKEN, "cpu")


def check_wrong_axis(case: Case) -> None:
    wrong = case.in_dim + 4
    with pytest.raises(ValueError, match=rf"{case.in_dim}.*{wrong}"):
        case.build()(torch.zeros(11, wrong))


@every
def test_a_wrong_last_axis_names_both_sizes(case: Case) -> None:
    check_wrong_axis(case)


def test_check_wrong_axis_can_fail() -> None:
    with pytest.raises((RuntimeError, AssertionError, pytest.fail.Exception)):
        check_wrong_axis(BROKEN)


def test_a_transposed_input_gets_a_hint() -> None:
    with pytest.raises(ValueError, match=r"did you mean `x.mT`"):
        networks.Siren(2, 1, width=4, depth=1)(torch.zeros(2, 9))


# ---- gradients


def check_gradients(case: Case) -> None:
    module = case.build().double()
    x = case.coords(2).double().requires_grad_()
    assert torch.autograd.gradcheck(module, (x,))
    if case.smooth:
        assert torch.autograd.gradgradcheck(module, (x,))


@every
def test_first_and_second_derivatives(case: Case) -> None:
    check_gradients(case)


def test_check_gradients_can_fail() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sin()

        @staticmethod
        def backward(ctx, grad):
            return grad

    class Module(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return Wrong.apply(x)

    with pytest.raises((AssertionError, RuntimeError)):
        check_gradients(Case("wrong", lambda g: Module(), 2, 2))


def check_gradient_is_finite_at_awkward_points(case: Case, device: str) -> None:
    module = case.build().to(device)
    corners = torch.cartesian_prod(*[torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])] * case.in_dim)
    x = corners.reshape(-1, case.in_dim).to(device).requires_grad_()
    module(x).square().sum().backward()
    for tensor in [x, *module.parameters()]:
        assert tensor.grad is not None
        assert tensor.grad.isfinite().all()


@every
def test_gradient_is_finite_at_awkward_points(case: Case, device: str) -> None:
    check_gradient_is_finite_at_awkward_points(case, device)


def test_check_gradient_is_finite_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_gradient_is_finite_at_awkward_points(BROKEN, "cpu")


# ---- rebuilding


def check_rebuilds(case: Case) -> None:
    module = case.build()
    text = json.dumps(module.hyperparams())
    again = type(module)(**json.loads(text))
    assert again.hyperparams() == module.hyperparams()
    again.load_state_dict(module.state_dict())
    x = case.coords(5)
    assert torch.equal(again(x), module(x))


@every_component
def test_hyperparams_and_state_rebuild_it_bit_for_bit(case: Case) -> None:
    check_rebuilds(case)


def test_check_rebuilds_can_fail() -> None:
    with pytest.raises(TypeError):
        check_rebuilds(BROKEN)


def check_generator_is_the_only_source(case: Case) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = case.build(3), case.build(3), case.build(4)
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])
    if first.state_dict():
        assert any(
            not torch.equal(tensor, other.state_dict()[name])
            for name, tensor in first.state_dict().items()
        )


@every
def test_generator_is_the_only_source(case: Case) -> None:
    check_generator_is_the_only_source(case)


def test_check_generator_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_generator_is_the_only_source(BROKEN)


# ---- parameters from outside


def check_stacked_parameters(case: Case, device: str) -> None:
    modules = [case.build(seed).to(device, torch.float64) for seed in range(3)]
    x = case.coords(5).to(device, torch.float64)
    parameters, buffers = stack_module_state(modules)
    base = case.build().to("meta")

    def call(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(base, (parameters, buffers), (x,))

    if parameters or buffers:
        together = vmap(call)(parameters, buffers)
        assert_close(together, torch.stack([module(x) for module in modules]))


@every
def test_stacked_parameters_from_outside(case: Case, device: str) -> None:
    check_stacked_parameters(case, device)


def test_check_stacked_parameters_can_fail() -> None:
    class Baked(nn.Module):
        """A component that keeps state outside its parameters."""

        def __init__(self, seed: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 2, dtype=torch.float64))
            self.factor = seed

        def forward(self, x: Tensor) -> Tensor:
            return self.factor * x @ self.weight

    seeds = iter(range(10))
    with pytest.raises(AssertionError):
        check_stacked_parameters(Case("baked", lambda g: Baked(next(seeds)), 2, 2), "cpu")


# ---- compilers (run without the shape-checking hook, which decorates forward)


@pytest.mark.compiled
@every
def test_torch_compile_accepts_it(case: Case) -> None:
    module = case.build()
    x = case.coords(13)
    torch._dynamo.reset()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert_close(compiled(x), module(x))


@pytest.mark.compiled
@every
def test_torch_export_accepts_it(case: Case) -> None:
    module = case.build()
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(module, (case.coords(13),), dynamic_shapes=({0: batch},))
    x = case.coords(29)
    assert_close(exported.module()(x), module(x))


# ---- completeness


def public(package: ModuleType, base: type) -> set[type]:
    return {
        cls
        for cls in vars(package).values()
        if inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)
    }


@pytest.mark.parametrize(
    ("package", "base", "cases"),
    [
        (encodings, encodings.AbstractEncoding, ENCODING_CASES),
        (networks, networks.AbstractNetwork, NETWORK_CASES),
    ],
    ids=["encodings", "networks"],
)
def test_every_public_component_has_a_case(
    package: ModuleType, base: type, cases: list[Case]
) -> None:
    assert public(package, base) == {type(case.build()) for case in cases}


def test_a_missing_case_is_noticed() -> None:
    assert public(networks, AbstractComponent) != {type(NETWORK_CASES[0].build())}


@every_component
def test_docstrings_are_complete(case: Case) -> None:
    text = inspect.getdoc(type(case.build())) or ""
    for part in ("Use when", "Fails when", "Args:", "Raises:", "Example:", "Reference:"):
        assert part in text, part
