"""The kernels inside torch: whatever plain layers let one do goes on working."""

import copy
import os
import pickle
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils import parametrize, prune

from neurafield.encodings import HashGrid
from neurafield.fit import Adam, default_optimizer
from neurafield.kernels import dispatch
from neurafield.networks import MLP, Siren

from .levels import level, needs_native  # noqa: F401

MODULES = {
    "mlp": lambda: MLP(2, 3, width=8, depth=2, activation="Tanh"),
    "siren": lambda: Siren(2, 3, width=8, depth=2, omega_0=3.0, omega=3.0),
    "grid": lambda: HashGrid(2, num_levels=3, finest_resolution=32, log2_table_size=8),
}


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest, level: str) -> nn.Module:  # noqa: F811
    torch.manual_seed(0)
    return MODULES[request.param]()


def reference(module: nn.Module, x: Tensor) -> Tensor:
    before = os.environ.get(dispatch.VARIABLE)
    os.environ[dispatch.VARIABLE] = "reference"
    try:
        return module(x)
    finally:
        if before is None:
            del os.environ[dispatch.VARIABLE]
        else:
            os.environ[dispatch.VARIABLE] = before


@pytest.mark.parametrize("layers", [[2, 256, 256, 256, 256, 1], [7, 256, 32, 2]], ids=str)
def test_large_biases_cost_no_precision(level: str, layers: list[int]) -> None:  # noqa: F811
    torch.manual_seed(0)
    net = Siren(layers[0], layers[-1], width=256, depth=len(layers) - 2)
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.normal_(std=0.3)
    x = torch.rand(96, layers[0]) * 2 - 1
    exact = copy.deepcopy(net).double()
    grad = torch.randn(96, layers[-1])
    net(x).backward(grad)
    exact(x.double()).backward(grad.double())
    for ours, theirs in zip(net.parameters(), exact.parameters(), strict=True):
        assert (ours.grad - theirs.grad).norm() / theirs.grad.norm() < 5e-6


@pytest.mark.parametrize("activation", ["SiLU", "GELU", "Softplus", "Sigmoid", "Tanh"])
def test_huge_arguments_saturate_as_torch_does(level: str, activation: str) -> None:  # noqa: F811
    net = MLP(1, 1, width=1, depth=1, activation=activation)
    with torch.no_grad():
        for layer in net.layers:
            layer.weight.fill_(1.0)
            layer.bias.fill_(0.0)
    z = torch.tensor([[-1e38], [-3e38], [-1e3], [-90.0], [90.0], [1e3], [1e38]])
    results = []
    for evaluate in (net, lambda x: reference(net, x)):
        x = z.clone().requires_grad_()
        y = evaluate(x)
        y.sum().backward()
        results.append((y.detach(), x.grad))
    torch.testing.assert_close(*results, rtol=1e-6, atol=1e-30)


def test_steps_are_seen_by_autograd(module: nn.Module) -> None:
    optimizer = Adam(module.parameters(), lr=0.1)
    y = module(torch.rand(5, 2)).sum()
    y.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("name", ["mlp", "siren"])
def test_hooks_and_replaced_layers_are_called(level: str, name: str) -> None:  # noqa: F811
    net = MODULES[name]()
    x = torch.rand(5, 2)
    plain = net(x)
    calls: list[int] = []
    handle = net.layers[0].register_forward_hook(lambda *_: calls.append(1))
    torch.testing.assert_close(net(x), plain)
    assert calls == [1]
    handle.remove()

    class Doubled(nn.Linear):
        def forward(self, h: Tensor) -> Tensor:
            return 2 * super().forward(h)

    last = net.layers[-1]
    net.layers[-1] = Doubled(last.in_features, last.out_features)
    net.layers[-1].load_state_dict(last.state_dict())
    torch.testing.assert_close(net(x), 2 * plain)


@pytest.mark.parametrize("name", ["mlp", "siren"])
def test_pruned_layers_train(level: str, name: str) -> None:  # noqa: F811
    net = MODULES[name]()
    prune.l1_unstructured(net.layers[1], "weight", 0.5)
    optimizer = Adam(net.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.rand(5, 2)).square().sum().backward()
        optimizer.step()
    assert (net.layers[1].weight == 0).sum() == net.layers[1].weight.numel() // 2


def test_batched_gradients(module: nn.Module) -> None:
    x = torch.rand(5, 2) * 1.8 - 0.9

    def total(x: Tensor) -> Tensor:
        return module(x).sum(0)

    batched = torch.autograd.functional.jacobian(total, x, vectorize=True)
    one_by_one = torch.autograd.functional.jacobian(total, x)
    torch.testing.assert_close(batched, one_by_one, rtol=1e-4, atol=1e-5)


def test_what_hooks_unpack_may_have_any_layout(module: nn.Module) -> None:
    x = torch.rand(50, 2)
    module(x).sum().backward()
    want = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    turned = lambda t: t.t().contiguous().t() if t.ndim == 2 else t  # noqa: E731
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach().clone(), turned):
        y = module(x)
    y.sum().backward()
    for parameter, grad in zip(module.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.grad, grad)


def test_negated_views(module: nn.Module) -> None:
    x = torch._neg_view(torch.rand(5, 2))
    torch.testing.assert_close(module(x), module(x.clone()))


def test_tracing_sees_torch_operations(module: nn.Module) -> None:
    x = torch.rand(5, 2)
    traced = make_fx(module)(x)
    torch.testing.assert_close(traced(x), module(x))


def test_copies_and_pickles(module: nn.Module) -> None:
    x = torch.rand(5, 2)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(other(x), module(x))


def test_gradients_sparse_in_two_axes() -> None:
    p = nn.Parameter(torch.zeros(3, 3))
    p.grad = torch.eye(3).to_sparse(2)
    Adam([p], lr=0.1).step()
    torch.testing.assert_close(p.detach(), -0.1 * torch.eye(3))


@pytest.mark.parametrize(
    "options", [{"betas": (0.9, 1.5)}, {"eps": -1.0}, {"weight_decay": 3.0}, {"betas": (0.9,)}]
)
def test_options_of_groups_are_checked(options: dict) -> None:
    with pytest.raises(ValueError, match="Adam"):
        Adam([{"params": [nn.Parameter(torch.zeros(2))], **options}])


def test_tables_computed_or_shared_are_optimized_once() -> None:
    class Twice(nn.Module):
        def forward(self, t: Tensor) -> Tensor:
            return 2 * t

    grid = MODULES["grid"]()
    parametrize.register_parametrization(grid, "table", Twice())
    assert sum(len(g["params"]) for g in default_optimizer(grid).param_groups) == 1
    a, b = MODULES["grid"](), MODULES["grid"]()
    b.table = a.table
    groups = default_optimizer(nn.ModuleList([a, b])).param_groups
    assert [len(group["params"]) for group in groups] == [1]


@needs_native
def test_memory_goes_back_after_a_large_batch() -> None:
    code = """
import torch
from neurafield.networks import MLP
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
torch.set_num_threads(1)
net = MLP(2, 1, width=64, depth=4)
net(torch.rand(1000, 2)).sum().backward()
before = resident()
net(torch.rand(2**18, 2)).sum().backward()
large = resident()
for _ in range(40):
    net(torch.rand(1000, 2)).sum().backward()
print(before, large, resident())
"""
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("no /proc here")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, large, after = map(int, run.stdout.split())
    assert large - before > 200e6
    assert after - before < 50e6
