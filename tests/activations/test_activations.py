"""Activations: closed forms in NumPy, derivatives by differences and autodiff, initial layers."""

import inspect
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.func import grad, vmap
from torch.testing import assert_close

from benchmarks.activations import DEPTH, figures
from neurafield import Field, activations, load, save
from neurafield._component import build, registry, spec_of
from neurafield.activations import AbstractActivation
from neurafield.kernels import fused_mlp, fused_mlp_jet
from neurafield.networks import MLP, Siren

PUBLIC = registry(activations, AbstractActivation)


def numpy_prelu(x, a=0.25):
    return np.where(x > 0, x, a * x), np.where(x > 0, 1.0, a), 0 * x


def numpy_silu(x):
    s = scipy.special.expit(x)
    return x * s, s * (1 + x * (1 - s)), s * (1 - s) * (2 + x * (1 - 2 * s))


def numpy_softplus(x, a=1.0):
    s = scipy.special.expit(a * x)
    return np.logaddexp(0, a * x) / a, s, a * s * (1 - s)


def numpy_gelu(x):
    p, d = scipy.stats.norm.cdf(x), scipy.stats.norm.pdf(x)
    return x * p, p + x * d, d * (2 - x**2)


def numpy_sigmoid(x):
    s = scipy.special.expit(x)
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def numpy_tanh(x):
    return np.tanh(x), np.cosh(x) ** -2, -2 * np.tanh(x) / np.cosh(x) ** 2


def numpy_gaussian(x, a=0.05):
    f = np.exp(-(x**2) / (2 * a**2))
    return f, -x / a**2 * f, (x**2 / a**4 - 1 / a**2) * f


def numpy_super_gaussian(x, a=0.1, b=4.0):
    f = np.exp(-(x**2) / (2 * a**2)) ** b
    return f, -b * x / a**2 * f, (b**2 * x**2 / a**4 - b / a**2) * f


def numpy_laplacian(x, a=0.1):
    f = np.exp(-np.abs(x) / a)
    return f, -np.sign(x) * f / a, f / a**2


def numpy_quadratic(x, a=15.0):
    u = 1 + (a * x) ** 2
    return 1 / u, -2 * a**2 * x / u**2, 8 * a**4 * x**2 / u**3 - 2 * a**2 / u**2


def numpy_multiquadric(x, a=30.0):
    u = 1 + (a * x) ** 2
    return u**-0.5, -(a**2) * x * u**-1.5, 3 * a**4 * x**2 * u**-2.5 - a**2 * u**-1.5


def numpy_sine(x, a=30.0):
    return np.sin(a * x), a * np.cos(a * x), -(a**2) * np.sin(a * x)


def numpy_exp_sine(x, a=30.0):
    s, c = np.sin(a * x), np.cos(a * x)
    return np.exp(s), a * c * np.exp(s), a**2 * (c**2 - s) * np.exp(s)


def numpy_finer_sine(x, a=30.0):
    p, dp = a * (np.abs(x) + 1) * x, a * (2 * np.abs(x) + 1)
    return np.sin(p), dp * np.cos(p), 2 * a * np.sign(x) * np.cos(p) - dp**2 * np.sin(p)


CLOSED_FORMS = {
    "ReLU": lambda x: (np.maximum(x, 0), np.where(x > 0, 1.0, 0.0), 0 * x),
    "PReLU": numpy_prelu,
    "SiLU": numpy_silu,
    "Softplus": numpy_softplus,
    "GELU": numpy_gelu,
    "Sigmoid": numpy_sigmoid,
    "Tanh": numpy_tanh,
    "Gaussian": numpy_gaussian,
    "SuperGaussian": numpy_super_gaussian,
    "Laplacian": numpy_laplacian,
    "Quadratic": numpy_quadratic,
    "Multiquadric": numpy_multiquadric,
    "Sine": numpy_sine,
    "ExpSine": numpy_exp_sine,
    "FinerSine": numpy_finer_sine,
}
OTHERS = {
    # Constants other than the defaults, and trained ones.
    "PReLU": {"a": -0.5, "trained": False},
    "Softplus": {"a": 7.0, "trained": True},
    "Gaussian": {"a": 0.3, "trained": True},
    "SuperGaussian": {"a": 0.7, "b": 3.0, "trained": True},
    "Laplacian": {"a": 0.4, "trained": False},
    "Quadratic": {"a": 3.0, "trained": True},
    "Multiquadric": {"a": 5.0, "trained": False},
    "Sine": {"a": 11.0, "trained": True},
    "ExpSine": {"a": 2.0, "trained": False},
    "FinerSine": {"a": 5.0, "trained": True},
}
CASES = [*((name, {}) for name in CLOSED_FORMS), *OTHERS.items()]
every = pytest.mark.parametrize(
    ("name", "constants"), CASES, ids=[f"{n}-{'other' if c else 'default'}" for n, c in CASES]
)


def test_every_activation_has_a_closed_form_here() -> None:
    assert set(PUBLIC) == set(CLOSED_FORMS)
    assert set(OTHERS) == {name for name, cls in PUBLIC.items() if cls().hyperparams()}


def points() -> torch.Tensor:
    """Near 0, where bumps are, and far away; never on a kink."""
    generator = torch.Generator().manual_seed(0)
    near = torch.randn(101, dtype=torch.float64, generator=generator)
    return torch.cat([near / 10, near, 10 * near])


def check_closed_form(activation: AbstractActivation, expected) -> None:
    activation = activation.double()
    x = points()
    got = [activation(x), *activation.derivatives(x)]
    value, *derivatives = expected(x.numpy())
    for mine, theirs in zip(got, [value, value, *derivatives], strict=True):
        np.testing.assert_allclose(mine.detach().numpy(), theirs, rtol=1e-8, atol=1e-10)


@every
def test_it_is_its_formula(name: str, constants: dict) -> None:
    numbers = {key: value for key, value in constants.items() if key != "trained"}
    activation = PUBLIC[name](**constants).double()
    if constants.get("trained"):
        # A trained constant was born in float32.
        for key, number in numbers.items():
            assert_close(getattr(activation, key)().item(), number, rtol=1e-6, atol=0)
            getattr(activation, key).log.data = torch.tensor(math.log(number), dtype=torch.float64)
    check_closed_form(activation, lambda x: CLOSED_FORMS[name](x, **numbers))


def test_check_closed_form_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_closed_form(activations.Gaussian(0.1), lambda x: numpy_gaussian(x, 0.101))


def check_derivatives(activation: AbstractActivation) -> None:
    activation = activation.double()
    x = points()
    value, slope, curvature = activation.derivatives(x)
    assert_close(value, activation(x))
    assert_close(slope, vmap(grad(activation))(x))
    assert_close(curvature, vmap(grad(grad(activation)))(x))
    step = 1e-6
    for f, df in ((0, slope), (1, curvature)):
        above, below = activation.derivatives(x + step)[f], activation.derivatives(x - step)[f]
        scale = 1 + df.abs().max()
        assert_close((above - below) / (2 * step) / scale, df / scale, atol=1e-6, rtol=1e-4)


@every
def test_derivatives_match_autodiff_and_differences(name: str, constants: dict) -> None:
    check_derivatives(PUBLIC[name](**constants))


def test_check_derivatives_can_fail() -> None:
    class Wrong(activations.Tanh):
        def derivatives(self, x):
            value, slope, curvature = super().derivatives(x)
            return value, slope, -curvature

    with pytest.raises(AssertionError):
        check_derivatives(Wrong())


@every
def test_far_away_everything_is_finite(name: str, constants: dict) -> None:
    x = torch.tensor([-1e15, 0.0, 1e15], requires_grad=True)
    activation = PUBLIC[name](**constants)
    assert all(y.isfinite().all() for y in activation.derivatives(x))
    activation(x).sum().backward()
    assert all(p.grad.isfinite().all() for p in [x, *activation.parameters()])


@every
def test_nan_stays_nan(name: str, constants: dict) -> None:
    assert PUBLIC[name](**constants)(torch.tensor(torch.nan)).isnan()


@every
def test_it_is_rebuilt_from_its_description(name: str, constants: dict) -> None:
    spec = json.loads(json.dumps(spec_of(PUBLIC[name](**constants))))
    again = build(activations, AbstractActivation, spec)
    assert type(again) is PUBLIC[name]
    assert spec_of(again) == spec
    assert constants.items() <= spec["hyperparams"].items()


@every
def test_kernels_that_know_it_mean_the_same(name: str, constants: dict) -> None:
    activation = PUBLIC[name](**constants)
    known = activation.kernel()
    if known is None:
        assert name in ("PReLU", "Softplus", "FinerSine")
        return
    k, factor = known
    x = points().float()[:, None]
    one, zero = torch.ones(1, 1), torch.zeros(1)
    layers = [[factor * one, one], [zero, zero]]
    y = fused_mlp.fused_mlp(x, *layers, activation=k, scales=[1.0])
    assert_close(y, activation(x), rtol=1e-4, atol=1e-5)
    streams = torch.stack([x, torch.ones_like(x), torch.zeros_like(x)])
    got = fused_mlp_jet.fused_mlp_jet(streams, *layers, mix=one, activation=k, scales=[1.0])
    for mine, theirs in zip(got, activation.derivatives(x), strict=True):
        scale = 1 + theirs.abs().max()
        assert_close(mine / scale, theirs / scale, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_docstring_tells_what_it_must(name: str) -> None:
    text = " ".join((inspect.getdoc(PUBLIC[name]) or "").split())
    parts = ["Use when", "Fails when", "Example:", "Reference:"]
    if PUBLIC[name]().hyperparams():
        parts += ["Args:", "Raises:"]
    for part in parts:
        assert part in text, part


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_it_refuses(name: str, wrong: float) -> None:
    with pytest.raises(ValueError, match=rf"{name}: expected a to be"):
        PUBLIC[name](a=wrong)


@pytest.mark.parametrize("name", sorted(set(OTHERS) - {"PReLU"}))
def test_a_trained_constant_stays_positive(name: str) -> None:
    activation = PUBLIC[name](trained=True)
    with torch.no_grad():
        for parameter in activation.parameters():
            parameter -= 10
    assert activation.a() > 0
    assert activation.hyperparams()["a"] == PUBLIC[name]().hyperparams()["a"]


# ---- what the documentation says


DOCUMENT = (Path(__file__).parents[2] / "docs" / "activations.md").read_text()


def test_the_table_has_every_activation_once() -> None:
    rows = [line.split("|")[1].strip(" `") for line in DOCUMENT.splitlines() if "| `" in line]
    assert sorted(rows) == sorted(PUBLIC)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "gaussian", "multiquadric", "sine", "finer"])
def test_documented_figures_are_those_of_the_benchmark(name: str) -> None:
    row, _ = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {name} |")]
    documented = [float(cell) for cell in row.split("|")[2:-1]]
    measured = [*figures(name, 1), *figures(name, DEPTH)]
    assert documented == pytest.approx(measured, rel=0.05, abs=0.051)


# ---- in a network


def test_parameters_are_one_copy_a_layer_and_others_none() -> None:
    given = activations.Gaussian(0.4, trained=True)
    network = MLP(2, 1, width=5, depth=3, activation=given)
    names = {name for name, _ in network.named_parameters() if name.startswith("activations")}
    assert names == {f"activations.{index}.a.log" for index in range(3)}
    assert all(p is not given.a.log for p in network.parameters())
    plain = MLP(2, 1, width=5, depth=3, activation="Gaussian")
    assert all(name.startswith("layers") for name in plain.state_dict())


def test_files_hold_trained_constants(tmp_path: Path) -> None:
    network = MLP(2, 1, width=5, depth=2, activation=activations.Gaussian(0.4, trained=True))
    with torch.no_grad():
        network.activations[1].a.log += 1
    save(tmp_path / "trained.field", Field(network))
    again = load(tmp_path / "trained.field").field
    assert again.network.activations[1].a().item() == pytest.approx(0.4 * math.e)
    x = torch.rand(7, 2)
    assert torch.equal(again(x), network(x))


def test_trained_constants_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.rand(64, 2, generator=generator) - 1
    for name in OTHERS:
        network = MLP(
            2,
            1,
            width=7,
            depth=2,
            activation=PUBLIC[name](trained=True),
            generator=generator,
        )
        network(x).square().sum().backward()
        for activation in network.activations:
            for parameter in activation.parameters():
                assert parameter.grad.abs() > 0, name


def test_an_mlp_of_sines_is_a_siren() -> None:
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    mlp = MLP(2, 3, width=7, depth=3, activation="Sine", generator=seeds[0])
    siren = Siren(2, 3, width=7, depth=3, generator=seeds[1])
    assert all(torch.equal(a, b) for a, b in zip(mlp.parameters(), siren.parameters(), strict=True))
    x = torch.rand(11, 2)
    assert torch.equal(mlp(x), siren(x))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Swoosh", "PReLU, ReLU"),
        ({"type": "Gaussian"}, "expected a type and hyperparams"),
        ({"type": "Gaussian", "hyperparams": {"a": 0.0}}, "a to be positive"),
    ],
)
def test_mlp_refuses(spec: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLP(2, 1, activation=spec)


@pytest.mark.parametrize("name", ["Gausian", "gaussian"])
def test_mlp_guesses_what_was_meant(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}'\. Did you mean Gaussian\?$"):
        MLP(2, 1, activation=name)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (activations.Gaussian, r"an instance, got the class Gaussian\. Call it: Gaussian\("),
        (torch.nn.ReLU(), r"neurafield\.activations.*got torch\.nn.*ReLU\.$"),
        (torch.relu, r"an instance of a class from neurafield\.activations"),
    ],
)
def test_mlp_takes_only_activations_of_its_own_kind(given: object, message: str) -> None:
    # Where annotations are checked, it is these that refuse it.
    with pytest.raises(TypeError, match=f"{message}|^Type-check error"):
        MLP(2, 1, activation=given)


# ---- initial layers


def spreads(name: str, depth: int) -> list[float]:
    """Of each layer's pre-activations, standard deviation over points, root mean square."""
    generator = torch.Generator().manual_seed(0)
    network = MLP(2, 1, width=256, depth=depth, activation=name, generator=generator).double()
    h = 2 * torch.rand(2048, 2, generator=generator, dtype=torch.float64) - 1
    found = []
    with torch.no_grad():
        for layer, activation in zip(network.layers, network.activations, strict=False):
            z = layer(h)
            found.append(float(z.var(0).mean().sqrt()))
            h = activation(z)
    return found


SHRINKING = {"SiLU": 6.0, "Sigmoid": 15.0}
"""What varies loses a quarter and a third a layer, as their docstrings say."""


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_pre_activations_neither_vanish_nor_grow(name: str) -> None:
    inner = spreads(name, 8)[2:]
    assert max(inner) / min(inner) < SHRINKING.get(name, 4.0), inner


def test_a_wrong_initialisation_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activations.ReLU, "gain", 0.5)
    inner = spreads("ReLU", 8)[2:]
    assert max(inner) / min(inner) > 4


def test_features_of_exp_sine_are_of_a_uniform_phase_at_any_depth() -> None:
    generator = torch.Generator().manual_seed(0)
    network = MLP(2, 1, width=256, depth=8, activation="ExpSine", generator=generator)
    h = 2 * torch.rand(2048, 2, generator=generator) - 1
    with torch.no_grad():
        for layer, activation in zip(network.layers, network.activations, strict=False):
            h = activation(layer(h))
            assert h.mean() == pytest.approx(scipy.special.i0(1), rel=0.06)
            variance = scipy.special.i0(2) - scipy.special.i0(1) ** 2
            assert h.var() == pytest.approx(variance, rel=0.06)
