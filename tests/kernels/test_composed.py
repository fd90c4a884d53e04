"""Second derivatives of what is computed from a field: its square, itself of itself, jets of jets.

A kernel's inputs then depend on each other, and each way must be counted once. Against nested
autodiff in float64, which runs without the kernels.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from neurafield import Field, encodings, networks
from neurafield.derivatives import Derivatives, Jet, operators

from .levels import level, needs_native  # noqa: F401

X = torch.rand(6, 2, generator=torch.Generator().manual_seed(1))


def siren() -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(networks.Siren(2, 2, width=32, depth=2, omega_0=3, omega=3, generator=generator))


def grid() -> Field:
    generator = torch.Generator().manual_seed(0)
    encoding = encodings.HashGrid(
        2,
        num_levels=3,
        base_resolution=2,
        finest_resolution=7,
        interpolation="smoothstep",
        generator=generator,
    )
    with torch.no_grad():
        encoding.table.uniform_(-1, 1, generator=generator)
    network = networks.MLP(6, 2, width=16, depth=2, activation="Tanh", generator=generator)
    return Field(network, encoding=encoding)


def plain(f: nn.Module, x: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(f(x).square().sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)
    return torch.autograd.grad(second[:, 1].sum(), x)[0]


def for_parameters(f: nn.Module, y: Tensor) -> Tensor:
    parameters = list(f.parameters())
    slopes = torch.autograd.grad(
        y.sum(), parameters, create_graph=True, allow_unused=True, materialize_grads=True
    )
    size = sum(slope.square().sum() for slope in slopes)
    again = torch.autograd.grad(size, parameters, allow_unused=True, materialize_grads=True)
    return torch.cat([tensor.flatten().detach() for tensor in (*slopes, *again)])


ASKED: dict[str, Callable[[nn.Module, Tensor], Tensor]] = {
    "laplacian of the square": lambda f, x: operators.laplacian(lambda x: f(x) ** 2, x),
    "hessian of the square": lambda f, x: operators.hessian(lambda x: f(x) ** 2, x, way="reverse"),
    "third of the square": lambda f, x: operators.partial(lambda x: f(x) ** 2, x, [0, 1, 0]),
    "local of the square": lambda f, x: Derivatives(lambda x: f(x) ** 2, x).d(0, 0),
    "laplacian of f of f": lambda f, x: operators.laplacian(lambda x: f(f(x)), x),
    "hessian of f of f": lambda f, x: operators.hessian(lambda x: f(f(x)), x, way="reverse"),
    "laplacian of jet of jet": lambda f, x: f.jet(f.jet(Jet.root(x))).laplacian,
    "nested autograd": plain,
    "parameters of f of f": lambda f, x: for_parameters(f, f(f(x))),
    "parameters of jet of jet": lambda f, x: for_parameters(f, f.jet(f.jet(Jet.root(x))).laplacian),
}


@cache
def expected_of(name: str, build: Callable[[], Field]) -> Tensor:
    return ASKED[name](build().double(), X.double())


def check_composed(name: str, field: Field, expected: Tensor) -> None:
    # Up to 2e-5 is float32's doing, in a field of a field; a way counted twice is half of it all.
    assert (ASKED[name](field, X).double() - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("build", [siren, grid])
@pytest.mark.parametrize("name", list(ASKED))
def test_composed(name: str, build: Callable[[], Field], level: str) -> None:  # noqa: F811
    check_composed(name, build(), expected_of(name, build))


def test_check_composed_can_fail() -> None:
    other = siren()
    with torch.no_grad():
        other.network.layers[1].weight[0, 0] *= 1.01
    for name in ASKED:
        with pytest.raises(AssertionError):
            check_composed(name, other, expected_of(name, siren))


@needs_native
def test_a_gradient_that_nobody_differentiates_is_compiled(monkeypatch) -> None:
    grid = encodings.HashGrid(3, log2_table_size=10, generator=torch.Generator().manual_seed(0))
    field = Field(networks.MLP(grid.out_dim, 1, width=16, depth=1), encoding=grid)
    x = torch.rand(50, 3) * 2 - 1
    expected = operators.gradient(field.double(), x.double()).detach()
    field.float()

    def refused(*arguments: object) -> None:
        raise AssertionError("went through the reference")

    monkeypatch.setattr("neurafield.kernels.grid.autograd.gradients_by_reference", refused)
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            found = operators.gradient(field, x)
        assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(AssertionError, match="reference"):
        operators.gradient(field, x)
