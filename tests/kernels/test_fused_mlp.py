"""The compiled perceptron against autograd in float64 on plain layers."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from neurafield.errors import KernelNotice
from neurafield.kernels import dispatch, library
from neurafield.kernels import fused_mlp as kernel
from neurafield.kernels.fused_mlp import ACTIVATIONS, fused_mlp
from neurafield.networks import MLP, Siren

from .levels import implementation, level, needs_native  # noqa: F401

# Written out for the oracle, which runs them in float64.
ORACLE = {
    "Sine": torch.sin,
    "ReLU": torch.relu,
    "Tanh": torch.tanh,
    "Sigmoid": torch.special.expit,
    "SiLU": lambda z: z * torch.special.expit(z),
    "Softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "GELU": lambda z: z * (1 + torch.special.erf(z / math.sqrt(2))) / 2,
    "Gaussian": lambda z: torch.exp(-(z**2) / 2),
    "Quadratic": lambda z: 1 / (1 + z**2),
    "Multiquadric": lambda z: (1 + z**2) ** -0.5,
    "Laplacian": lambda z: torch.exp(-torch.abs(z)),
    "ExpSine": lambda z: torch.exp(torch.sin(z)),
}


@dataclass
class Problem:
    """A perceptron with everything that its gradients need."""

    dims: list[int]
    activation: str
    num_points: int
    scale: float = 1.0
    seed: int = 0
    weights: list[Tensor] = field(init=False)
    biases: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.seed)
        pairs = list(zip(self.dims[:-1], self.dims[1:], strict=True))
        # What enters the activation is of size 1: more would make the problem chaotic.
        size = [1 / self.scale] * (len(pairs) - 1) + [1.0]
        self.weights = [
            torch.randn(o, i, generator=g) / math.sqrt(i) * s
            for (i, o), s in zip(pairs, size, strict=True)
        ]
        self.biases = [
            torch.randn(o, generator=g) * s for (_, o), s in zip(pairs, size, strict=True)
        ]
        self.scales = [self.scale] * (len(pairs) - 1)
        self.x = torch.rand(self.num_points, self.dims[0], generator=g) * 2 - 1
        self.grad_y = torch.randn(self.num_points, self.dims[-1], generator=g)

    def measured(self, *, bfloat16: bool = False) -> dict[str, Tensor]:
        """Values and all gradients, from the library."""
        leaves = [t.clone().requires_grad_() for t in (self.x, *self.weights, *self.biases)]
        x, *parameters = leaves
        middle = len(self.weights)
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            y = fused_mlp(
                x,
                parameters[:middle],
                parameters[middle:],
                activation=self.activation,
                scales=self.scales,
            )
        y.backward(self.grad_y)
        return self._named(y.detach(), [leaf.grad for leaf in leaves])

    def expected(self) -> dict[str, Tensor]:
        """The same from autograd in float64."""
        leaves = [t.double().requires_grad_() for t in (self.x, *self.weights, *self.biases)]
        x, *parameters = leaves
        weights, biases = parameters[: len(self.weights)], parameters[len(self.weights) :]
        for weight, bias, scale in zip(weights[:-1], biases[:-1], self.scales, strict=True):
            x = ORACLE[self.activation](scale * (x @ weight.mT + bias))
        y = x @ weights[-1].mT + biases[-1]
        y.backward(self.grad_y.double())
        return self._named(y.detach(), [leaf.grad for leaf in leaves])

    def _named(self, y: Tensor, grads: list[Tensor | None]) -> dict[str, Tensor]:
        names = ["grad x"]
        names += [f"grad weight {i}" for i in range(len(self.weights))]
        names += [f"grad bias {i}" for i in range(len(self.biases))]
        return {"values": y, **{n: g for n, g in zip(names, grads, strict=True) if g is not None}}


def check_close(got: dict[str, Tensor], want: dict[str, Tensor], bound: float = 1e-5) -> None:
    assert got.keys() == want.keys()
    for name, expected in want.items():
        error = (got[name].double() - expected).norm() / expected.norm().clamp_min(1e-30)
        assert error <= bound, f"{name}: {error:.2e}"


def test_check_close_can_fail() -> None:
    want = {"values": torch.ones(5, dtype=torch.float64)}
    with pytest.raises(AssertionError, match="values"):
        check_close({"values": torch.ones(5) + 1e-4}, want)
    with pytest.raises(AssertionError):
        check_close({}, want)


SHAPES = [
    [2, 256, 256, 256, 256, 1],
    [32, 64, 64, 3],
    [3, 37, 41, 5],
    [1, 1, 1],
    [7, 5],
    [2, 8, 16, 24, 32, 40, 48, 7],
    [512, 33, 64],
    [5, 1024, 3],
    [1, 300, 2, 300, 64],
]


@pytest.mark.parametrize("dims", SHAPES, ids=lambda dims: "-".join(map(str, dims)))
def test_agrees_with_float64(level: str, dims: list[int]) -> None:  # noqa: F811
    for num_points in (1, 5, 1009):
        problem = Problem(dims, "Sine", num_points, scale=5.0)
        check_close(problem.measured(), problem.expected())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_agrees_with_float64(level: str, activation: str) -> None:  # noqa: F811
    for scale in (1.0, 8.0):
        problem = Problem([3, 53, 29, 2], activation, 503, scale=scale)
        check_close(problem.measured(), problem.expected())


@needs_native
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_right_everywhere(level: str, activation: str) -> None:  # noqa: F811
    # A network that is the activation alone, on arguments small, large and special.
    g = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(2000, generator=g) * s for s in (1e-4, 1e-2, 1, 10, 80, 3000)])
    z = torch.cat([z, torch.tensor([0.0, -0.0, 88.0, -88.0, 1e4, -1e4, 1e6, -3e7])])[:, None]
    one, none = torch.ones(1, 1), torch.zeros(1)
    x = z.clone().requires_grad_()
    y = fused_mlp(x, [one, one], [none, none], activation=activation, scales=[1.0])
    y.sum().backward()
    exact = z.double().requires_grad_()
    expected = ORACLE[activation](exact)
    expected.sum().backward()
    scale = expected.detach().abs().clamp_min(1.0)
    assert ((y.detach() - expected.detach()) / scale).abs().max() < 3e-7
    assert (x.grad - exact.grad).abs().max() < 5e-7


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_not_finite_stays_so_and_alone(level: str, activation: str) -> None:  # noqa: F811
    problem = Problem([2, 17, 17, 3], activation, 50)
    clean = problem.measured()["values"]
    problem.x[7, 0] = math.nan
    problem.x[20, 1] = math.inf
    got = problem.measured()["values"]
    want = problem.expected()["values"]
    assert got[7].isnan().all()
    assert torch.equal(got[20].isfinite(), want[20].isfinite())
    untouched = [i for i in range(50) if i not in (7, 20)]
    assert torch.equal(got[untouched], clean[untouched])


def test_any_layout_of_input(level: str) -> None:  # noqa: F811
    net = MLP(3, 5, width=11, depth=2, generator=torch.Generator().manual_seed(0))
    x = torch.rand(6, 4, 3)
    want = net(x)
    assert torch.equal(net(x.mT.contiguous().mT), want)
    assert torch.equal(net(x.transpose(0, 1)).transpose(0, 1), want)
    assert torch.equal(net(torch.rand(12, 4, 3)[::2].copy_(x)), want)
    assert torch.equal(net(x[0, 0]), want[0, 0])
    assert torch.equal(net(x[:1, :1].expand(6, 4, 3)), want[:1, :1].expand(6, 4, 5))
    assert net(x[:0]).shape == (0, 4, 5)
    net(torch.zeros(0, 3)).sum().backward()
    assert all(p.grad is not None and (p.grad == 0).all() for p in net.parameters())


def test_transposed_parameters(level: str) -> None:  # noqa: F811
    problem = Problem([3, 7, 2], "Tanh", 20)
    want = problem.measured()["values"]
    problem.weights = [w.mT.contiguous().mT for w in problem.weights]
    assert not problem.weights[0].is_contiguous()
    assert torch.equal(problem.measured()["values"], want)


def test_gradients_of_only_what_is_asked(level: str) -> None:  # noqa: F811
    problem = Problem([2, 19, 3], "SiLU", 100)
    want = problem.expected()
    x = problem.x.clone().requires_grad_()
    y = fused_mlp(x, problem.weights, problem.biases, activation="SiLU", scales=[1.0])
    y.backward(problem.grad_y)
    check_close({"grad x": x.grad}, {"grad x": want["grad x"]})
    bias = problem.biases[0].clone().requires_grad_()
    biases = [bias, *problem.biases[1:]]
    y = fused_mlp(problem.x, problem.weights, biases, activation="SiLU", scales=[1.0])
    y.backward(problem.grad_y)
    check_close({"grad bias 0": bias.grad}, {"grad bias 0": want["grad bias 0"]})


def test_without_gradients_the_values_are_the_same(level: str) -> None:  # noqa: F811
    net = Siren(2, 1, width=33, depth=3)
    x = torch.rand(700, 2)
    with torch.no_grad():
        bare = net(x)
    assert torch.equal(net(x), bare)
    with torch.inference_mode():
        assert torch.equal(net(x), bare)


def test_graphs_side_by_side_keep_their_own_memory(level: str) -> None:  # noqa: F811
    net = Siren(2, 1, width=16, depth=2)
    xs = [torch.rand(300, 2, requires_grad=True) for _ in range(3)]
    alone = []
    for x in xs:
        net(x).square().sum().backward()
        alone.append(x.grad.clone())
        x.grad = None
    outputs = [net(x) for x in xs]
    for y in reversed(outputs):
        y.square().sum().backward(retain_graph=True)
    for x, want in zip(xs, alone, strict=True):
        assert torch.equal(x.grad, want)
        x.grad = None
    outputs[1].square().sum().backward()
    assert torch.equal(xs[1].grad, alone[1])


def test_a_changed_parameter_is_noticed(level: str) -> None:  # noqa: F811
    net = Siren(2, 1, width=8, depth=2)
    y = net(torch.rand(5, 2))
    with torch.no_grad():
        net.layers[1].weight.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "ReLU"])
def test_second_derivatives(level: str, activation: str) -> None:  # noqa: F811
    problem = Problem([2, 9, 11, 3], activation, 13, scale=2.0)

    def second(dtype: torch.dtype, function: object) -> list[Tensor]:
        leaves = [t.clone().to(dtype).requires_grad_() for t in (problem.x, *problem.weights)]
        biases = [b.clone().to(dtype).requires_grad_() for b in problem.biases]
        y = function(leaves[0], leaves[1:], biases)
        (slope,) = torch.autograd.grad(y.sum(), leaves[0], create_graph=True)
        slope.square().sum().backward()
        return [leaf.grad for leaf in (*leaves, *biases[:-1])]

    def oracle(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            x = ORACLE[activation](2 * (x @ weight.mT + bias))
        return x @ weights[-1].mT + biases[-1]

    def ours(x: Tensor, weights: list[Tensor], biases: list[Tensor]) -> Tensor:
        return fused_mlp(x, weights, biases, activation=activation, scales=[2.0, 2.0])

    got, want = second(torch.float32, ours), second(torch.float64, oracle)
    for name, (a, b) in enumerate(zip(got, want, strict=True)):
        check_close({str(name): a}, {str(name): b}, 2e-5)


@pytest.mark.parametrize("activation", [a for a in ACTIVATIONS if a != "ReLU"])
def test_gradgradcheck_in_float64(activation: str) -> None:
    problem = Problem([2, 3, 4, 2], activation, 3)
    leaves = [t.double().requires_grad_() for t in (problem.x, *problem.weights, *problem.biases)]

    def function(x: Tensor, *parameters: Tensor) -> Tensor:
        return fused_mlp(x, parameters[:3], parameters[3:], activation=activation, scales=[1, 2])

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


def test_same_threads_same_bytes(level: str) -> None:  # noqa: F811
    problem = Problem([2, 64, 64, 1], "Sine", 5003, scale=30.0)
    try:
        results = {}
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            first, *others = (problem.measured() for _ in range(4))
            for other in others:
                assert all(torch.equal(first[name], other[name]) for name in first)
            results[threads] = first
    finally:
        torch.set_num_threads(1)
    for threads in (2, 3):
        # Each point's results do not even depend on the number; sums over points are rounded
        # in another order.
        for name in ("values", "grad x"):
            assert torch.equal(results[1][name], results[threads][name])
        check_close(results[threads], problem.expected())


BFLOAT16_SHAPES = [[2, 64, 64, 64, 1], [3, 37, 41, 5], [1, 1, 2, 3, 1], [4, 130, 260, 2], [2, 9, 1]]


@pytest.mark.parametrize("dims", BFLOAT16_SHAPES, ids=lambda dims: "-".join(map(str, dims)))
def test_bfloat16_agrees_with_the_rounded_reference(
    level: str,  # noqa: F811
    dims: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the processor cannot multiply bfloat16, the same kernel does it in float32 arithmetic;
    # users then get float32, but the arrangement of the words is tested everywhere.
    monkeypatch.setattr(implementation(kernel), "has_bfloat16", lambda: True)
    problem = Problem(dims, "Sine", 509, scale=3.0)
    got = problem.measured(bfloat16=True)
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    want = problem.measured(bfloat16=True)
    # A number that lies between two bfloat16 may be rounded to either side.
    check_close(got, {name: tensor.double() for name, tensor in want.items()}, 3e-3)
    exact = problem.expected()["values"]
    error = (got["values"].double() - exact).norm() / exact.norm()
    assert got["values"].dtype == torch.float32
    if len(dims) > 3:
        assert 1e-4 < error < 3e-2
    else:
        assert error < 1e-6  # No product between hidden layers.


@needs_native
def test_bfloat16_is_refused_politely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_notified", set())
    monkeypatch.setattr(library.native(), "has_bfloat16", lambda: False)
    net = Siren(2, 1, width=32, depth=3)
    x = torch.rand(50, 2)
    with torch.autocast("cpu", torch.bfloat16), pytest.warns(KernelNotice, match="no bfloat16"):
        rounded = net(x)
    assert torch.equal(rounded, net(x))


def test_the_rounded_reference_rounds_to_nearest_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    # One hidden product of 1 + 2^-8 (a tie, to even: 1) and of 1 + 2^-7 (representable).
    for weight, want in ((1 + 2**-8, 1.0), (1 + 2**-7, 1 + 2**-7), (1 + 3 * 2**-8, 1 + 2**-6)):
        weights = [torch.ones(1, 1), torch.full((1, 1), weight), torch.ones(1, 1)]
        biases = [torch.zeros(1)] * 3
        with torch.autocast("cpu", torch.bfloat16):
            y = fused_mlp(torch.ones(1, 1), weights, biases, activation="ReLU", scales=[1.0, 1.0])
        assert y.item() == want


@needs_native
def test_float64_is_served_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_notified", set())
    net = Siren(2, 1, width=8, depth=2).double()
    x = torch.rand(5, 2, dtype=torch.float64)
    with pytest.warns(KernelNotice, match="float64; using the PyTorch reference") as notices:
        results = net(x), net(x)
    assert results[0].dtype == results[1].dtype == torch.float64
    assert len(notices) == 1


@needs_native
@pytest.mark.parametrize("dims", [[513, 4, 1], [2, 1025, 1], [2, 4, 65]], ids=str)
def test_beyond_its_limits_the_reference_runs(
    dims: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_notified", set())
    problem = Problem(dims, "Tanh", 7)
    with pytest.warns(KernelNotice, match="512 inputs, width 1024 and 64 outputs at most"):
        check_close(problem.measured(), problem.expected())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "Sinus"}, "expected one of Sine, ReLU"),
        ({"scales": []}, "one scale less, got 2 weights, 2 biases and 0 scales"),
        ({"biases": [torch.zeros(4)]}, "2 weights, 1 biases"),
        (
            {"weights": [torch.zeros(4, 2), torch.zeros(1, 5)]},
            r"layer 1 .* \(_, 4\) and \(_\), got \(1, 5\)",
        ),
        ({"weights": [torch.zeros(4, 3), torch.zeros(1, 4)]}, r"layer 0 .* \(_, 2\)"),
        ({"biases": [torch.zeros(5), torch.zeros(1)]}, r"layer 0 .* got \(4, 2\) and \(5,\)"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    arguments = {
        "weights": [torch.zeros(4, 2), torch.zeros(1, 4)],
        "biases": [torch.zeros(4), torch.zeros(1)],
        "activation": "Sine",
        "scales": [1.0],
    } | change
    weights, biases = arguments.pop("weights"), arguments.pop("biases")
    with pytest.raises(ValueError, match=message):
        fused_mlp(torch.zeros(3, 2), weights, biases, **arguments)
