"""Which version runs: never silently another than asked for."""

import os
import subprocess
import sys
import threading

import pytest
import torch

from neurafield.errors import KernelNotice, NeurafieldError
from neurafield.kernels import dispatch
from neurafield.kernels.fused_mlp import ACTIVATIONS
from neurafield.kernels.grid import make_levels
from neurafield.networks import Siren

from .levels import LEVELS, needs_native


@pytest.fixture(autouse=True)
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_told", set())
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)


def test_an_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "fast")
    with pytest.raises(NeurafieldError, match="expected reference or native, got 'fast'"):
        Siren(2, 1)(torch.zeros(1, 2))


def test_native_is_an_error_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_native", None)
    monkeypatch.setattr(dispatch, "_why_not", "this installation was made without a C++ compiler")
    assert Siren(2, 1)(torch.zeros(1, 2)).shape == (1, 1)
    assert dispatch.describe().startswith("reference (torch), because this installation")
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    with pytest.raises(NeurafieldError, match=r"without a C\+\+ compiler. Unset it"):
        Siren(2, 1)(torch.zeros(1, 2))


@needs_native
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1)
    assert dispatch.use_native("op", x)
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    assert dispatch.use_native("op", x)
    assert dispatch.describe().startswith(f"native, {LEVELS[-1]} instructions")
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    assert not dispatch.use_native("op", x)
    assert dispatch.describe().startswith("reference (torch), because NEURAFIELD_KERNELS")


@needs_native
def test_transforms_go_to_the_reference_and_are_told_if_native_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = Siren(2, 1, width=8, depth=2)
    x = torch.rand(5, 2)
    torch.testing.assert_close(torch.func.vmap(net)(x), net(x))
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    with pytest.warns(KernelNotice, match="a torch.func transform is running"):
        torch.func.vmap(net)(x)


@needs_native
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_forward_mode_goes_to_the_reference() -> None:
    net = Siren(2, 1, width=8, depth=2)
    x = torch.rand(5, 2, requires_grad=True)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x.detach(), torch.ones(5, 2))
        tangent = torch.autograd.forward_ad.unpack_dual(net(dual)).tangent
    (gradient,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(tangent, gradient.sum(-1, keepdim=True), rtol=1e-4, atol=1e-4)


@needs_native
def test_float64_is_told_once_for_each_operation() -> None:
    x = torch.zeros(1, dtype=torch.float64)
    with pytest.warns(KernelNotice, match="a: .* float64, so the torch reference") as notices:
        chosen = [dispatch.use_native(name, x) for name in "aab"]
    assert chosen == [False] * 3
    assert len(notices) == 2


@needs_native
def test_levels_that_the_processor_lacks_are_refused() -> None:
    missing = set(dispatch.native().compiled_levels()) - set(LEVELS)
    for name in [*missing, "sse9"]:
        with pytest.raises(ValueError, match="expected one that this processor has"):
            dispatch.native().use_level(name)


@needs_native
def test_the_sanitized_build_is_tested_where_it_is_meant() -> None:
    assert dispatch.native().sanitizers == os.environ.get("NEURAFIELD_SANITIZERS", "")


@needs_native
def test_tensors_are_handed_over_as_they_are() -> None:
    levels = make_levels([[2]], max_rows=None).columns
    table, x = torch.tensor([[0.0], [10.0], [30.0]], requires_grad=True), torch.tensor([[0.5], [0]])
    y = torch.zeros(2, 1)
    dispatch.call("grid_forward", levels, False, 1, table, x, y)
    assert y.flatten().tolist() == [20, 10]

    refused = [
        (r"got float64 \(3, 1\)", TypeError, (table.double(), x, y)),
        (r"\(2, 1\) of strides \(2, 1\)", TypeError, (table, x, torch.zeros(2, 2)[:, :1])),
        ("shape of the table", ValueError, (table[:2], x, y)),
        ("shape of the features", ValueError, (table, x, torch.zeros(2, 2))),
    ]
    for message, kind, arguments in refused:
        with pytest.raises(kind, match=message):
            dispatch.call("grid_forward", levels, False, 1, *arguments)


@needs_native
def test_lists_of_tensors_are_handed_over_as_they_are() -> None:
    weights, biases = [torch.eye(2), torch.ones(1, 2)], [torch.zeros(2), torch.zeros(1)]
    x, y = torch.tensor([[3.0, -4.0]]), torch.zeros(1, 1)
    rest = ([1.0], ACTIVATIONS.index("ReLU"), False, 1, y, None)
    dispatch.call("mlp_forward", x, weights, biases, *rest)
    assert y.item() == 3
    biases[1] = biases[1].double()
    with pytest.raises(TypeError, match=r"mlp_forward: .* float64 \(1,\)"):
        dispatch.call("mlp_forward", x, weights, biases, *rest)
    assert weights[0].sum() == 2


@needs_native
def test_many_python_threads_at_once() -> None:
    net = Siren(2, 1, width=32, depth=2)
    x = torch.rand(3000, 2)
    want = net(x).detach()
    wrong = []

    def work() -> None:
        for _ in range(20):
            y = net(x)
            y.sum().backward()
            if not torch.equal(y.detach(), want):
                wrong.append(y)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@needs_native
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("own_pool", [False, True], ids=["openmp", "own-pool"])
def test_a_forked_child_can_work(own_pool: bool) -> None:
    # Even after the parent used OpenMP, whose workers a child does not have.
    code = f"""
import os, torch
from neurafield.networks import Siren
from neurafield.kernels import dispatch
dispatch.native().use_own_threads({own_pool})
torch.set_num_threads(2)
net, x = Siren(2, 1, width=16, depth=2), torch.rand(5000, 2)
with torch.no_grad():
    net(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if net(x).isfinite().all() else 1)
_, status = os.waitpid(child, 0)
assert status == 0, status
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr


@needs_native
def test_both_thread_pools_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = Siren(2, 1, width=16, depth=2), torch.rand(5000, 2)
    results = []
    try:
        torch.set_num_threads(2)
        for own in (False, True):
            dispatch.native().use_own_threads(own)
            net.zero_grad()
            net(x).square().sum().backward()
            results.append([p.grad.clone() for p in net.parameters()])
    finally:
        dispatch.native().use_own_threads(False)
        torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
