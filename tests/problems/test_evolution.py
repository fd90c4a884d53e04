"""Moving surfaces against closed forms."""

import math

import pytest
import torch

from neurafield.fit import fit, gauss_newton
from neurafield.problems import _level_sets
from neurafield.problems.evolution import Plan, constraints

R = 0.7


def radii(field: torch.nn.Module, dim: int, tau: float) -> torch.Tensor:
    """How far the surface is from the middle, in 64 directions, by bisection."""
    g = torch.Generator().manual_seed(1)
    ways = torch.nn.functional.normalize(torch.randn(64, dim, generator=g), dim=1)
    low, high = torch.full((64, 1), 0.02), torch.full((64, 1), 0.98)
    for _ in range(30):
        middle = (low + high) / 2
        with torch.no_grad():
            outside = field(torch.cat([ways * middle, torch.full((64, 1), tau)], dim=1)) > 0
        high, low = torch.where(outside, middle, high), torch.where(outside, low, middle)
    return low[:, 0]


def shrunk(dim: int, plan: Plan) -> float:
    """The largest relative error of the mean radius, until it is a third."""
    duration = R**2 * 8 / 9 / (2 * (dim - 1))
    field = plan.field(dim, 0)

    def ball(x: torch.Tensor) -> torch.Tensor:
        return x.norm(dim=1, keepdim=True) - R

    problem = constraints(field, ball, _level_sets.mean_curvature_residual(duration), plan)
    fit(field, problem, steps=plan.steps, optimizer=gauss_newton)
    errors = []
    for tau in torch.linspace(-1, 1, 9).tolist():
        exact = math.sqrt(R**2 - 2 * (dim - 1) * duration * (tau + 1) / 2)
        errors.append(abs(float(radii(field, dim, tau).mean()) / exact - 1))
    return max(errors)


def test_a_circle_shrinks_as_it_must() -> None:
    assert shrunk(2, Plan(width=24, num_points=1000, steps=20)) < 0.03


@pytest.mark.slow
def test_a_sphere_shrinks_as_it_must() -> None:
    assert shrunk(3, Plan()) < 0.02
