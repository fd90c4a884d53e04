"""The gradient for coordinates as an operation with a gradient, against autograd in float64."""

import pytest
import torch
from torch import Tensor

from neurafield.kernels import library
from neurafield.kernels.fused_mlp import ACTIVATIONS, autograd, fused_mlp

from .levels import level, needs_native  # noqa: F401
from .test_fused_mlp import ORACLE, Problem, check_close


@pytest.fixture
def no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if anything goes through the reference."""

    def refuse(*_: object) -> None:
        raise AssertionError("the reference ran")

    monkeypatch.setattr(autograd.reference, "fused_mlp", refuse)


def ours(problem: Problem, x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    return fused_mlp(x, weights, biases, activation=problem.activation, scales=problem.scales)


def oracle(problem: Problem, x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
    for weight, bias, scale in zip(weights[:-1], biases[:-1], problem.scales, strict=True):
        x = ORACLE[problem.activation](scale * (x @ weight.mT + bias))
    return x @ weights[-1].mT + biases[-1]


def gradients(
    problem: Problem, function: object, dtype: torch.dtype, *, values: bool = False
) -> dict[str, Tensor]:
    """Of a loss in g = dy/dx' grad_y, and in y too if asked for, with respect to everything."""
    inputs = (problem.x, problem.grad_y, *problem.weights, *problem.biases)
    leaves = [t.to(dtype).clone().requires_grad_() for t in inputs]
    x, grad_y, *parameters = leaves
    middle = len(problem.weights)
    y = function(problem, x, parameters[:middle], parameters[middle:])
    (g,) = torch.autograd.grad(y, x, grad_y, create_graph=True)
    gbar = torch.linspace(-1, 1, g.numel(), dtype=dtype).reshape(g.shape)
    loss = (g * gbar).sum() + ((y * y).sum() if values else 0)
    loss.backward()
    names = ["x", "grad_y"] + [f"weight {i}" for i in range(middle)]
    names += [f"bias {i}" for i in range(middle)]
    found = {n: leaf.grad for n, leaf in zip(names, leaves, strict=True) if leaf.grad is not None}
    return {"g": g.detach(), **found}


def check_gradients(problem: Problem, bound: float = 1e-5, *, values: bool = False) -> None:
    got = gradients(problem, ours, torch.float32, values=values)
    want = gradients(problem, oracle, torch.float64, values=values)
    # Where nothing depends on x, torch may leave out what here are zeros.
    for name in got.keys() - want.keys():
        assert (got.pop(name) == 0).all(), name
    check_close(got, want, bound)


SHAPES = [
    [2, 256, 256, 256, 256, 1],
    [32, 64, 64, 3],
    [3, 37, 41, 5],
    [1, 1, 1],
    [7, 5],
    [2, 8, 16, 24, 32, 40, 48, 7],
    [512, 33, 64],
]


@pytest.mark.parametrize("dims", SHAPES, ids=lambda dims: "-".join(map(str, dims)))
@pytest.mark.usefixtures("no_reference")
def test_agrees_with_float64(level: str, dims: list[int]) -> None:  # noqa: F811
    for num_points in (1, 5, 307):
        check_gradients(Problem(dims, "Sine", num_points, scale=5.0))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.usefixtures("no_reference")
def test_every_activation(level: str, activation: str) -> None:  # noqa: F811
    check_gradients(Problem([3, 53, 29, 2], activation, 203, scale=4.0))


@pytest.mark.usefixtures("no_reference")
def test_values_and_gradients_in_one_loss(level: str) -> None:  # noqa: F811
    check_gradients(Problem([3, 31, 29, 2], "Tanh", 203), values=True)


def test_the_check_can_fail() -> None:
    problem = Problem([3, 5, 2], "Tanh", 11)
    wrong = Problem([3, 5, 2], "Tanh", 11)
    wrong.scales = [1.01]
    with pytest.raises(AssertionError):
        check_close(
            gradients(problem, ours, torch.float32), gradients(wrong, oracle, torch.float64)
        )


@pytest.mark.usefixtures("no_reference")
def test_fixture_no_reference_can_fail() -> None:
    with pytest.raises(AssertionError, match="the reference ran"):
        autograd.reference.fused_mlp()


@pytest.mark.parametrize("asked", ["x", "grad_y", "weight 1", "bias 0"])
@pytest.mark.usefixtures("no_reference")
def test_gradients_of_only_what_is_asked(level: str, asked: str) -> None:  # noqa: F811
    problem = Problem([3, 13, 17, 2], "Sine", 100)
    want = gradients(problem, oracle, torch.float64)[asked]
    x, grad_y = problem.x.clone().requires_grad_(), problem.grad_y.clone()
    weights, biases = [w.clone() for w in problem.weights], [b.clone() for b in problem.biases]
    kind, _, index = asked.partition(" ")
    lists = {"x": x, "grad_y": grad_y, "weight": weights, "bias": biases}
    leaf = lists[kind][int(index)] if index else lists[kind]
    leaf.requires_grad_()
    y = ours(problem, x, weights, biases)
    (g,) = torch.autograd.grad(y, x, grad_y, create_graph=True)
    gbar = torch.linspace(-1, 1, g.numel()).reshape(g.shape)
    (got,) = torch.autograd.grad((g * gbar).sum(), leaf)
    check_close({asked: got}, {asked: want})


@needs_native
def test_gradients_for_coordinates_cost_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    compiled = library.native().mlp_backward

    def spy(*arguments: object) -> None:
        asked.append(len(arguments[10]))
        compiled(*arguments)

    monkeypatch.setattr(library.native(), "mlp_backward", spy)
    problem = Problem([3, 13, 2], "Sine", 10)
    x = problem.x.requires_grad_()
    weights = [w.requires_grad_() for w in problem.weights]
    y = ours(problem, x, weights, problem.biases)
    torch.autograd.grad(y.sum(), x, retain_graph=True)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    y.sum().backward(inputs=[x], retain_graph=True)
    assert asked == [0, 0, 0]
    torch.autograd.grad(y.sum(), weights[0], retain_graph=True)
    y.sum().backward()
    assert asked[3:] == [2, 2]
    # The same where x is itself computed.
    y = ours(problem, 2 * x, weights, problem.biases)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    assert asked[5:] == [0]


@pytest.mark.usefixtures("no_reference")
def test_graphs_can_be_kept(level: str) -> None:  # noqa: F811
    problem = Problem([2, 19, 23, 1], "Sine", 150)
    x = problem.x.requires_grad_()
    weight = problem.weights[1].requires_grad_()
    y = ours(problem, x, problem.weights, problem.biases)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    g.square().sum().backward(retain_graph=True)
    first, weight.grad = weight.grad, None
    g.square().sum().backward(retain_graph=True)
    assert torch.equal(weight.grad, first)
    (again,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(again, g)


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "ReLU"])
def test_third_derivatives(level: str, activation: str) -> None:  # noqa: F811
    problem = Problem([2, 9, 11, 3], activation, 13, scale=2.0)

    def third(function: object, dtype: torch.dtype) -> dict[str, Tensor]:
        x, *parameters = (
            t.to(dtype, copy=True).requires_grad_()
            for t in (problem.x, *problem.weights, *problem.biases)
        )
        y = function(problem, x, parameters[:3], parameters[3:])
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (h,) = torch.autograd.grad(g[:, 0].sum(), x, create_graph=True)
        h.square().sum().backward()
        return {
            "h": h.detach(),
            "x": x.grad,
            **{str(i): p.grad for i, p in enumerate(parameters[:3])},
        }

    check_close(third(ours, torch.float32), third(oracle, torch.float64), 5e-5)


def test_gradients_for_coordinates_and_parameters_at_once(level: str) -> None:  # noqa: F811
    problem = Problem([2, 9, 11, 3], "Tanh", 13)

    def total(function: object, dtype: torch.dtype) -> dict[str, Tensor]:
        x, *parameters = (
            t.to(dtype, copy=True).requires_grad_()
            for t in (problem.x, *problem.weights, *problem.biases)
        )
        y = function(problem, x, parameters[:3], parameters[3:])
        found = torch.autograd.grad(y.sum(), [x, parameters[1]], create_graph=True)
        sum(t.square().sum() for t in found).backward()
        return {"x": x.grad, **{str(i): p.grad for i, p in enumerate(parameters[:3])}}

    check_close(total(ours, torch.float32), total(oracle, torch.float64), 2e-5)


def test_batches_of_gradients(level: str) -> None:  # noqa: F811
    problem = Problem([2, 9, 3], "Sine", 20)
    x = problem.x.requires_grad_()
    weight = problem.weights[0].requires_grad_()
    y = ours(problem, x, problem.weights, problem.biases)
    upstream = torch.randn(5, *y.shape)
    (got,) = torch.autograd.grad(y, x, upstream, is_grads_batched=True, create_graph=True)
    for row, grad in zip(got, upstream, strict=True):
        (want,) = torch.autograd.grad(y, x, grad, create_graph=True)
        torch.testing.assert_close(row, want)
        torch.testing.assert_close(
            torch.autograd.grad(row.square().sum(), weight, retain_graph=True)[0],
            torch.autograd.grad(want.square().sum(), weight, retain_graph=True)[0],
            rtol=1e-4,
            atol=1e-4,
        )


def test_no_points(level: str) -> None:  # noqa: F811
    problem = Problem([2, 9, 3], "Sine", 0)
    got = gradients(problem, ours, torch.float32)
    assert all((got[name] == 0).all() for name in got)
    assert got["x"].shape == (0, 2)


def test_same_threads_same_bytes(level: str) -> None:  # noqa: F811
    problem = Problem([2, 64, 64, 1], "Sine", 1009, scale=30.0)
    want = gradients(problem, oracle, torch.float64)
    try:
        results = {}
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            first, *others = (gradients(problem, ours, torch.float32) for _ in range(3))
            for other in others:
                assert all(torch.equal(first[name], other[name]) for name in first)
            results[threads] = first
    finally:
        torch.set_num_threads(1)
    for threads in (2, 3):
        for name in ("g", "x", "grad_y"):
            assert torch.equal(results[1][name], results[threads][name])
        check_close(results[threads], want)
