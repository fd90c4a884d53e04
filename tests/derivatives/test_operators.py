"""Operators: closed forms, finite differences, and both ways against each other."""

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield import Field, encodings, networks
from neurafield.derivatives import operators

X = 2 * torch.rand(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1


def wave(x: Tensor) -> Tensor:
    """sin(2 x + 3 y - z), one value."""
    return (x @ torch.tensor([2.0, 3.0, -1.0], dtype=x.dtype)).sin()[..., None]


def swirl(x: Tensor) -> Tensor:
    """(-y z, x z, x y), whose curl is (x - x, -y - y, z + z)."""
    a, b, c = x.unbind(-1)
    return torch.stack([-b * c, a * c, a * b], dim=-1)


def test_closed_forms() -> None:
    k = torch.tensor([2.0, 3.0, -1.0], dtype=torch.float64)
    phase = X @ k
    assert_close(operators.gradient(wave, X), phase.cos()[:, None] * k)
    assert_close(operators.laplacian(wave, X), -14 * phase.sin()[:, None])
    assert_close(operators.hessian(wave, X)[:, 0], -phase.sin()[:, None, None] * torch.outer(k, k))
    assert_close(
        operators.curl(swirl, X), torch.stack([0 * X[:, 0], -2 * X[:, 1], 2 * X[:, 2]], -1)
    )
    assert_close(operators.divergence(swirl, X), torch.zeros(7, 1, dtype=torch.float64))
    assert_close(operators.divergence(lambda x: x**2, X), 2 * X.sum(-1, keepdim=True))
    turning = operators.curl(lambda x: x.flip(-1) * torch.tensor([-1.0, 1.0]).double(), X[:, :2])
    assert_close(turning, torch.full((7, 1), 2.0).double())


@pytest.mark.parametrize(
    ("axes", "factor"),
    [([], 0), ([1], 1), ([0, 0], 2), ([0, 2], 2), ([0, 1, 2], 3), ([1, 1, 1, 0], 4)],
    ids=str,
)
def test_partials_of_any_order(axes: list[int], factor: int) -> None:
    k = [2.0, 3.0, -1.0]
    phase = X @ torch.tensor(k, dtype=torch.float64)
    # Each derivative of the sine turns it by a quarter.
    expected = math.prod(k[axis] for axis in axes) * (phase + factor * math.pi / 2).sin()
    assert_close(operators.partial(wave, X, axes), expected[:, None])


def siren(out_dim: int) -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(networks.Siren(3, out_dim, width=7, depth=2, generator=generator)).double()


@pytest.mark.parametrize("out_dim", [1, 2, 5])
@pytest.mark.parametrize("name", ["jacobian", "laplacian", "hessian"])
def test_both_ways_agree(name: str, out_dim: int) -> None:
    operator, field = getattr(operators, name), siren(out_dim)
    expected = operator(field, X)
    parameters = list(field.parameters())
    # The last bias has no derivative: absent in one way, zero in the other.
    slopes = torch.autograd.grad(expected.square().sum(), parameters[:-1], allow_unused=True)
    for way in operators.WAYS:
        got = operator(field, X, way=way)
        assert_close(got, expected)
        mine = torch.autograd.grad(got.square().sum(), parameters[:-1], allow_unused=True)
        assert_close(mine, slopes)


def test_finite_differences_of_a_composite() -> None:
    generator = torch.Generator().manual_seed(0)
    encoding = encodings.HashGrid(
        3, num_levels=3, finest_resolution=31, interpolation="smoothstep", generator=generator
    )
    with torch.no_grad():
        encoding.table.uniform_(-1, 1, generator=generator)
    network = networks.MLP(encoding.out_dim, 2, width=9, activation="Tanh", generator=generator)
    field = Field(network, encoding=encoding).double()
    step = 1e-5
    found = torch.zeros(7, 2, dtype=torch.float64)
    for axis in range(3):
        offset = step * torch.eye(3, dtype=torch.float64)[axis]
        found += (field(X + offset) - 2 * field(X) + field(X - offset)) / step**2
    assert_close(operators.laplacian(field, X), found, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", ["jacobian", "gradient", "laplacian", "hessian"])
@pytest.mark.parametrize("way", operators.WAYS)
def test_without_a_trace(name: str, way: str) -> None:
    with torch.no_grad():
        assert not getattr(operators, name)(siren(1), X, way=way).requires_grad


@pytest.mark.parametrize("shape", [(3,), (2, 5, 3), (0, 3)], ids=str)
def test_batch_axes(shape: tuple[int, ...]) -> None:
    x, field = torch.rand(shape, dtype=torch.float64), siren(3)
    batch = shape[:-1]
    assert operators.jacobian(field, x).shape == (*batch, 3, 3)
    assert operators.hessian(field, x).shape == (*batch, 3, 3, 3)
    assert operators.laplacian(field, x).shape == (*batch, 3)
    assert operators.curl(field, x).shape == (*batch, 3)
    assert operators.divergence(field, x).shape == (*batch, 1)
    assert operators.gradient(siren(1), x).shape == (*batch, 3)
    assert operators.partial(field, x, [0, 1, 2]).shape == (*batch, 3)


class Counting(torch.nn.Module):
    """Tells which way was taken."""

    def __init__(self, out_dim: int) -> None:
        super().__init__()
        self.field, self.out_dim, self.taken = siren(out_dim), out_dim, ""

    def forward(self, x: Tensor) -> Tensor:
        self.taken = "reverse"
        return self.field(x)

    def jet(self, x: object, weights: object = None) -> object:
        self.taken = "jet"
        return self.field.jet(x, weights)


@pytest.mark.parametrize(
    ("name", "out_dim", "way"),
    [
        ("jacobian", 1, "reverse"),
        ("jacobian", 2, "reverse"),
        ("jacobian", 3, "jet"),
        ("laplacian", 1, "jet"),
        ("hessian", 1, "jet"),
    ],
)
def test_the_cheaper_way_is_taken(name: str, out_dim: int, way: str) -> None:
    field = Counting(out_dim)
    getattr(operators, name)(field, X)
    assert field.taken == way
    other = "jet" if way == "reverse" else "reverse"
    getattr(operators, name)(field, X, way=other)
    assert field.taken == other


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"one value, got 2.*jacobian"):
        operators.gradient(siren(2), X)
    with pytest.raises(ValueError, match="as many values as coordinates, got 2 of 3"):
        operators.divergence(siren(2), X)
    with pytest.raises(ValueError, match=r"curl.*got 2 of 3"):
        operators.curl(siren(2), X)
    with pytest.raises(ValueError, match="way to be jet or reverse, got 'forward'"):
        operators.laplacian(siren(1), X, way="forward")
    with pytest.raises(TypeError, match=r"floating-point|Float"):
        operators.laplacian(siren(1), torch.ones(5, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="axes from 0 to 2, got 3"):
        operators.partial(wave, X, [3])
    with pytest.raises((ValueError, TypeError), match=r"shape \(\.\.\., d\)|batch d"):
        operators.jacobian(siren(1), torch.tensor(1.0))


@pytest.mark.parametrize("way", operators.WAYS)
@pytest.mark.parametrize("name", ["jacobian", "gradient", "laplacian", "hessian"])
def test_in_inference_mode(name: str, way: str) -> None:
    operator = getattr(operators, name)
    for function in (wave, siren(1)):
        with torch.inference_mode():
            found = operator(function, X.clone(), way=way)
        assert_close(found.clone(), operator(function, X, way=way).detach())


def test_partials_in_inference_mode() -> None:
    with torch.inference_mode():
        found = operators.partial(wave, X.clone(), [0, 1, 2])
    assert_close(found.clone(), operators.partial(wave, X, [0, 1, 2]).detach())


@pytest.mark.parametrize("name", ["jacobian", "laplacian", "hessian"])
def test_inside_torch_func(name: str) -> None:
    operator, field = getattr(operators, name), siren(1)
    assert_close(torch.func.vmap(lambda x: operator(field, x))(X), operator(field, X))


@pytest.mark.parametrize("axes", [[0, 1], [2, 0, 1]], ids=str)
def test_partials_inside_torch_func(axes: list[int]) -> None:
    field = siren(2)
    expected = operators.partial(field, X, axes)
    assert_close(torch.func.vmap(lambda x: operators.partial(field, x, axes))(X), expected)


def test_autocast_does_not_reach_second_derivatives() -> None:
    generator = torch.Generator().manual_seed(0)
    encoding = encodings.RandomFourier(3, 5, sigma=1.0, generator=generator)
    field = Field(networks.Siren(10, 1, width=8, depth=2, generator=generator), encoding=encoding)
    x = X.float()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(operators.laplacian(field, x), operators.laplacian(field, x))
        found = field.jet(x).laplacian
    assert torch.equal(found, operators.laplacian(field, x))
