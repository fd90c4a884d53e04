"""Values and derivatives through a perceptron, against nested autograd in float64."""

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from neurafield.errors import KernelNotice
from neurafield.kernels import dispatch
from neurafield.kernels.fused_mlp import fused_mlp
from neurafield.kernels.fused_mlp_jet import ACTIVATIONS, fused_mlp_jet

from .levels import level, needs_native  # noqa: F401
from .test_fused_mlp import ORACLE, check_close

LAPLACIAN = "laplacian"


@dataclass
class JetProblem:
    """A perceptron, and curves through its inputs with given derivatives.

    The inputs are h(t) = value + J t + H t^2 / 2 at t = 0, so what is known of them is their value
    (n, in), first derivatives J (d, n, in) and second derivatives H (d, n, in).
    """

    dims: list[int]
    activation: str
    num_points: int
    d: int = 2
    mix: Tensor | str = LAPLACIAN
    scale: float = 1.0
    seed: int = 0
    leaves: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        g = torch.Generator().manual_seed(self.seed)
        if isinstance(self.mix, str):
            self.mix = torch.ones(1, self.d)
        n, pairs = self.num_points, list(zip(self.dims[:-1], self.dims[1:], strict=True))
        # What enters the activation is of size 1: more would make the problem chaotic.
        size = [1 / self.scale] * (len(pairs) - 1) + [1.0]
        self.scales = [self.scale] * (len(pairs) - 1)
        value = torch.rand(n, self.dims[0], generator=g) * 2 - 1
        first = torch.randn(self.d, n, self.dims[0], generator=g)
        second = torch.randn(self.d, n, self.dims[0], generator=g)
        weights = [
            torch.randn(o, i, generator=g) / math.sqrt(i) * s
            for (i, o), s in zip(pairs, size, strict=True)
        ]
        biases = [torch.randn(o, generator=g) * s for (_, o), s in zip(pairs, size, strict=True)]
        self.leaves = [value, first, second, *weights, *biases]
        num_streams = 1 + self.d + len(self.mix)
        self.grad_y = torch.randn(num_streams, n, self.dims[-1], generator=g)

    def measured(self, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
        """Streams and all gradients, from the library."""
        leaves = [t.to(dtype).clone().requires_grad_() for t in self.leaves]
        value, first, second, *parameters = leaves
        mix = self.mix.to(dtype)
        streams = torch.cat([value[None], first, torch.tensordot(mix, second, dims=1)])
        middle = len(parameters) // 2
        y = fused_mlp_jet(
            streams,
            parameters[:middle],
            parameters[middle:],
            mix=mix,
            activation=self.activation,
            scales=self.scales,
        )
        y.backward(self.grad_y.to(dtype))
        return self._named(y.detach(), [leaf.grad for leaf in leaves])

    def expected(self) -> dict[str, Tensor]:
        """The same from autograd in float64, which differentiates twice along t."""
        leaves = [t.double().requires_grad_() for t in self.leaves]
        value, first, second, *parameters = leaves
        middle, mix = len(parameters) // 2, self.mix.double()
        t = torch.zeros(self.d, self.num_points, 1, dtype=torch.float64, requires_grad=True)
        h = value + (first * t + second * t.square() / 2).sum(0)
        weights, biases = parameters[:middle], parameters[middle:]
        for weight, bias, scale in zip(weights[:-1], biases[:-1], self.scales, strict=True):
            h = ORACLE[self.activation](scale * (h @ weight.mT + bias))
        y = h @ weights[-1].mT + biases[-1]
        slopes, curvatures = [], []
        for channel in y.unbind(-1):
            (slope,) = torch.autograd.grad(channel.sum(), t, create_graph=True)
            slopes.append(slope[..., 0])
            curvature = [
                torch.autograd.grad(slope[k].sum(), t, create_graph=True)[0][k, :, 0]
                if slope.requires_grad
                else torch.zeros(self.num_points, dtype=torch.float64)
                for k in range(self.d)
            ]
            curvatures.append(torch.stack(curvature))
        sums = torch.tensordot(mix, torch.stack(curvatures, -1), dims=1)
        streams = torch.cat([y[None], torch.stack(slopes, -1), sums])
        streams.backward(self.grad_y.double())
        return self._named(streams.detach(), [leaf.grad for leaf in leaves])

    def _named(self, streams: Tensor, grads: list[Tensor | None]) -> dict[str, Tensor]:
        d = self.d
        found = {"values": streams[0], "first": streams[1 : d + 1], "second": streams[d + 1 :]}
        middle = (len(grads) - 3) // 2
        names = ["grad value", "grad first", "grad second"]
        names += [f"grad weight {i}" for i in range(middle)]
        names += [f"grad bias {i}" for i in range(middle)]
        return found | {n: g for n, g in zip(names, grads, strict=True) if g is not None}


SMOOTH = [a for a in ACTIVATIONS if a != "ReLU"]

MIXES = {
    "laplacian": torch.ones(1, 3),
    "each by itself": torch.eye(3),
    "first order": torch.zeros(0, 3),
    "wave operator": torch.tensor([[1.0, -2.0, -0.5]]),
    "two sums": torch.tensor([[1.0, 1.0, 0.0], [0.3, 0.0, 2.0]]),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mix", MIXES)
def test_reference_agrees_with_nested_autograd(activation: str, mix: str) -> None:
    problem = JetProblem([5, 7, 11, 3], activation, 13, d=3, mix=MIXES[mix], scale=2.0)
    check_close(problem.measured(torch.float64), problem.expected(), 1e-12)


SHAPES = [
    [2, 256, 256, 256, 256, 1],
    [32, 64, 64, 3],
    [3, 37, 41, 5],
    [1, 1, 1],
    [7, 5],
    [2, 8, 16, 24, 32, 40, 48, 7],
    [3, 300, 2],
    [512, 33, 2],
]


@pytest.mark.parametrize("dims", SHAPES, ids=lambda dims: "-".join(map(str, dims)))
def test_agrees_with_float64(level: str, dims: list[int]) -> None:  # noqa: F811
    # A single number may have cancelled: of one point, less is asked.
    for num_points, bound in ((1, 5e-5), (5, 1e-5), (211, 1e-5)):
        problem = JetProblem(dims, "Sine", num_points, scale=5.0)
        check_close(problem.measured(), problem.expected(), bound)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mix", MIXES)
def test_every_activation_and_mix(level: str, activation: str, mix: str) -> None:  # noqa: F811
    problem = JetProblem([3, 29, 23, 2], activation, 101, d=3, mix=MIXES[mix], scale=4.0)
    check_close(problem.measured(), problem.expected())


@pytest.mark.parametrize(("d", "s"), [(1, 0), (1, 1), (2, 2), (4, 1), (6, 6), (7, 3), (14, 1)])
def test_any_number_of_streams(level: str, d: int, s: int) -> None:  # noqa: F811
    mix = torch.randn(s, d, generator=torch.Generator().manual_seed(d))
    problem = JetProblem([2, 17, 13, 3], "Tanh", 67, d=d, mix=mix)
    check_close(problem.measured(), problem.expected())


@pytest.mark.parametrize("wrong", ["mix", "scale", "weight"])
def test_agreement_can_fail(wrong: str) -> None:
    problem = JetProblem([2, 9, 3], "Sine", 7)
    expected = problem.expected()
    if wrong == "mix":
        problem.mix = problem.mix + 0.01
    elif wrong == "scale":
        problem.scales = [1.01]
    else:
        problem.leaves[3][4, 1] += 0.1
    with pytest.raises(AssertionError):
        check_close(problem.measured(), expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_derivatives_are_right_everywhere(level: str, activation: str) -> None:  # noqa: F811
    # A network that is the activation alone, on arguments small, large and special.
    g = torch.Generator().manual_seed(0)
    z = torch.cat([torch.randn(2000, generator=g) * s for s in (1e-4, 1e-2, 1, 10, 80, 3000)])
    z = torch.cat([z, torch.tensor([88.0, -88.0, 1e4, -1e4, 1e6, -3e7])])[:, None]
    one, none = torch.ones(1, 1), torch.zeros(1)
    streams = torch.stack([z, torch.ones_like(z), torch.zeros_like(z)]).requires_grad_()
    y = fused_mlp_jet(
        streams, [one, one], [none, none], mix=one, activation=activation, scales=[1.0]
    )
    y[2].sum().backward()
    exact = z.double().requires_grad_()
    wanted = [ORACLE[activation](exact)]
    if activation == "Softplus":
        # Torch's second derivative of logaddexp is NaN far out.
        wanted.append(torch.special.expit(exact))
    while len(wanted) < 4:
        below = wanted[-1]
        (slope,) = (
            torch.autograd.grad(below.sum(), exact, create_graph=True)
            if below.requires_grad
            else (torch.zeros_like(exact),)
        )
        wanted.append(slope)
    found = [*y.detach(), streams.grad[0]]
    for order, (got, want) in enumerate(zip(found, wanted, strict=True)):
        error = (got - want.detach()).abs() / want.detach().abs().clamp_min(1.0)
        assert error.max() < (3e-7, 5e-7, 1e-6, 2e-6)[order], order


@pytest.mark.parametrize("activation", [a for a in SMOOTH if a not in ("Sine", "ExpSine")])
def test_huge_arguments_saturate(level: str, activation: str) -> None:  # noqa: F811
    z = torch.tensor([[-1e38], [-3e38], [-1e3], [1e3], [1e38]])
    one, none = torch.ones(1, 1), torch.zeros(1)
    streams = torch.stack([z, torch.ones_like(z), torch.zeros_like(z)]).requires_grad_()
    y = fused_mlp_jet(
        streams, [one, one], [none, none], mix=one, activation=activation, scales=[1.0]
    )
    y[1:].sum().backward()
    # Quadratics fall off by powers, all others exponentially or not at all.
    bound = 3e-9 if activation in ("Quadratic", "Multiquadric") else 0
    assert (y[2].abs() <= bound).all()
    assert (streams.grad[0].abs() <= bound).all()
    assert streams.grad.isfinite().all()


def test_laplacian_has_no_slope_at_its_peak(level: str) -> None:  # noqa: F811
    # Torch's autograd says so of e^-|z|, and so do all versions here.
    z = torch.tensor([[0.0], [-0.0], [1e-30], [-1e-30]])
    one, none = torch.ones(1, 1), torch.zeros(1)
    streams = torch.stack([z, torch.ones_like(z), torch.zeros_like(z)]).requires_grad_()
    layers = [one, one], [none, none]
    y = fused_mlp_jet(streams, *layers, mix=one, activation="Laplacian", scales=[1.0])
    y[2].sum().backward()
    plain = z.clone().requires_grad_()
    fused_mlp(plain, *layers, activation="Laplacian", scales=[1.0]).sum().backward()
    first, second = torch.tensor([[0.0, 0, -1, 1], [0, 0, 1, 1]])
    assert torch.equal(plain.grad[:, 0], first)
    assert torch.equal(y.detach()[1:, :, 0], torch.stack([first, second]))
    assert torch.equal(streams.grad[0, :, 0], first)


def test_values_are_those_of_fused_mlp(level: str) -> None:  # noqa: F811
    problem = JetProblem([3, 67, 71, 5], "Sine", 301, scale=20.0)
    value, _, _, *parameters = problem.leaves
    middle = len(parameters) // 2
    options = {"activation": "Sine", "scales": problem.scales}
    want = fused_mlp(value, parameters[:middle], parameters[middle:], **options)
    assert torch.equal(problem.measured()["values"], want)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_not_finite_stays_so_and_alone(level: str, activation: str) -> None:  # noqa: F811
    problem = JetProblem([2, 17, 17, 3], activation, 50)
    clean = problem.measured()
    problem.leaves[0][7, 0] = math.nan
    problem.leaves[1][1, 20, 1] = math.inf
    got = problem.measured()
    assert got["values"][7].isnan().all()
    assert torch.equal(got["values"][20], clean["values"][20])
    assert not got["first"][1, 20].isfinite().any()
    untouched = [i for i in range(50) if i not in (7, 20)]
    for name in ("values", "first", "second"):
        assert torch.equal(got[name][..., untouched, :], clean[name][..., untouched, :])


def arguments(problem: JetProblem) -> tuple[Tensor, list[Tensor], list[Tensor], dict]:
    value, first, second, *parameters = problem.leaves
    streams = torch.cat([value[None], first, torch.tensordot(problem.mix, second, dims=1)])
    middle = len(parameters) // 2
    options = {"mix": problem.mix, "activation": problem.activation, "scales": problem.scales}
    return streams, parameters[:middle], parameters[middle:], options


def test_any_layout_of_streams(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([3, 11, 5], "Tanh", 24))
    want = fused_mlp_jet(streams, weights, biases, **options)
    turned = streams.mT.contiguous().mT
    assert torch.equal(fused_mlp_jet(turned, weights, biases, **options), want)
    batch = streams.reshape(4, 6, 4, 3)
    assert torch.equal(fused_mlp_jet(batch, weights, biases, **options).reshape(4, 24, 5), want)
    single = fused_mlp_jet(streams[:, 0], weights, biases, **options)
    assert torch.equal(single, want[:, 0])
    turned = [w.mT.contiguous().mT for w in weights]
    assert torch.equal(fused_mlp_jet(streams, turned, biases, **options), want)
    options["mix"] = torch.ones(1, 1).expand(1, 2)
    assert torch.equal(fused_mlp_jet(streams, weights, biases, **options), want)


@pytest.mark.parametrize("batch", [(0,), (3, 0)], ids=str)
def test_no_points(level: str, batch: tuple[int, ...]) -> None:  # noqa: F811
    _, weights, biases, options = arguments(JetProblem([3, 11, 5], "Tanh", 1))
    weight = weights[0].requires_grad_()
    y = fused_mlp_jet(torch.zeros(4, *batch, 3), weights, biases, **options)
    assert y.shape == (4, *batch, 5)
    y.sum().backward()
    assert (weight.grad == 0).all()


def test_gradients_of_only_what_is_asked(level: str) -> None:  # noqa: F811
    problem = JetProblem([2, 19, 3], "SiLU", 100)
    want = problem.expected()
    streams, weights, biases, options = arguments(problem)
    streams.requires_grad_()
    y = fused_mlp_jet(streams, weights, biases, **options)
    y.backward(problem.grad_y)
    check_close({"grad value": streams.grad[0]}, {"grad value": want["grad value"]})
    bias = biases[0].requires_grad_()
    y = fused_mlp_jet(streams.detach(), weights, biases, **options)
    y.backward(problem.grad_y)
    check_close({"grad bias 0": bias.grad}, {"grad bias 0": want["grad bias 0"]})
    with torch.no_grad():
        assert torch.equal(fused_mlp_jet(streams, weights, biases, **options), y)


def test_graphs_can_be_kept(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([2, 19, 3], "Sine", 100))
    streams.requires_grad_()
    y = fused_mlp_jet(streams, weights, biases, **options)
    y.square().sum().backward(retain_graph=True)
    first, streams.grad = streams.grad, None
    y.square().sum().backward()
    assert torch.equal(streams.grad, first)


@pytest.mark.parametrize("activation", SMOOTH)
def test_gradients_of_gradients(level: str, activation: str) -> None:  # noqa: F811
    # Through the reference: the third derivative along the curve, and its parameters' gradients.
    problem = JetProblem([2, 9, 11, 3], activation, 13, scale=2.0)

    def third(dtype: torch.dtype, native: bool) -> dict[str, Tensor]:
        value, first, _, *parameters = (
            t.to(dtype, copy=True).requires_grad_() for t in problem.leaves
        )
        mix, middle = problem.mix.to(dtype), len(parameters) // 2
        weights, biases = parameters[:middle], parameters[middle:]
        if native:
            streams = torch.cat([value[None], first, torch.zeros_like(value[None])])
            options = {"mix": mix, "activation": activation, "scales": problem.scales}
            laplacian = fused_mlp_jet(streams, weights, biases, **options)[-1]
        else:
            t = torch.zeros(2, 13, 1, dtype=dtype, requires_grad=True)
            h = value + (first * t).sum(0)
            for weight, bias, scale in zip(weights[:-1], biases[:-1], problem.scales, strict=True):
                h = ORACLE[activation](scale * (h @ weight.mT + bias))
            y = h @ weights[-1].mT + biases[-1]
            columns = []
            for channel in y.unbind(-1):
                (g,) = torch.autograd.grad(channel.sum(), t, create_graph=True)
                second = [
                    torch.autograd.grad(g[k].sum(), t, create_graph=True)[0][k] for k in range(2)
                ]
                columns.append(sum(second))
            laplacian = torch.cat(columns, -1)
        (slope,) = torch.autograd.grad(laplacian.sum(), value, create_graph=True)
        slope.square().sum().backward()
        return {str(i): w.grad.detach() for i, w in enumerate(weights)}

    check_close(third(torch.float32, True), third(torch.float64, False), 5e-5)


@pytest.mark.parametrize("activation", SMOOTH)
def test_gradgradcheck_in_float64(activation: str) -> None:
    streams, weights, biases, options = arguments(JetProblem([2, 3, 4, 2], activation, 1))
    options["mix"] = options["mix"].double()
    leaves = [t.double().requires_grad_() for t in (streams, *weights, *biases)]

    def function(streams: Tensor, *parameters: Tensor) -> Tensor:
        return fused_mlp_jet(streams, parameters[:3], parameters[3:], **options)

    assert torch.autograd.gradcheck(function, leaves)
    assert torch.autograd.gradgradcheck(function, leaves)


def test_same_threads_same_bytes(level: str) -> None:  # noqa: F811
    problem = JetProblem([2, 64, 64, 1], "Sine", 1009, scale=30.0)
    try:
        results = {}
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            first, *others = (problem.measured() for _ in range(3))
            for other in others:
                assert all(torch.equal(first[name], other[name]) for name in first)
            results[threads] = first
    finally:
        torch.set_num_threads(1)
    for threads in (2, 3):
        # Each point's results do not even depend on the number; sums over points are rounded
        # in another order.
        for name in ("values", "first", "second", "grad value", "grad first", "grad second"):
            assert torch.equal(results[1][name], results[threads][name])
        check_close(results[threads], problem.expected())


def test_under_transforms(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([2, 9, 3], "Sine", 20))
    want = fused_mlp_jet(streams, weights, biases, **options)

    def run(streams: Tensor, weight: Tensor) -> Tensor:
        return fused_mlp_jet(streams, [weight, *weights[1:]], biases, **options)

    got = torch.func.vmap(run, in_dims=(1, None), out_dims=1)(streams, weights[0])
    torch.testing.assert_close(got, want)
    stacked = torch.stack([weights[0], 2 * weights[0]])
    got = torch.func.vmap(run, in_dims=(None, 0))(streams, stacked)
    torch.testing.assert_close(got[0], want)
    torch.testing.assert_close(got[1], run(streams, stacked[1]))


def test_batches_of_gradients(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([2, 9, 3], "Sine", 20))
    y = fused_mlp_jet(streams.requires_grad_(), weights, biases, **options)
    upstream = torch.randn(5, *y.shape)
    (got,) = torch.autograd.grad(y, streams, upstream, is_grads_batched=True, retain_graph=True)
    for row, g in zip(got, upstream, strict=True):
        torch.testing.assert_close(
            row, torch.autograd.grad(y, streams, g, retain_graph=True)[0], rtol=1e-4, atol=1e-5
        )


def test_a_changed_parameter_is_noticed(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([2, 9, 3], "Sine", 20))
    y = fused_mlp_jet(streams, [weights[0].requires_grad_(), weights[1]], biases, **options)
    with torch.no_grad():
        weights[1].add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_autocast_changes_nothing(level: str) -> None:  # noqa: F811
    streams, weights, biases, options = arguments(JetProblem([2, 32, 32, 1], "Sine", 50))
    want = fused_mlp_jet(streams, weights, biases, **options)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fused_mlp_jet(streams, weights, biases, **options), want)


@needs_native
@pytest.mark.parametrize(
    ("d", "s", "message"), [(15, 1, "16 streams at most"), (2, 1, "float64"), (3, 1, "no gradient")]
)
def test_beyond_its_limits_the_reference_runs(
    d: int, s: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_notified", set())
    problem = JetProblem([2, 7, 3], "Tanh", 5, d=d, mix=torch.ones(s, d))
    if message == "no gradient":
        problem.mix.requires_grad_()
    dtype = torch.float64 if message == "float64" else torch.float32
    with pytest.warns(KernelNotice, match=message):
        got = problem.measured(dtype)
    check_close(got, problem.expected())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "Sinus"}, "expected one of Sine, ReLU"),
        ({"scales": []}, "one scale less, got 2 weights, 2 biases and 0 scales"),
        ({"mix": torch.ones(1, 0)}, r"shape \(s, d\), got \(1, 0\)"),
        ({"mix": torch.ones(2, 2)}, r"expected streams of shape \(5, \.\.\., in_dim\)"),
        ({"streams": torch.zeros(5, 3, 2)}, r"got \(5, 3, 2\)"),
        ({"weights": [torch.zeros(4, 3), torch.zeros(1, 4)]}, r"layer 0 .* \(_, 2\)"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    arguments = {
        "streams": torch.zeros(4, 3, 2),
        "weights": [torch.zeros(4, 2), torch.zeros(1, 4)],
        "biases": [torch.zeros(4), torch.zeros(1)],
        "mix": torch.ones(1, 2),
        "activation": "Sine",
        "scales": [1.0],
    } | change
    order = [arguments.pop(name) for name in ("streams", "weights", "biases")]
    with pytest.raises(ValueError, match=message):
        fused_mlp_jet(*order, **arguments)
