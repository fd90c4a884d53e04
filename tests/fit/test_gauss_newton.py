"""Gauss-Newton and L-BFGS: steps, resumed runs with equal bytes, errors."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from neurafield import Field
from neurafield.domains import Box
from neurafield.fields import HardBoundary
from neurafield.fit import (
    Checkpointing,
    Constraint,
    GaussNewton,
    Trained,
    fit,
    gauss_newton,
    lbfgs,
    losses,
)
from neurafield.fit.gauss_newton import residuals, tangent
from neurafield.fit.objective import Objective
from neurafield.maps import AbstractMap, Residual
from neurafield.networks import MLP
from neurafield.signals import Boundary, Interior

SQUARE = Box.cube(2)
DTYPES = (torch.float32, torch.float64)


def network(seed: int = 0, dtype: torch.dtype = torch.float64, width: int = 8) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(MLP(2, 1, width=width, depth=2, activation="Tanh", generator=g)).to(dtype)


def exact(x: Tensor) -> Tensor:
    return torch.sin(math.pi * x).prod(-1, keepdim=True)


def poisson(num_points: int | None = 60, batch_size: int | None = None) -> list[Constraint]:
    """Poisson's equation with boundary values; its solution is `exact`."""
    equation = Residual(lambda u, x: u.laplacian + 2 * math.pi**2 * exact(x))
    return [
        Constraint(
            signal=Interior(SQUARE, num_points=num_points),
            map=equation,
            batch_size=batch_size,
            name="equation",
        ),
        Constraint(
            signal=Boundary(SQUARE, num_points=num_points),
            batch_size=batch_size,
            weight=30.0,
            name="boundary",
        ),
    ]


def objective(field: nn.Module, problem: list[Constraint], micro_batch: int = 17) -> Objective:
    return Objective(Trained(field, problem), problem, seed=0, step=0, micro_batch=micro_batch)


def state_bytes(field: nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in field.state_dict().values())


# ---- the mathematics


def flat(field: nn.Module, gradients: Sequence[Tensor | None]) -> Tensor:
    """All gradients in one row, with zeros for a parameter that has none."""
    pairs = zip(field.parameters(), gradients, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in pairs])


def check_tangent(field: nn.Module, found: tuple[Tensor, ...], problem: list[Constraint]) -> None:
    """Checks that squares add up to the loss, and that a row is the gradient of one residual."""
    r, jacobian = found
    whole = objective(field, problem, micro_batch=10_000)
    loss = whole.total(whole.add_gradients())
    assert r.square().sum().item() == pytest.approx(loss, rel=1e-9)
    gradient = flat(field, [p.grad for p in field.parameters()])
    torch.testing.assert_close(2 * jacobian.mT @ r, gradient)
    # The 23rd residual belongs to the second micro-batch of the first constraint.
    row = 22
    (query, target, _), *_ = whole.parts(problem[0])
    one = (
        whole.predict(problem[0], query[row : row + 1], target[row : row + 1])
        - target[row : row + 1]
    )
    expected = torch.autograd.grad(one.sum(), list(field.parameters()), allow_unused=True)
    torch.testing.assert_close(jacobian[row], flat(field, expected) / len(target) ** 0.5)


def test_the_jacobian_is_that_of_autograd() -> None:
    field, problem = network(), poisson()
    check_tangent(field, tangent(objective(field, problem), list(field.parameters())), problem)


@pytest.mark.parametrize(
    "function",
    [
        lambda u, x: u.gradient.square().sum(-1, keepdim=True) - 1,
        lambda u, x: u.d(0) + u.value * u.d(1) - 0.1 * u.d(1, 1),
        lambda u, x: u.d(0, 1) + u.value,
    ],
    ids=["gradient", "burgers", "mixed"],
)
@pytest.mark.parametrize("hard", [False, True])
def test_the_jacobian_of_various_residuals(function: Callable, hard: bool) -> None:
    field: nn.Module = network()
    if hard:
        field = HardBoundary(field, SQUARE.distance_factor, lambda x: x.square()[..., :1]).double()
    problem = [Constraint(signal=Interior(SQUARE, num_points=60), map=Residual(function))]
    found = tangent(objective(field, problem), list(field.parameters()))
    check_tangent(field, found, problem)


def test_check_tangent_can_fail() -> None:
    field, problem = network(), poisson()
    r, jacobian = tangent(objective(field, problem), list(field.parameters()))
    for wrong in ((2 * r, jacobian), (r, 2 * jacobian), (r, jacobian.flip(0))):
        field.zero_grad()
        with pytest.raises(AssertionError):
            check_tangent(field, wrong, problem)


@pytest.mark.parametrize("num_points", [9, 60])
def test_a_step_solves_the_damped_normal_equations(num_points: int) -> None:
    """With fewer (18) and with more residuals than the 105 parameters."""
    field, problem = network(), poisson(num_points)
    drawn = objective(field, problem)
    r, jacobian = tangent(drawn, list(field.parameters()))
    before = nn.utils.parameters_to_vector(field.parameters()).detach()
    # The damping is so large that the first trial is accepted.
    optimizer = GaussNewton(field.parameters(), damping=1e4)
    optimizer.step(drawn)
    damping = 1e4 * jacobian.square().sum() / jacobian.shape[1]
    stacked = torch.cat([jacobian, damping.sqrt() * torch.eye(jacobian.shape[1])])
    right = torch.cat([-r, torch.zeros(jacobian.shape[1])])[:, None]
    expected = torch.linalg.lstsq(stacked, right).solution[:, 0]
    moved = nn.utils.parameters_to_vector(field.parameters()).detach() - before
    torch.testing.assert_close(moved, expected, rtol=1e-7, atol=1e-12)


def test_a_linear_problem_is_solved_in_one_step() -> None:
    field = Field(MLP(2, 1, width=8, depth=1, activation="Tanh")).double()
    for parameter in list(field.parameters())[:-2]:
        parameter.requires_grad_(False)
    frozen = [p.clone() for p in field.parameters() if not p.requires_grad]
    problem = Constraint(signal=Interior(SQUARE, lambda x: x[:, :1] - 2, num_points=50))
    whole = objective(field, [problem])
    query, target = problem.signal.batch(None, seed=0, step=0)
    with torch.no_grad():
        hidden = torch.tanh(query @ frozen[0].mT + frozen[1])
    features = torch.cat([hidden, torch.ones(50, 1)], dim=1)
    solution = torch.linalg.lstsq(features, target).solution
    best = (features @ solution - target).square().mean().item()
    GaussNewton([p for p in field.parameters() if p.requires_grad], damping=1e-13).step(whole)
    assert residuals(whole).square().sum().item() == pytest.approx(best, rel=1e-6)
    assert all(
        torch.equal(a, b)
        for a, b in zip(frozen, [p for p in field.parameters() if not p.requires_grad], strict=True)
    )


class NanElsewhere(AbstractMap):
    """A map that gives NaN unless the first parameter has its initial value."""

    def __init__(self, begun: Tensor) -> None:
        self.begun = begun

    def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
        moved = (next(iter(field.parameters())) - self.begun).abs().sum()  # type: ignore[attr-defined]
        return field(query) + torch.where(moved > 0, math.nan, 0.0)


def test_a_step_that_does_not_lower_the_loss_is_rejected() -> None:
    field = network()
    begun = next(field.parameters()).detach().clone()
    before = state_bytes(field)
    problem = Constraint(signal=Interior(SQUARE, num_points=20), map=NanElsewhere(begun))
    optimizer = gauss_newton(field)
    optimizer.step(objective(field, [problem]))
    assert state_bytes(field) == before
    (state,) = optimizer.state.values()
    again = state["damping"].item()
    optimizer.step(objective(field, [problem]))
    assert state["damping"].item() > again, "the damping must rise"


def test_a_zero_jacobian_leaves_the_field_unchanged() -> None:
    """A network of ReLUs has no second derivatives: the Jacobian is zero."""
    for num_points in (9, 60):
        field = Field(MLP(2, 1, width=8, depth=1, activation="ReLU"))
        before = state_bytes(field)
        problem = [poisson(num_points)[0]]
        optimizer = gauss_newton(field)
        optimizer.step(objective(field, problem))
        assert state_bytes(field) == before
        (state,) = optimizer.state.values()
        assert state["damping"] > 0


def test_columns_are_in_the_order_of_the_given_parameters() -> None:
    a, b = network(), network()
    GaussNewton(a.parameters()).step(objective(a, poisson()))
    GaussNewton(list(b.parameters())[::-1]).step(objective(b, poisson()))
    assert state_bytes(a) != state_bytes(network())
    for one, other in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(one, other)


# ---- in `fit`


@pytest.mark.parametrize(
    ("optimizer", "steps", "dtype"),
    [
        (gauss_newton, 30, torch.float32),
        (gauss_newton, 30, torch.float64),
        (lbfgs, 15, torch.float32),
    ],
)
def test_poisson(optimizer: Callable, steps: int, dtype: torch.dtype) -> None:
    field = network(dtype=dtype, width=16)
    fit(field, poisson(200), steps=steps, optimizer=optimizer)
    x = 2 * torch.rand(500, 2, dtype=dtype) - 1
    error = (field(x) - exact(x)).norm() / exact(x).norm()
    assert error < 0.01


# Every pair of an optimizer with a type and with a step to stop at, not every triple.
@pytest.mark.parametrize(
    ("optimizer", "problem", "dtype", "stop_at"),
    [
        pytest.param(optimizer, problem, dtype, stop_at, id=f"{name}-{dtype}-{stop_at}")
        for name, optimizer, problem, pairs in [
            ("gauss-newton", gauss_newton, poisson(), zip(DTYPES, (1, 4), strict=True)),
            ("fresh points", gauss_newton, poisson(None, 50), zip(DTYPES, (4, 1), strict=True)),
            ("l-bfgs", lbfgs, poisson(), zip(DTYPES, (1, 4), strict=True)),
        ]
        for dtype, stop_at in pairs
    ],
)
def test_a_resumed_run_ends_in_the_same_bytes(
    optimizer: Callable,
    problem: list[Constraint],
    dtype: torch.dtype,
    stop_at: int,
    tmp_path: Path,
) -> None:
    def run(seed: int, **options) -> Field:
        field = network(seed, dtype)
        fit(field, problem, steps=7, optimizer=optimizer, **options)
        return field

    seen: list[int] = []
    options = {"checkpointing": Checkpointing(path=tmp_path / "c", resume=True)}
    run(
        0,
        callbacks=[lambda p: seen.append(p.step)],
        should_stop=lambda: len(seen) == stop_at,
        **options,
    )
    assert len(seen) == stop_at
    assert state_bytes(run(9, **options)) == state_bytes(run(0))


def test_the_learning_rate_is_one_for_any_schedule() -> None:
    rates: list[float] = []
    fit(
        network(),
        poisson(20),
        steps=3,
        lr=1e-9,
        optimizer=gauss_newton,
        callbacks=[lambda p: rates.append(p.learning_rate)],
    )
    assert rates == [1.0, 1.0, 1.0]


# ---- bad input


def test_losses_other_than_mse_are_refused() -> None:
    problem = Constraint(signal=Interior(SQUARE, num_points=9), loss=losses.l1, name="edges")
    with pytest.raises(ValueError, match="loss mse in constraint 'edges', got l1"):
        fit(network(), problem, steps=1, optimizer=gauss_newton)


def test_a_residual_that_does_not_depend_on_the_field_is_named() -> None:
    class Alone(AbstractMap):
        def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
            return query[:, :1]

    problem = Constraint(signal=Interior(SQUARE, num_points=9), map=Alone(), name="heat")
    with pytest.raises(ValueError, match="depends on trained parameters from constraint 'heat'"):
        fit(network(), problem, steps=1)


def test_a_residual_of_another_shape_is_named() -> None:
    equation = Residual(lambda u, x: u.jacobian[:, 0])
    problem = Constraint(signal=Interior(SQUARE, num_points=9), map=equation, name="heat")
    with pytest.raises(ValueError, match=r"\(9, 1\) from constraint 'heat', got \(9, 2\)"):
        fit(network(), problem, steps=1)


def test_bad_options_are_refused() -> None:
    with pytest.raises(ValueError, match="damping to be positive"):
        GaussNewton([nn.Parameter(torch.ones(1))], damping=0.0)
    with pytest.raises(ValueError, match="trials between 1"):
        GaussNewton([nn.Parameter(torch.ones(1))], trials=0)


def test_several_groups_and_foreign_parameters_are_refused() -> None:
    field = network()
    with pytest.raises(ValueError, match="GaussNewton: expected one group of parameters"):
        gauss_newton(field).add_param_group({"params": [nn.Parameter(torch.ones(3))]})
    foreign = [*field.parameters(), nn.Parameter(torch.ones(3))]
    with pytest.raises(ValueError, match="GaussNewton: expected parameters of the field"):
        GaussNewton(foreign).step(objective(field, poisson()))
