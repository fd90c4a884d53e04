"""The choice of a version: never silently another one than requested."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import threading
from typing import Any

import pytest
import torch

from neurafield.errors import KernelNotice, NeurafieldError
from neurafield.kernels import dispatch, library
from neurafield.kernels.fused_mlp import ACTIVATIONS
from neurafield.kernels.grid import make_levels
from neurafield.networks import Siren

from .levels import LEVELS, needs_native


class Unlimited:
    """An implementation that serves every call."""

    def unserved(self) -> str:
        return ""


class Limited:
    """An implementation for sizes up to a limit."""

    def __init__(self, most: int) -> None:
        self.most = most

    def unserved(self, size: int) -> str:
        return "" if size <= self.most else f"at most {self.most}"


OP = {"native": Unlimited()}


@pytest.fixture(autouse=True)
def no_notices_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_notified", set())
    monkeypatch.delenv(dispatch.VARIABLE, raising=False)


def test_an_unknown_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "fast")
    with pytest.raises(NeurafieldError, match="expected reference or native, got 'fast'"):
        Siren(2, 1)(torch.zeros(1, 2))


def test_native_is_an_error_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    (native,) = dispatch.VERSIONS
    why = "this installation was made without a C++ compiler"
    monkeypatch.setattr(dispatch, "VERSIONS", (dataclasses.replace(native, missing=why),))
    x = torch.zeros(1, 2)
    assert Siren(2, 1)(x).shape == (1, 1)
    assert dispatch.choose("op", OP, (x,)) == ("reference", why)
    assert dispatch.describe() == f"reference (torch), because {why}"
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    with pytest.raises(NeurafieldError, match=r"without a C\+\+ compiler. Unset it"):
        Siren(2, 1)(x)
    assert dispatch.describe() == f"none, because NEURAFIELD_KERNELS=native, but {why}"


@needs_native
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.zeros(1)
    assert dispatch.choose("op", OP, (x,)).version == "native"
    monkeypatch.setenv(dispatch.VARIABLE, "native")
    assert dispatch.choose("op", OP, (x,)) == ("native", "NEURAFIELD_KERNELS=native")
    assert dispatch.describe().startswith(f"native, {LEVELS[-1]} instructions")
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    assert dispatch.choose("op", OP, (x,)) == ("reference", "NEURAFIELD_KERNELS=reference")
    assert dispatch.describe().startswith("reference (torch), because NEURAFIELD_KERNELS")


def fake_version(name: str, **options: Any) -> dispatch.Version:
    """An entry of the table that is installed and serves float32 on the CPU."""
    entry = {"device": "cpu", "dtype": torch.float32, "missing": "", "remedy": "buy one"}
    return dispatch.Version(name, **entry | {"describe": lambda: f"made of {name}"} | options)


@pytest.mark.parametrize(
    ("first", "wanted", "want"),
    [
        ({}, "", ("first", "it is the fastest version that serves the call")),
        ({}, "second", ("second", "NEURAFIELD_KERNELS=second")),
        ({"missing": "it was lost"}, "", ("second", "it is the fastest version")),
        ({"device": "cuda"}, "", ("second", "it is the fastest version")),
        ({"device": "cuda"}, "first", ("reference", "the first kernels are for tensors on cuda")),
        ({"dtype": torch.float64}, "", ("second", "it is the fastest version")),
        ({"dtype": torch.float64}, "first", ("reference", "the first kernels are for float64")),
    ],
)
def test_the_first_version_that_serves_runs_or_the_one_requested(
    first: dict[str, Any], wanted: str, want: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = (fake_version("first", **first), fake_version("second"))
    monkeypatch.setattr(dispatch, "VERSIONS", versions)
    monkeypatch.setenv(dispatch.VARIABLE, wanted)
    both = {"first": Unlimited(), "second": Unlimited()}
    refused = wanted and want[0] != wanted
    with pytest.warns(KernelNotice, match="using") if refused else contextlib.nullcontext():
        name, reason = dispatch.choose("op", both, (torch.zeros(1),))
    assert name == want[0]
    assert reason.startswith(want[1])


def test_limits_belong_to_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "VERSIONS", (fake_version("first"), fake_version("second")))
    both, x = {"first": Limited(3), "second": Limited(5)}, torch.zeros(1)
    assert dispatch.choose("op", both, (x,), 3).version == "first"
    assert dispatch.choose("op", both, (x,), 5).version == "second"
    with pytest.warns(KernelNotice, match="op: at most 3; using the PyTorch reference instead"):
        assert dispatch.choose("op", both, (x,), 6) == ("reference", "at most 3")
    with pytest.warns(KernelNotice, match="not this one"):
        assert dispatch.choose("op", both, (x,), 3, unserved="not this one").version == "reference"
    monkeypatch.setenv(dispatch.VARIABLE, "first")
    with pytest.warns(KernelNotice, match="other: it has no first version; using"):
        assert dispatch.choose("other", {"second": Unlimited()}, (x,)).version == "reference"


def test_every_installed_version_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = fake_version("lost", missing="it was lost")
    versions = (fake_version("first"), lost, fake_version("second"))
    monkeypatch.setattr(dispatch, "VERSIONS", versions)
    assert dispatch.describe() == "first, made of first; second, made of second"
    monkeypatch.setenv(dispatch.VARIABLE, "second")
    assert dispatch.describe() == "second, made of second"
    monkeypatch.setenv(dispatch.VARIABLE, "third")
    with pytest.raises(NeurafieldError, match="expected reference, first, lost or second, got"):
        dispatch.describe()


@needs_native
def test_transforms_go_to_the_reference_with_a_notice_if_native_was_requested(
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
def test_float64_is_reported_once_for_each_operation() -> None:
    x = torch.zeros(1, dtype=torch.float64)
    with pytest.warns(KernelNotice, match="a: .* float64; using the PyTorch") as notices:
        chosen = [dispatch.choose(name, OP, (x,)).version for name in "aab"]
    assert chosen == ["reference"] * 3
    assert len(notices) == 2


@needs_native
def test_levels_that_the_processor_lacks_are_refused() -> None:
    missing = set(library.native().compiled_levels()) - set(LEVELS)
    for name in [*missing, "sse9"]:
        with pytest.raises(ValueError, match="expected one that this processor has"):
            library.native().use_level(name)


@needs_native
def test_the_sanitized_build_is_tested_where_it_is_meant() -> None:
    assert library.native().sanitizers == os.environ.get("NEURAFIELD_SANITIZERS", "")


@needs_native
def test_tensors_are_handed_over_as_they_are() -> None:
    levels = make_levels([[2]], max_rows=None).columns
    table, x = torch.tensor([[0.0], [10.0], [30.0]], requires_grad=True), torch.tensor([[0.5], [0]])
    y = torch.zeros(2, 1)
    library.call("grid_forward", levels, False, 1, table, x, y)
    assert y.flatten().tolist() == [20, 10]

    refused = [
        (r"got float64 \(3, 1\)", TypeError, (table.double(), x, y)),
        (r"\(2, 1\) of strides \(2, 1\)", TypeError, (table, x, torch.zeros(2, 2)[:, :1])),
        ("shape of the table", ValueError, (table[:2], x, y)),
        ("shape of the features", ValueError, (table, x, torch.zeros(2, 2))),
    ]
    for message, kind, arguments in refused:
        with pytest.raises(kind, match=message):
            library.call("grid_forward", levels, False, 1, *arguments)


@needs_native
def test_lists_of_tensors_are_handed_over_as_they_are() -> None:
    weights, biases = [torch.eye(2), torch.ones(1, 2)], [torch.zeros(2), torch.zeros(1)]
    x, y = torch.tensor([[3.0, -4.0]]), torch.zeros(1, 1)
    rest = ([1.0], ACTIVATIONS.index("ReLU"), False, 1, y, None)
    library.call("mlp_forward", x, weights, biases, *rest)
    assert y.item() == 3
    biases[1] = biases[1].double()
    with pytest.raises(TypeError, match=r"mlp_forward: .* float64 \(1,\)"):
        library.call("mlp_forward", x, weights, biases, *rest)
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
from neurafield.kernels import library
library.native().use_own_threads({own_pool})
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
            library.native().use_own_threads(own)
            net.zero_grad()
            net(x).square().sum().backward()
            results.append([p.grad.clone() for p in net.parameters()])
    finally:
        library.native().use_own_threads(False)
        torch.set_num_threads(1)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
