"""Networks against plain NumPy, and the published initialisation."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from neurafield import activations
from neurafield.derivatives import Jet, autodiff
from neurafield.errors import DerivativeNotice
from neurafield.networks import MLP, Finer, Siren, Wire

from ..activations.test_activations import CLOSED_FORMS


def numpy_layers(network) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy()) for layer in network.layers
    ]


def test_siren_is_its_formula() -> None:
    g = torch.Generator().manual_seed(0)
    network = Siren(2, 3, width=7, depth=3, omega_0=13.0, omega=29.0, generator=g).double()
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    *hidden, (last_weight, last_bias) = numpy_layers(network)
    h = x
    for index, (weight, bias) in enumerate(hidden):
        h = np.sin((13.0 if index == 0 else 29.0) * (h @ weight.T + bias))
    expected = h @ last_weight.T + last_bias
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_mlp_is_its_formula(name: str) -> None:
    g = torch.Generator().manual_seed(0)
    network = MLP(2, 3, width=7, depth=2, activation=name, generator=g).double()
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    *hidden, (last_weight, last_bias) = numpy_layers(network)
    h = x
    for weight, bias in hidden:
        h = CLOSED_FORMS[name](h @ weight.T + bias)[0]
    expected = h @ last_weight.T + last_bias
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


def test_finer_is_its_formula() -> None:
    g = torch.Generator().manual_seed(0)
    network = Finer(2, 3, width=7, depth=3, omega_0=13.0, omega=29.0, first_bias=2.0, generator=g)
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    *hidden, (last_weight, last_bias) = numpy_layers(network.double())
    h = x
    for index, (weight, bias) in enumerate(hidden):
        z = h @ weight.T + bias
        h = np.sin((13.0 if index == 0 else 29.0) * (np.abs(z) + 1) * z)
    expected = h @ last_weight.T + last_bias
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), expected, atol=1e-12)


def complex_wire(network: Wire, x: torch.Tensor) -> torch.Tensor:
    """The published formula in complex arithmetic, on the same numbers."""
    first, *inner, last = [(layer.weight, layer.bias) for layer in network.layers]
    z = (x @ first[0].T + first[1]).to(torch.complex128)
    h = torch.exp(1j * network.omega_0 * z - (network.scale * z).abs().square())
    for weight, bias in inner:
        z = h @ torch.complex(*weight.chunk(2)).T + torch.complex(*bias.chunk(2))
        h = torch.exp(1j * network.omega * z - (network.scale * z).abs().square())
    real, minus_imaginary = last[0].chunk(2, dim=1)
    return (h @ torch.complex(real, -minus_imaginary).T).real + last[1]


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_wire_is_its_complex_formula(depth: int) -> None:
    g = torch.Generator().manual_seed(0)
    network = Wire(
        2, 3, width=7, depth=depth, omega_0=5.0, omega=3.0, scale=2.0, generator=g
    ).double()
    x = 2 * torch.rand(11, 2, generator=g).double() - 1
    torch.testing.assert_close(network(x), complex_wire(network, x), atol=1e-12, rtol=1e-12)
    network.scale = 2.1
    expected = complex_wire(network, x)
    network.scale = 2.0
    assert (network(x) - expected).abs().max() > 1e-3


def test_wire_is_finite_far_away() -> None:
    network = Wire(2, 1, width=7, depth=2, omega_0=20.0, omega=20.0)
    x = torch.tensor([[1e15, -1e15], [0.0, 0.0]], requires_grad=True)
    network(x).sum().backward()
    assert all(p.grad.isfinite().all() for p in [x, *network.parameters()])


def test_wire_is_finite_at_the_highest_peak_of_its_wavelets() -> None:
    network = Wire(1, 1, width=1, depth=2, omega=160.0, scale=10.0)
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.zero_()
            layer.bias.zero_()
        network.layers[1].bias[1] = -160.0 / (2 * 10.0**2)
        network.layers[2].weight.fill_(1.0)
    x = torch.zeros(1, 1)
    peak = network(x)
    peak.backward()
    assert peak.item() == pytest.approx(math.exp(64), rel=1e-4)
    assert all(p.grad.isfinite().all() for p in network.parameters())
    # A steeper one is not, and so there is none.
    network.omega, network.layers[1].bias.data[1] = 200.0, -1.0
    assert not network(x).isfinite().all()
    with pytest.raises(ValueError, match=r"Wire: expected omega up to 16 times scale, got 161"):
        Wire(1, 1, omega=161.0, scale=10.0)


def check_uniform(tensor: torch.Tensor, bound: float) -> None:
    """Kolmogorov and Smirnov's test against U(-bound, bound)."""
    values = tensor.detach().numpy().ravel()
    assert np.abs(values).max() <= bound
    assert scipy.stats.kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-3


def test_check_uniform_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_uniform(torch.rand(1000), 1.0)
    with pytest.raises(AssertionError):
        check_uniform(torch.rand(1000) * 2.1 - 1.05, 1.0)


def test_siren_initialisation_is_the_published_one() -> None:
    g = torch.Generator().manual_seed(0)
    network = Siren(3, 64, width=128, depth=3, omega_0=10.0, omega=30.0, generator=g)
    first, *others = network.layers
    check_uniform(first.weight, 1 / 3)
    check_uniform(first.bias, 1 / math.sqrt(3))
    for layer in others:
        check_uniform(layer.weight, math.sqrt(6 / 128) / 30)
        check_uniform(layer.bias, 1 / math.sqrt(128))


def test_finer_initialisation_is_the_published_one() -> None:
    g = torch.Generator().manual_seed(0)
    first, *others = Finer(3, 64, width=128, depth=3, first_bias=5.0, generator=g).layers
    check_uniform(first.weight, 1 / 3)
    check_uniform(first.bias, 5.0)
    for layer in others:
        check_uniform(layer.weight, math.sqrt(6 / 128) / 30)
        check_uniform(layer.bias, 1 / math.sqrt(128))


def test_wire_initialisation_is_that_of_complex_layers() -> None:
    g = torch.Generator().manual_seed(0)
    network = Wire(3, 64, width=100, depth=3, generator=g)
    torch.manual_seed(0)
    theirs = torch.nn.Linear(100, 100, dtype=torch.complex64)
    bound = theirs.weight.real.abs().max().item()
    assert bound == pytest.approx(0.1, rel=1e-2)
    check_uniform(network.layers[0].weight, 1 / math.sqrt(3))
    for layer in network.layers[1:]:
        check_uniform(layer.weight, 0.1)
        check_uniform(layer.bias, 0.1)


def test_siren_activations_keep_their_size_at_any_depth() -> None:
    # Sitzmann et al., theorem 1.8: inner activations follow the arcsine law, of variance 1/2.
    g = torch.Generator().manual_seed(0)
    network = Siren(2, 1, width=256, depth=8, generator=g)
    h = 2 * torch.rand(4096, 2, generator=g) - 1
    with torch.no_grad():
        for index, layer in enumerate(network.layers[:-1]):
            h = torch.sin(30 * layer(h))
            if index:
                assert abs(h.square().mean() - 0.5) < 0.03, index


def test_relu_initialisation_keeps_the_signal_alive() -> None:
    g = torch.Generator().manual_seed(0)
    network = MLP(64, 1, width=256, depth=8, generator=g)
    h = torch.randn(4096, 64, generator=g)
    with torch.no_grad():
        for layer in network.layers[:-1]:
            h = layer(h).relu()
            assert 0.3 < h.square().mean() < 3


def test_an_activation_may_be_given_as_an_instance() -> None:
    assert MLP(2, 1, activation=activations.Tanh()).hyperparams()["activation"] == "Tanh"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_dim": 0, "out_dim": 1}, "in_dim between 1"),
        ({"in_dim": 2, "out_dim": 1, "width": 0}, "width between 1"),
        ({"in_dim": 2, "out_dim": 1, "depth": 0}, "depth between 1"),
        ({"in_dim": 2, "out_dim": 1, "omega": 0.0}, "omega to be positive"),
        ({"in_dim": 2, "out_dim": 1, "omega_0": math.inf}, "omega_0 to be positive and finite"),
    ],
)
def test_siren_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Siren(**arguments)


def test_mlp_refuses_an_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"PReLU, ReLU.*Tanh"):
        MLP(2, 1, activation="Swoosh")


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_of_the_activation_are_called(register: str) -> None:
    network = MLP(2, 1, width=5, depth=2)
    calls: list[int] = []
    getattr(network.activations[0], register)(lambda *_: calls.append(1))
    network(torch.rand(3, 2))
    assert calls == [1, 1]


@pytest.mark.parametrize("index", [0, 1])
def test_a_replaced_activation_is_called(index: int) -> None:
    network = MLP(2, 1, width=5, depth=2, activation="Tanh").double()
    x = torch.rand(3, 2, dtype=torch.float64)
    values, jet = network(x), network.jet(Jet.root(x))
    network.activations[index] = torch.nn.Tanh()
    torch.testing.assert_close(network(x), values)
    autodiff._told.clear()
    with pytest.warns(DerivativeNotice, match="MLP"):
        found = network.jet(Jet.root(x))
    torch.testing.assert_close(found.streams, jet.streams)
    with pytest.raises(ValueError, match="expected its own layers"):
        network.hidden_jet(Jet.root(x))
    network.activations[index] = torch.nn.ReLU()
    assert (network(x) - values).abs().max() > 1e-3
    assert "ReLU" in repr(network)
