"""The Lipschitz network against NumPy, and its bound against pairs of points."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

import neurafield
from neurafield import Field, Placed, Scene, activations, networks
from neurafield.composition import Box, Offset, Transformed, Union
from neurafield.fields import overlap
from neurafield.fit import Constraint, fit, lipschitz_penalty
from neurafield.kernels.fused_mlp_jet.reference import DERIVATIVES
from neurafield.networks import MLP, Lipschitz
from neurafield.networks.lipschitz import LIPSCHITZ, bounded
from neurafield.signals import Samples

from ..cases import lipschitz


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_is_its_formula() -> None:
    network = lipschitz(2, 3, generator(), width=7, depth=2).double()
    x = np.random.default_rng(0).uniform(-1, 1, (5, 2))
    h = x
    for index, layer in enumerate(network.layers):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        limit = np.log1p(np.exp(network.c.detach().numpy()[index]))
        rows = [row * min(1, limit / np.abs(row).sum()) for row in weight]
        h = h @ np.stack(rows).T + bias
        h = np.tanh(h) if index < 2 else h
    np.testing.assert_allclose(network(torch.from_numpy(x)).detach().numpy(), h, atol=1e-12)


def test_it_starts_as_an_mlp() -> None:
    mine = Lipschitz(3, 2, width=11, depth=3, generator=generator())
    other = MLP(3, 2, width=11, depth=3, activation="Tanh", generator=generator())
    x = torch.rand(7, 3, generator=generator(1))
    assert_close(mine(x), other(x))
    sums = [float(layer.weight.detach().abs().sum(1).max()) for layer in other.layers]
    assert mine.lipschitz_bound() == pytest.approx(np.prod(sums), rel=1e-5)


def test_rows_are_made_smaller_and_never_larger() -> None:
    weight = torch.tensor([[0.5, -0.25], [3.0, -1.0], [0.0, 0.0]], requires_grad=True)
    found = bounded(weight, torch.tensor(2.0))
    assert found.tolist() == [[0.5, -0.25], [1.5, -0.5], [0.0, 0.0]]
    found.sum().backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("name", LIPSCHITZ)
def test_the_steepest_slope_of_an_activation(name: str) -> None:
    slope = DERIVATIVES[name](torch.linspace(-9, 9, 200_001, dtype=torch.float64))[1].abs().max()
    assert 0.9998 * LIPSCHITZ[name] < float(slope) <= LIPSCHITZ[name]


# ---- the bound


def check_bound(network: nn.Module, bound: float, order: float) -> None:
    """Of 1e5 pairs of points, near and far, none has values that differ by more."""
    x = 4 * torch.rand(100_000, network.in_dim, generator=generator(2), dtype=torch.float64) - 2
    apart = torch.randn(x.shape, generator=generator(3), dtype=torch.float64)
    apart[::2] = apart[::2].sign()
    y = x + apart * torch.logspace(-5, 1, len(x), dtype=torch.float64)[:, None]
    with torch.no_grad():
        change = (network(x) - network(y)).abs().amax(1)
    assert bool((change <= bound * torch.linalg.vector_norm(x - y, order, dim=1)).all())


def steep(activation: str = "ReLU") -> Lipschitz:
    """One that reaches its bound: all weights are positive, and each row is held back."""
    network = Lipschitz(3, 2, width=5, depth=2, activation=activation, generator=generator())
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.fill_(1.0)
            layer.bias.fill_(20.0 if activation == "ReLU" else 0.0)
    return network.double()


def fitted(alpha: float) -> Field:
    """A step, fitted with the penalty."""
    field = Field(Lipschitz(2, 1, width=8, depth=2, generator=generator()))
    x = 2 * torch.rand(128, 2, generator=generator(1)) - 1
    step = Constraint(signal=Samples(x, x[:, :1].sign()))
    penalty = [lipschitz_penalty(alpha)] if alpha else []
    fit(field, [step, *penalty], steps=100, lr=2e-2)
    return field


@pytest.mark.parametrize("order", [2, torch.inf], ids=["length", "largest"])
@pytest.mark.parametrize("make", [steep, lambda: steep("Tanh"), lambda: fitted(1e-3).network])
def test_no_pair_of_points_goes_beyond_the_bound(make, order: float) -> None:
    network = make().double()
    check_bound(network, network.lipschitz_bound() * (1 + 1e-9), order)


def test_the_bound_is_reached_and_so_the_check_can_fail() -> None:
    network = steep()
    with pytest.raises(AssertionError):
        check_bound(network, 0.999 * network.lipschitz_bound(), torch.inf)
    # In one direction of three, all coordinates alike, a length is sqrt(3) of the largest.
    with pytest.raises(AssertionError):
        check_bound(network, 0.999 * network.lipschitz_bound() / 3**0.5, 2)


def test_a_row_above_its_bound_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurafield.networks.lipschitz.bounded", lambda weight, bound: weight)
    with pytest.raises(AssertionError):
        check_bound(steep(), steep().lipschitz_bound(), torch.inf)


def test_slopes_of_other_activations_count() -> None:
    tanh = lipschitz(2, 1, generator(), width=5, depth=3)
    sine = lipschitz(2, 1, generator(), width=5, depth=3, activation=activations.Sine(3.0))
    with torch.no_grad():
        sine.c.copy_(tanh.c)
    assert sine.lipschitz_bound() == pytest.approx(27 * tanh.lipschitz_bound(), rel=1e-5)
    check_bound(sine.double(), sine.lipschitz_bound(), torch.inf)


# ---- the penalty


def test_the_penalty_makes_a_field_flatter() -> None:
    free, held = fitted(0.0), fitted(0.1)
    assert held.lipschitz_bound() < 0.5 * free.lipschitz_bound()
    x = torch.linspace(-1, 1, 301)[:, None] * torch.tensor([[1.0, 0.0]])
    steepest = [float(field(x).detach().diff(dim=0).max()) for field in (free, held)]
    assert steepest[1] < 0.9 * steepest[0]


def test_its_gradient_is_that_of_the_product() -> None:
    network = lipschitz(2, 1, generator(), width=5, depth=2).double()
    (found,) = torch.autograd.grad(network.bound(), network.c)
    c = network.c.detach()
    assert_close(found, network.bound().detach() * c.sigmoid() / (1 + c.exp()).log())


def test_it_goes_through_whatever_the_network_is_in() -> None:
    network = Lipschitz(2, 1, width=5, depth=1, generator=generator())
    penalty = lipschitz_penalty(1e-3)
    scene = Scene([Placed(Field(network), (0, 0))], overlap.Sum())
    for field in (network, Field(network), Offset(Field(network), distance=0.1), scene):
        assert penalty.function(field).item() == pytest.approx(network.lipschitz_bound())
    with pytest.raises(ValueError, match=r"networks\.Lipschitz, got MLP"):
        penalty.function(MLP(2, 1, width=5, depth=1))


# ---- who asks for it


def test_fields_and_compositions_tell_it() -> None:
    field = Field(Lipschitz(3, 1, width=5, depth=1, generator=generator()))
    bound = field.network.lipschitz_bound()
    assert field.lipschitz_bound() == bound > 1
    both = Union(Transformed(field, (0.1, 0, 0), scale=0.3), Box(reach=(0.1, 0.1, 0.1)), smooth=0.1)
    assert both.lipschitz_bound() == bound
    check_bound(both.double(), bound, 2)
    assert Field(MLP(3, 1, width=5, depth=1)).lipschitz_bound() is None
    lift = neurafield.encodings.Positional(3, 2)
    lifted = Field(Lipschitz(lift.out_dim, 1, width=5, depth=1), encoding=lift)
    assert lifted.lipschitz_bound() is None


def test_info_tells_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from neurafield.cli.main import main

    fields = {
        "a": Field(Lipschitz(2, 1, width=5, depth=1, generator=generator())),
        "b": Field(MLP(2, 1, width=5, depth=1)),
    }
    told = {}
    for name, field in fields.items():
        neurafield.save(tmp_path / f"{name}.field", field)
        with pytest.raises(SystemExit, match="0"):
            main(["info", str(tmp_path / f"{name}.field"), "--json"])
        told[name] = json.loads(capsys.readouterr().out)["lipschitz_bound"]
    assert told == {"a": fields["a"].lipschitz_bound(), "b": None}


@pytest.mark.parametrize(
    "activation", [activations.Gaussian(0.1, trained=True), "PReLU", activations.Softplus(2.0)]
)
def test_activations_without_a_bound_are_refused(activation) -> None:
    with pytest.raises(ValueError, match="without trained constants among Tanh"):
        networks.Lipschitz(2, 1, width=5, depth=1, activation=activation)
