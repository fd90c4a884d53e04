"""Each rule against autodiff of what it stands for, in float64."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.func import jacrev, vmap
from torch.testing import assert_close

from neurafield.derivatives import Jet, jet_by_autodiff, rules


def hessian(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Reverse over reverse: torch's own imports what warns."""
    return jacrev(jacrev(f))


WEIGHTS = torch.tensor([[1.0, 1.0], [0.5, -2.0]], dtype=torch.float64)
W = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]], dtype=torch.float64)
B = torch.tensor([0.3, -0.7], dtype=torch.float64)


def three(x: Tensor) -> Tensor:
    return torch.stack([x.prod(-1), (x[..., 0] ** 2).sin(), x[..., 1].exp()], dim=-1)


def other(x: Tensor) -> Tensor:
    return torch.stack([x.sum(-1).cos(), x[..., 0] ** 3, x.prod(-1) ** 2], dim=-1)


def chained(x: Jet) -> Jet:
    point = x.value
    f = lambda v: (v[..., :1] * v[..., 1:]).sin()  # noqa: E731
    return rules.chain(x, f(point), vmap(jacrev(f))(point), vmap(hessian(f))(point))


RULES: dict[str, tuple[Callable[[Jet, Jet], Jet], Callable[[Tensor, Tensor], Tensor]]] = {
    "linear": (lambda u, v: rules.linear(u, W, B), lambda u, v: u @ W.mT + B),
    "linear-bare": (lambda u, v: rules.linear(u, W), lambda u, v: u @ W.mT),
    "elementwise": (
        lambda u, v: rules.elementwise(u, torch.exp, torch.exp, torch.exp),
        lambda u, v: u.exp(),
    ),
    "sin": (lambda u, v: rules.sin(u), lambda u, v: u.sin()),
    "cos": (lambda u, v: rules.cos(u), lambda u, v: u.cos()),
    "product": (rules.product, lambda u, v: u * v),
    "add": (rules.add, lambda u, v: u + v),
    "concat": (lambda u, v: rules.concat([u, v]), lambda u, v: torch.cat([u, v], dim=-1)),
    "chain": (lambda u, v: chained(u), lambda u, v: (u[..., :1] * u[..., 1:]).sin()),
    "wrong": (lambda u, v: rules.sin(u), lambda u, v: u.cos()),
}


def check_rule(name: str) -> None:
    rule, plain = RULES[name]
    x = torch.randn(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    root = Jet.root(x, WEIGHTS)
    got = rule(jet_by_autodiff(three, root), jet_by_autodiff(other, root))

    def f(x: Tensor) -> Tensor:
        return plain(three(x), other(x))

    assert_close(got.value, f(x))
    assert_close(got.jacobian, vmap(jacrev(f))(x))
    second = vmap(hessian(f))(x).diagonal(dim1=-2, dim2=-1)
    assert_close(got.weighted_hessian, second @ WEIGHTS.mT)


@pytest.mark.parametrize("name", [name for name in RULES if name != "wrong"])
def test_rule(name: str) -> None:
    check_rule(name)


def test_check_rule_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_rule("wrong")


def test_jets_of_other_weights_do_not_mix() -> None:
    x = torch.rand(3, 2)
    for rule in (rules.product, rules.add, lambda u, v: rules.concat([u, v])):
        with pytest.raises(ValueError, match="same weights"):
            rule(Jet.root(x), Jet.root(x, torch.eye(2)))
    with pytest.raises(ValueError, match="at least one"):
        rules.concat([])


def test_a_jet_checks_its_streams() -> None:
    with pytest.raises(ValueError, match="expected 4 streams"):
        Jet(torch.zeros(3, 5, 2), torch.ones(1, 2))


def test_laplacian_needs_its_weights() -> None:
    x = torch.rand(3, 2)
    assert_close(rules.product(Jet.root(x), Jet.root(x)).laplacian, torch.full((3, 2), 2.0))
    assert_close(Jet.root(x, torch.eye(2)).laplacian, torch.zeros(3, 2))
    for weights in (torch.zeros(0, 2), torch.tensor([[1.0, 0.0]]), torch.ones(2, 2)):
        with pytest.raises(ValueError, match="add up to the Laplacian"):
            Jet.root(x, weights).laplacian  # noqa: B018


def test_autodiff_mixes_nothing_in() -> None:
    """Coordinates that already depend on something: only this function's derivatives count."""
    base = torch.rand(5, 2, requires_grad=True)
    x = base * base
    got = jet_by_autodiff(lambda x: x.prod(-1, keepdim=True), Jet.root(x))
    assert_close(got.jacobian[:, 0], x.flip(-1))
    # And the way back to `base` is open.
    (grad,) = torch.autograd.grad(got.jacobian.sum(), base)
    assert_close(grad, 2 * base)


def test_autodiff_of_what_is_constant_is_zero() -> None:
    got = jet_by_autodiff(lambda x: torch.ones(*x.shape[:-1], 2), Jet.root(torch.rand(5, 3)))
    assert_close(got.streams[1:], torch.zeros(4, 5, 2))


def test_autodiff_without_a_trace() -> None:
    with torch.no_grad():
        got = jet_by_autodiff(torch.sin, Jet.root(torch.zeros(5, 2)))
    assert not got.streams.requires_grad
    assert_close(got.jacobian, torch.eye(2).expand(5, 2, 2))


def test_autodiff_refuses_a_function_that_loses_the_batch() -> None:
    with pytest.raises(ValueError, match=r"shape \(5, c\)"):
        jet_by_autodiff(lambda x: x.sum(0), Jet.root(torch.zeros(5, 2)))
