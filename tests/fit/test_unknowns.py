"""Unknowns that are trained with the field: reports, checkpoints, files; penalties."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neurafield
from neurafield import Field, Placed, Scene
from neurafield.domains import Box
from neurafield.fields import overlap
from neurafield.fit import (
    Checkpointing,
    Constraint,
    JsonLines,
    Penalty,
    Progress,
    Trained,
    fit,
    gauss_newton,
    lbfgs,
    least_squares,
    solve_last_layer,
)
from neurafield.maps import AbstractMap, LevelOfDetail, Residual
from neurafield.networks import MLP, Linear
from neurafield.signals import AbstractSignal, Interior, Samples

RATE = -1.3
LINE = Box((0.0,), (1.0,))


def network(seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(MLP(1, 1, width=12, depth=1, activation="Tanh", generator=g))


def decay(k: nn.Parameter) -> list[Constraint]:
    """The equation u' = k u with u(0) = 1, and samples of its solution exp(RATE x)."""
    x = torch.linspace(0, 1, 20)[:, None]
    equation = Residual(lambda u, x, k: u.d(0) - k * u.value, k=k)
    return [
        Constraint(signal=Samples(x, (RATE * x).exp()), name="data"),
        Constraint(signal=Interior(LINE, num_points=40), map=equation, name="decay"),
    ]


def unknown(value: float = 0.0) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value))


def check_rate(optimizer: Callable, steps: int, tolerance: float) -> None:
    """Checks that the rate is found, in the result and in the parameter."""
    k = unknown()
    result = fit(network(), decay(k), steps=steps, lr=0.1, optimizer=optimizer)
    assert result.unknowns.keys() == {"decay.k"}
    assert torch.equal(result.unknowns["decay.k"], k.detach())
    assert k.item() == pytest.approx(RATE, rel=tolerance)


@pytest.mark.parametrize(
    ("optimizer", "steps", "tolerance"),
    [
        (lambda trained: torch.optim.Adam(trained.parameters()), 300, 0.02),
        (gauss_newton, 25, 1e-3),
        (lbfgs, 40, 5e-3),
    ],
    ids=["adam", "gauss-newton", "lbfgs"],
)
def test_an_unknown_coefficient_is_found(optimizer: Callable, steps: int, tolerance: float) -> None:
    check_rate(optimizer, steps, tolerance)


def test_check_rate_can_fail() -> None:
    def field_alone(trained: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(trained.field.parameters())

    with pytest.raises(AssertionError):
        check_rate(field_alone, 50, 0.02)


def test_unknowns_are_reported_after_every_step(tmp_path: Path) -> None:
    k, seen = unknown(), []
    with JsonLines(tmp_path / "log", every=1) as log:
        fit(network(), decay(k), steps=3, lr=1e-2, callbacks=[seen.append, log])
    assert all(isinstance(progress, Progress) for progress in seen)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["unknowns"] for line in lines] == [progress.unknowns for progress in seen]
    assert lines[-1]["unknowns"]["decay.k"] == pytest.approx(k.item())
    assert len({line["unknowns"]["decay.k"] for line in lines}) == 3


def test_a_resumed_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    def run(seed: int, start: float, **options) -> tuple[Field, float]:
        field, k = network(seed), unknown(start)
        fit(field, decay(k), steps=9, lr=1e-2, **options)
        return field, k.item()

    seen: list[int] = []
    kept = {"checkpointing": Checkpointing(path=tmp_path / "c", resume=True)}
    run(0, 0.0, callbacks=[lambda _: seen.append(1)], should_stop=lambda: len(seen) == 4, **kept)
    whole, again = run(0, 0.0), run(5, 7.0, **kept)
    assert whole[1] == again[1]
    for a, b in zip(whole[0].parameters(), again[0].parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_roll_back_restores_unknowns() -> None:
    k, poisoned = unknown(0.25), []

    def poison(progress: Progress) -> None:
        if progress.step == 3 and not poisoned:
            poisoned.append(progress.step)
            with torch.no_grad():
                k.fill_(torch.nan)

    result = fit(network(), decay(k), steps=20, lr=1e-2, callbacks=[poison])
    assert (result.rollbacks, result.status) == (1, "steps")
    assert k.isfinite()


def test_a_gradient_that_is_not_finite_is_named() -> None:
    k = unknown(0.0)
    root = Residual(lambda u, x, k: u.value - k.sqrt(), k=k)
    problem = Constraint(signal=Interior(LINE, num_points=9), map=root, name="root")
    messages = []
    fit(network(), problem, steps=1, callbacks=[lambda p: messages.append(p.culprit)])
    assert messages == ["the gradient of root.k"]


def test_unknowns_are_saved_in_the_file(tmp_path: Path) -> None:
    field, k = network(), unknown(0.125)
    result = fit(field, decay(k), steps=1, lr=1e-9)
    neurafield.save(tmp_path / "u.field", field, unknowns=result.unknowns)
    file = neurafield.load(tmp_path / "u.field")
    assert torch.equal(file.unknowns["decay.k"], k.detach())
    assert torch.equal(file.field(torch.ones(1)), field(torch.ones(1)))
    with pytest.raises(neurafield.FieldFileError, match="NaN or infinity"):
        neurafield.save(tmp_path / "u.field", field, unknowns={"k": torch.tensor(torch.nan)})


def test_a_field_can_be_the_unknown() -> None:
    """Finds k(x) = 1 + x in u' = k(x) with a known u."""
    x = torch.linspace(0, 1, 30)[:, None]
    u, rate = network(), network(1)
    problem = [
        Constraint(signal=Samples(x, x + x.square() / 2), name="data"),
        Constraint(
            signal=Interior(LINE, num_points=40),
            map=Residual(lambda u, x, k: u.d(0) - k(x), k=rate),
            name="rate",
        ),
    ]
    result = fit(u, problem, steps=30, optimizer=gauss_newton)
    assert "rate.k.network.layers.0.weight" in result.unknowns
    with torch.no_grad():
        assert (rate(x) - 1 - x).abs().max() < 0.02


def test_an_unknown_in_two_constraints_is_trained_once() -> None:
    k = unknown()
    problem = decay(k)
    again = Residual(lambda u, x, k: u.d(0, 0) - k**2 * u.value, k=k)
    problem.append(Constraint(signal=Interior(LINE, num_points=9), map=again, name="twice"))
    result = fit(network(), problem, steps=2, lr=1e-2)
    assert result.unknowns.keys() == {"decay.k"}
    assert len(list(Trained(network(), problem).parameters())) == 5


def test_a_map_inside_a_level_of_detail_keeps_its_unknowns() -> None:
    rate = Residual(lambda u, x, k: u.value - k, k=unknown())
    problem = [Constraint(signal=Interior(LINE, num_points=9), map=LevelOfDetail(0, of=rate))]
    assert list(Trained(network(), problem).unknowns()) == ["data.of.k"]


def test_a_custom_map_with_an_unknown() -> None:
    class Scaled(AbstractMap, nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = unknown(1.0)

        def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
            return self.gain * field(query)

    x = torch.linspace(0, 1, 20)[:, None]
    field, scaled = network(), Scaled()
    problem = [
        Constraint(signal=Samples(x, x.exp()), name="direct"),
        Constraint(signal=Samples(x, 3 * x.exp()), map=scaled, name="scaled"),
    ]
    result = fit(field, problem, steps=20, optimizer=gauss_newton)
    assert result.unknowns["scaled.gain"].item() == pytest.approx(3.0, rel=1e-3)


# ---- errors


@pytest.mark.parametrize("optimizer", [gauss_newton, lbfgs, None], ids=["gn", "lbfgs", "adam"])
def test_a_parameter_in_a_closure_is_refused(optimizer: Callable | None) -> None:
    k = unknown()
    closed = Residual(lambda u, x: u.d(0) - k * u.value)
    problem = Constraint(signal=Interior(LINE, num_points=9), map=closed, name="decay")
    options = {} if optimizer is None else {"optimizer": optimizer}
    with pytest.raises(ValueError, match=r"'decay' .* not trained\. Pass it by name.*k=k"):
        fit(network(), problem, steps=2, **options)


def test_wrong_unknowns_are_refused() -> None:
    with pytest.raises(TypeError, match=r"unknown k to be a parameter.*got float|Type-check"):
        Residual(lambda u, x, k: u.value, k=0.5)
    with pytest.raises(ValueError, match="another name for an unknown than 'forward'"):
        Residual(lambda u, x, forward: u.value, forward=unknown())


def test_a_run_with_other_unknowns_is_not_resumed(tmp_path: Path) -> None:
    kept = Checkpointing(path=tmp_path / "c", resume=True)
    fit(network(), decay(unknown()), steps=2, checkpointing=kept)
    with pytest.raises(neurafield.FieldFileError, match="another problem"):
        fit(network(), decay(nn.Parameter(torch.zeros(1))), steps=4, checkpointing=kept)


# ---- penalties


def test_a_penalty_that_is_not_finite_is_named() -> None:
    seen = []
    data = Constraint(signal=Samples(torch.zeros(1, 1), torch.zeros(1, 1)))
    pole = Penalty(function=lambda field: size(field) / 0.0, name="pole")
    fit(network(), [data, pole], steps=1, callbacks=[seen.append])
    assert seen[0].culprit == "the loss of penalty 'pole'"


def size(field: nn.Module) -> Tensor:
    return sum(p.square().sum() for p in field.parameters())


def test_a_penalty_is_added_with_its_weight() -> None:
    field, seen = network(), []
    expected = size(field).item()
    x = torch.zeros(3, 1)
    data = Constraint(signal=Samples(x, field(x).detach()), weight=5.0)
    penalty = Penalty(function=size, weight=0.5, name="size")
    fit(field, [data, penalty], steps=1, lr=1e-3, callbacks=[seen.append])
    assert seen[0].terms == pytest.approx({"data": 0.0, "size": expected})
    assert seen[0].loss == pytest.approx(0.5 * expected)


def test_a_problem_may_be_one_penalty() -> None:
    field = network()
    before = size(field).item()
    fit(field, Penalty(function=size), steps=20, lr=1e-2)
    assert size(field).item() < 0.9 * before


def test_a_penalty_that_is_a_module_is_trained() -> None:
    class Prior(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = unknown(1.0)

        def forward(self, field: nn.Module) -> Tensor:
            return self.scale.exp() * size(field).detach() - self.scale

    result = fit(network(), Penalty(function=Prior(), name="prior"), steps=3, lr=1e-2)
    assert result.unknowns["prior.scale"].item() < 1.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda field: torch.ones(2), r"one number from penalty 'penalty', got \(2,\)"),
        (lambda field: 1.0, "one number from penalty 'penalty', got float"),
        (lambda field: torch.ones(()), "penalty 'penalty', got one without a gradient"),
    ],
)
def test_wrong_penalties_are_refused(function: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(network(), Penalty(function=function), steps=1)


def test_least_squares_solvers_refuse_penalties() -> None:
    penalty = Penalty(function=size)
    for solve in (least_squares, solve_last_layer):
        with pytest.raises(ValueError, match="got the penalty 'penalty'"):
            solve(network(), [penalty])
    with pytest.raises(ValueError, match="got the penalty 'penalty'"):
        fit(network(), penalty, steps=1, optimizer=gauss_newton)


def test_least_squares_finds_an_unknown_offset() -> None:
    """An unknown in which the problem is linear is solved for with the field."""

    class Shifted(AbstractMap, nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.offset = unknown()

        def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
            return field(query) + self.offset

    x = torch.linspace(-1, 1, 9)[:, None]
    problem = [
        Constraint(signal=Samples(x, 2 * x + 1), name="direct"),
        Constraint(signal=Samples(x, 2 * x + 4), map=Shifted(), name="shifted"),
    ]
    result = least_squares(Linear(1, 1), problem)
    assert result.unknowns["shifted.offset"].item() == pytest.approx(3.0, abs=1e-4)


# ---- trained signals


class Shifted(AbstractSignal, nn.Module):
    """Samples of x^2 whose targets are off by an unknown shift."""

    in_dim, out_dim = 1, 1

    def __init__(self) -> None:
        super().__init__()
        self.shift = unknown(0.5)

    def batch(self, size: int | None, *, seed: int, step: int, stream: int = 0) -> Any:
        x = torch.linspace(-1, 1, 9)[:, None]
        return x, x.square() + self.shift

    def fingerprint(self) -> str:
        return "shifted"


def anchored_shift() -> tuple[list[Constraint], Shifted]:
    """The field is x^2 by the first constraint, so the shift of the second is zero."""
    x, signal = torch.linspace(-1, 1, 9)[:, None], Shifted()
    problem = [
        Constraint(signal=Samples(x, x.square()), weight=10.0, name="true"),
        Constraint(signal=signal, name="shifted"),
    ]
    return problem, signal


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [(lambda trained: torch.optim.Adam(trained.parameters()), 400), (lbfgs, 10)],
    ids=["adam", "lbfgs"],
)
def test_a_signal_that_is_a_module_is_trained(optimizer: Callable, steps: int) -> None:
    problem, signal = anchored_shift()
    result = fit(network(), problem, steps=steps, lr=3e-2, optimizer=optimizer, micro_batch=4)
    assert result.unknowns["shifted.shift"].abs().item() < 0.02
    assert signal.shift.item() == result.unknowns["shifted.shift"].item()


def test_solvers_that_do_not_train_signals_refuse_them() -> None:
    message = "a signal without parameters in constraint 'shifted', got Shifted"
    with pytest.raises(ValueError, match=message):
        least_squares(network(), anchored_shift()[0])
    with pytest.raises(ValueError, match=r"got shifted\.shift"):
        solve_last_layer(network(), anchored_shift()[0])
    with pytest.raises(ValueError, match=message):
        fit(network(), anchored_shift()[0], steps=1, optimizer=gauss_newton)


# ---- what would not be trained, or not be what it seems


def test_a_parameter_in_the_closure_of_a_loss_is_refused() -> None:
    k, x = unknown(1.0), torch.zeros(3, 1)
    loss = lambda p, t: (k * (p - t)).square().mean()  # noqa: E731
    with pytest.raises(ValueError, match=r"constraint 'data' to depend on trained .* not trained"):
        fit(network(), Constraint(signal=Samples(x, x), loss=loss), steps=1)
    closed = lambda field: k * size(field)  # noqa: E731
    with pytest.raises(ValueError, match="penalty 'penalty' to depend on trained"):
        fit(network(), Penalty(function=closed), steps=1)


def test_least_squares_refuses_a_parameter_in_a_closure() -> None:
    k, x = unknown(1.0), torch.linspace(-1, 1, 9)[:, None]
    scaled = Residual(lambda u, x: k * u.value)
    with pytest.raises(ValueError, match="'data' to depend on trained parameters only"):
        least_squares(Linear(1, 1), Constraint(signal=Samples(x, x), map=scaled))


def test_the_last_layer_alone_cannot_find_an_unknown() -> None:
    k = unknown()
    with pytest.raises(ValueError, match=r"only unknown is the last layer, got decay\.k"):
        solve_last_layer(network(), decay(k)[1:])


def test_a_loss_can_be_all_that_is_trained() -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.log = unknown(0.0)

        def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
            return (prediction - target).square().mean() * self.log.exp() - self.log

    x = torch.linspace(-1, 1, 9)[:, None]
    field = network().requires_grad_(False)
    deviation = (field(x) - x).square().mean()
    problem = Constraint(signal=Samples(x, x), loss=Weighted(), name="noise")
    result = fit(field, problem, steps=300, lr=3e-2)
    assert result.unknowns["noise.log"].exp().item() == pytest.approx(1 / deviation.item(), rel=0.1)


def test_complex_unknowns_are_refused() -> None:
    k = nn.Parameter(torch.zeros((), dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"real parameters, got a complex decay\.k"):
        fit(network(), decay(k), steps=1)


@pytest.mark.parametrize("name", ["_names", "_requested", "function", "training"])
def test_names_of_attributes_are_no_names_of_unknowns(name: str) -> None:
    with pytest.raises((ValueError, TypeError), match=r"another name|multiple values"):
        Residual(lambda u, x: u.value, **{name: unknown()})


def test_a_run_with_another_loss_is_not_resumed(tmp_path: Path) -> None:
    x = torch.linspace(-1, 1, 9)[:, None]
    kept = Checkpointing(path=tmp_path / "c", resume=True)
    for factor in (1.0, 5.0):
        loss = lambda p, t, a=factor: a * (p - t).square().mean()  # noqa: E731
        problem = Constraint(signal=Samples(x, x), loss=loss)
        if factor == 1.0:
            fit(network(), problem, steps=2, checkpointing=kept)
        else:
            with pytest.raises(neurafield.FieldFileError, match="another problem"):
                fit(network(), problem, steps=4, checkpointing=kept)


def test_a_run_of_another_scene_is_not_resumed(tmp_path: Path) -> None:
    x = torch.linspace(-1, 1, 9)[:, None]
    kept = Checkpointing(path=tmp_path / "c", resume=True)
    data = Constraint(signal=Samples(x, x))

    def scene(combined: overlap.AbstractOverlap, scale: float) -> Scene:
        return Scene([Placed(network(), (0.1,), scale=scale)], combined)

    fit(scene(overlap.Mean(), 0.5), data, steps=2, checkpointing=kept)
    for other in (scene(overlap.Mean(), 0.6), scene(overlap.Sum(), 0.5)):
        with pytest.raises(neurafield.FieldFileError, match="another architecture"):
            fit(other, data, steps=4, checkpointing=kept)


def test_an_optimizer_class_is_refused_with_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"lambda trained: torch\.optim\.Adam|Type-check error"):
        fit(network(), decay(unknown()), steps=1, optimizer=torch.optim.Adam)
    with pytest.raises(TypeError, match=r"Constraint\(signal=\.\.\.\)|Type-check error"):
        fit(network(), Samples(torch.zeros(1, 1), torch.zeros(1, 1)), steps=1)
