"""A third version of every operation, through the same autograd functions.

`Echo` computes with the reference, counts its calls, and enters the tables under the name "echo".
While it runs, the compiled library raises, so nothing outside `native.py` may reach into it.
"""

import ast
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield import kernels
from neurafield.kernels import (
    adam,
    dispatch,
    fused_mlp,
    fused_mlp_jet,
    grid,
    library,
    mesh_distance,
)
from neurafield.kernels.perceptron import split

from .levels import needs_native

OPERATIONS = (adam, fused_mlp, fused_mlp_jet, grid, mesh_distance)

Gradients = list[Tensor | None]


def functions_of(version: type) -> set[str]:
    """Names of the public functions of a class."""
    return {
        name
        for name, _ in inspect.getmembers(version, inspect.isfunction)
        if not name.startswith("_")
    }


class Echo:
    """A version that counts the calls of its functions."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        for name in functions_of(type(self)):
            setattr(self, name, self._counted(name, getattr(self, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.calls[name] += 1
            return function(*arguments)

        return counted

    def unserved(self, *sizes: object) -> str:
        return ""


def gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], grad_y: Tensor
) -> Gradients:
    """By autograd through the reference, detached."""
    with torch.enable_grad():
        own = [tensor.detach().requires_grad_() for tensor in inputs]
        y = function(*own)
    return list(torch.autograd.grad(y, own, grad_y, allow_unused=True))


class EchoMlp(Echo):
    def has_bfloat16(self) -> bool:
        return True

    def forward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        bfloat16: bool,
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        y = fused_mlp.reference.fused_mlp(x, *split(parameters), activation, scales, bfloat16)
        return y, torch.zeros(1) if keep else None

    def backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        bfloat16: bool,
        saved: Tensor,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> Gradients:
        def value(x: Tensor, *parameters: Tensor) -> Tensor:
            return fused_mlp.reference.fused_mlp(
                x, *split(parameters), activation, scales, bfloat16
            )

        return gradients(value, [x, *parameters], grad_y)

    def gradient(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        grad_y: Tensor,
    ) -> tuple[Tensor, Tensor]:
        needed = [True] + [False] * len(parameters)
        found = self.backward(x, parameters, activation, scales, False, saved, grad_y, needed)
        assert found[0] is not None
        return found[0], torch.zeros(1)

    def gradient_backward(
        self,
        x: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        pulled: Tensor,
        grad_y: Tensor,
        grad_grad_x: Tensor,
        needed: Sequence[bool],
    ) -> Gradients:
        def gradient(x: Tensor, grad_y: Tensor, *parameters: Tensor) -> Tensor:
            y = fused_mlp.reference.fused_mlp(x, *split(parameters), activation, scales)
            return torch.autograd.grad(y, x, grad_y, create_graph=True)[0]

        return gradients(gradient, [x, grad_y, *parameters], grad_grad_x)


class EchoJet(Echo):
    def forward(
        self,
        streams: Tensor,
        mix: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        y = fused_mlp_jet.reference.fused_mlp_jet(
            streams, *split(parameters), mix, activation, scales
        )
        return y, torch.zeros(1) if keep else None

    def backward(
        self,
        streams: Tensor,
        mix: Tensor,
        parameters: Sequence[Tensor],
        activation: str,
        scales: list[float],
        saved: Tensor,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> Gradients:
        def value(streams: Tensor, *parameters: Tensor) -> Tensor:
            return fused_mlp_jet.reference.fused_mlp_jet(
                streams, *split(parameters), mix, activation, scales
            )

        return gradients(value, [streams, *parameters], grad_y)


class EchoGrid(Echo):
    def forward(
        self,
        x: Tensor,
        table: Tensor,
        keys: Tensor | None,
        levels: grid.Levels,
        interpolation: str,
        added: bool,
    ) -> Tensor:
        return grid.reference.grid_interpolate(x, table, levels, interpolation, keys, added)

    def backward(
        self,
        x: Tensor,
        table: Tensor,
        keys: Tensor | None,
        levels: grid.Levels,
        interpolation: str,
        added: bool,
        sparse: bool,
        grad_y: Tensor,
        needed: Sequence[bool],
    ) -> Gradients:
        def value(x: Tensor, table: Tensor) -> Tensor:
            return grid.reference.grid_interpolate(x, table, levels, interpolation, keys, added)

        found = gradients(value, [x, table], grad_y)
        table_grad = found[1].to_sparse(1) if sparse and found[1] is not None else found[1]
        return [
            grad if need else None
            for grad, need in zip((found[0], table_grad), needed, strict=True)
        ]


class EchoAdam(Echo):
    def adam_step(self, *arguments: Any) -> None:
        adam.reference.adam_step(*arguments)


class EchoMesh(Echo):
    def prepare(self, corners: Tensor) -> Tensor:
        return corners

    def closest_points(self, prepared: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return mesh_distance.reference.closest_points(prepared, x)

    def winding_numbers(self, prepared: Tensor, x: Tensor, accuracy: float) -> Tensor:
        return mesh_distance.reference.winding_numbers(prepared, x)


ECHOES = {
    "adam": EchoAdam,
    "fused_mlp": EchoMlp,
    "fused_mlp_jet": EchoJet,
    "grid": EchoGrid,
    "mesh_distance": EchoMesh,
}


def refuse(*_: object) -> None:
    raise AssertionError("reached into the compiled library")


@pytest.fixture
def echoes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Echo]:
    """A version "echo" in all tables, requested, while the compiled library raises."""
    entry = dispatch.Version(
        "echo", device="cpu", dtype=torch.float32, missing="", remedy="", describe=str
    )
    monkeypatch.setattr(dispatch, "VERSIONS", (entry, *dispatch.VERSIONS))
    monkeypatch.setenv(dispatch.VARIABLE, "echo")
    found = {}
    for operation in OPERATIONS:
        name = operation.__name__.rpartition(".")[2]
        found[name] = ECHOES[name]()
        monkeypatch.setitem(operation.IMPLEMENTATIONS, "echo", found[name])
    monkeypatch.setattr(library, "native", refuse)
    return found


Case = Callable[[], list[Tensor]]


def sample(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 1.6 - 0.8


def perceptron() -> tuple[list[Tensor], list[Tensor]]:
    weights = [sample(5, 2), sample(4, 5, seed=1), sample(3, 4, seed=2)]
    biases = [sample(5, seed=3), sample(4, seed=4), sample(3, seed=5)]
    return [w.requires_grad_() for w in weights], [b.requires_grad_() for b in biases]


def second_order(y: Tensor, x: Tensor, others: list[Tensor]) -> list[Tensor]:
    """Gradient for `x`, gradients of it for all, and gradients of those again."""
    leaves = [x, *others]
    (first,) = torch.autograd.grad(y.sin().sum(), x, create_graph=True)
    loss = first.square().sum() + y.square().sum()
    second = torch.autograd.grad(loss, leaves, retain_graph=True)
    again = torch.autograd.grad(loss, leaves, create_graph=True)
    size = sum((tensor.square().sum() for tensor in again), torch.zeros(()))
    third = torch.autograd.grad(size, leaves)
    return [first.detach(), *second, *(tensor.detach() for tensor in third)]


def mlp_values() -> list[Tensor]:
    weights, biases = perceptron()
    options = {"activation": "Tanh", "scales": [1.0, 2.0]}
    with torch.no_grad():
        bare = fused_mlp.fused_mlp(sample(7, 2), weights, biases, **options)
    x = sample(7, 2).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = fused_mlp.fused_mlp(x, weights, biases, **options)
    slopes = torch.autograd.grad(rounded.sin().sum(), [x, *weights, *biases])
    return [bare, rounded.detach(), *slopes]


def mlp_orders() -> list[Tensor]:
    weights, biases = perceptron()
    x = sample(7, 2).requires_grad_()
    y = fused_mlp.fused_mlp(x, weights, biases, activation="Tanh", scales=[1.0, 2.0])
    values = torch.autograd.grad(y.cos().sum(), [x, *weights, *biases], retain_graph=True)
    return [y.detach(), *values, *second_order(y, x, [*weights, *biases])]


def jet_orders() -> list[Tensor]:
    weights, biases = perceptron()
    streams, mix = sample(4, 7, 2, seed=6).requires_grad_(), torch.tensor([[1.0, 0.5]])
    y = fused_mlp_jet.fused_mlp_jet(
        streams, weights, biases, mix=mix, activation="Sine", scales=[1.0, 2.0]
    )
    with torch.no_grad():
        bare = fused_mlp_jet.fused_mlp_jet(
            streams, weights, biases, mix=mix, activation="Sine", scales=[1.0, 2.0]
        )
    values = torch.autograd.grad(y.cos().sum(), [streams, *weights, *biases], retain_graph=True)
    return [bare, y.detach(), *values, *second_order(y, streams, [*weights, *biases])]


def grid_orders() -> list[Tensor]:
    levels = grid.make_levels([[3, 4], [9, 8]], max_rows=32)
    x, table = sample(7, 2).requires_grad_(), sample(levels.num_rows, 2, seed=1).requires_grad_()
    results = []
    for sparse in (False, True):
        y = grid.grid_interpolate(x, table, levels, interpolation="smoothstep", sparse=sparse)
        values = torch.autograd.grad(y.cos().sum(), [x, table], retain_graph=True)
        found = [y.detach(), *values, *second_order(y, x, [table])]
        results += [tensor.to_dense() for tensor in found]
    with torch.no_grad():
        return [*results, grid.grid_interpolate(x, table, levels)]


def adam_steps() -> list[Tensor]:
    dense, sparse = torch.ones(5, 2), torch.ones(5, 2)
    for parameter, grad in ((dense, sample(5, 2)), (sparse, sample(5, 2).relu().to_sparse(1))):
        state = torch.zeros(5, 2), torch.zeros(5, 2)
        options = {"lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "lazy": False}
        for step in (1, 2):
            adam.adam_step(parameter, grad, *state, step=step, **options)
    return [dense, sparse]


def mesh_queries() -> list[Tensor]:
    triangles = mesh_distance.Triangles(sample(6, 3, 3).double())
    x = sample(9, 3, seed=1).double()
    turns = mesh_distance.winding_numbers(triangles, x, accuracy=2.0)
    return [*mesh_distance.closest_points(triangles, x), turns]


CASES: dict[str, tuple[str, Case]] = {
    "fused_mlp, values": ("fused_mlp", mlp_values),
    "fused_mlp, all orders": ("fused_mlp", mlp_orders),
    "fused_mlp_jet": ("fused_mlp_jet", jet_orders),
    "grid": ("grid", grid_orders),
    "adam": ("adam", adam_steps),
    "mesh_distance": ("mesh_distance", mesh_queries),
}


def check_case(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same results as the reference."""
    got = case()
    monkeypatch.setenv(dispatch.VARIABLE, dispatch.REFERENCE)
    for ours, theirs in zip(got, case(), strict=True):
        assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_a_third_version_runs_to_every_order(
    name: str, echoes: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, case = CASES[name]
    check_case(case, monkeypatch)
    assert not [other for other in echoes if other != operation and echoes[other].calls]


def test_every_function_of_every_version_is_called(echoes: dict[str, Echo]) -> None:
    assert {name for name, _ in CASES.values()} == set(echoes)
    for _, case in CASES.values():
        case()
    for name, echo in echoes.items():
        functions = functions_of(protocol(getattr(kernels, name)))
        assert functions == set(echo.calls) == functions_of(ECHOES[name])


def protocol(operation: Any) -> type:
    return getattr(operation, "autograd", operation).Implementation


@pytest.mark.parametrize("name", CASES)
def test_check_case_can_fail(
    name: str, echoes: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, case = CASES[name]
    echo = echoes[operation]
    wrong = functions_of(ECHOES[operation]) & WRONG
    for function in wrong:
        true = getattr(echo, function)
        with monkeypatch.context() as patch:
            patch.setattr(echo, function, lambda *a, true=true: off_by_little(true(*a), a))
            patch.setenv(dispatch.VARIABLE, "echo")
            if name == "fused_mlp, values" and function in ("gradient", "gradient_backward"):
                continue
            with pytest.raises(AssertionError):
                check_case(case, patch)


WRONG = {
    *("forward", "backward", "gradient", "gradient_backward"),
    *("adam_step", "closest_points", "winding_numbers"),
}


def off_by_little(result: Any, arguments: tuple[Any, ...]) -> Any:
    """The same with an error of one part in a hundred."""
    if result is None:
        arguments[0].mul_(1.01)
        return None
    if isinstance(result, Tensor):
        return result * 1.01
    return type(result)(
        part * 1.01 if isinstance(part, Tensor) and part.is_floating_point() else part
        for part in result
    )


@needs_native
@pytest.mark.parametrize("name", CASES)
def test_reaching_into_the_library_is_noticed(
    name: str, echoes: dict[str, Echo], monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, case = CASES[name]
    own = getattr(kernels, operation)
    monkeypatch.setitem(own.IMPLEMENTATIONS, "echo", own.native)
    with pytest.raises(AssertionError, match="reached into the compiled library"):
        case()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda own: own.__name__.rpartition(".")[2])
def test_modules_of_a_version_hold_no_autograd(operation: Any) -> None:
    folder = Path(inspect.getfile(operation)).parent
    for path in folder.glob("*.py"):
        text = path.read_text()
        imported = [
            node.module or "" if isinstance(node, ast.ImportFrom) and not node.names else alias.name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ]
        if path.name == "autograd.py":
            assert not {"native", "library"} & set(imported)
        if path.name == "native.py":
            assert "Function" not in text
            assert not {"autograd", "gradients_by_reference"} & set(imported)


def test_every_operation_is_tested() -> None:
    folders = {path.parent.name for path in Path(kernels.__file__).parent.glob("*/__init__.py")}
    assert folders == set(ECHOES)
