"""The last layer by least squares, against a dense solver, for every kind of affine map."""

import copy
import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from neurafield import Field, HardBoundary, maps
from neurafield.derivatives import Derivatives
from neurafield.domains import Box
from neurafield.encodings import HashGrid, RandomFourier
from neurafield.fit import Constraint, NormalEquations, losses, solve_last_layer
from neurafield.networks import MLP, Siren
from neurafield.signals import Boundary, Interior, Samples


def small_field(out_dim: int = 1) -> Field:
    g = torch.Generator().manual_seed(0)
    lift = RandomFourier(2, 5, sigma=0.5, generator=g)
    network = MLP(10, out_dim, width=11, depth=2, activation="Tanh", generator=g)
    return Field(network, encoding=lift)


def oracle(field: Field, problem: list[Constraint], seed: int = 0) -> tuple[Tensor, float]:
    """Columns by brute force: one prediction per unit vector of the last layer."""
    field = copy.deepcopy(field).double()
    last = field.network.layers[-1]
    unknowns = [(last.weight, index) for index in range(last.weight.numel())]
    unknowns += [(last.bias, index) for index in range(last.bias.numel())]
    columns, right = [], []
    batches = [c.signal.batch(None, seed=seed, step=0, stream=i) for i, c in enumerate(problem)]

    def predict() -> Tensor:
        parts = []
        for constraint, (x, target) in zip(problem, batches, strict=True):
            scale = (constraint.weight / target.numel()) ** 0.5
            with torch.enable_grad():
                found = constraint.map(field, x.double().requires_grad_())
            parts.append(scale * (found.detach() - target).flatten())
        return torch.cat(parts)

    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        right = -predict()
        for parameter, index in unknowns:
            parameter.view(-1)[index] = 1
            columns.append(predict() + right)
            parameter.view(-1)[index] = 0
    matrix = torch.stack(columns, dim=1)
    solution = torch.linalg.lstsq(matrix, right[:, None], driver="gelsd").solution
    return solution[:, 0], float((matrix @ solution - right[:, None]).square().sum())


def interior(out_dim: int) -> Interior:
    return Interior(
        Box.cube(2),
        lambda x: torch.cat([(3 * x[:, :1] + c).sin() * x[:, 1:] for c in range(out_dim)], dim=1),
        out_dim=out_dim,
        num_points=151,
    )


def stretched(u: Derivatives, x: Tensor) -> Tensor:
    """All affine kinds at once: variable coefficients, mixed derivatives, coupled channels."""
    a = u.d(0, 0) + x[:, :1] * u.d(0, 1) + (1 + x[:, 1:] ** 2) * u.d(1, 1)
    b = u.d(1).flip(-1) + 2 * u.value - x
    return torch.cat([a + b, u.divergence + u.curl], dim=1)


CASES: dict[str, tuple[int, maps.AbstractMap, int]] = {
    "identity": (2, maps.Identity(), 2),
    "laplacian": (3, maps.Laplacian(), 3),
    "first order": (1, maps.Residual(lambda u, x: u.gradient), 2),
    "everything": (2, maps.Residual(stretched), 3),
}


@pytest.mark.parametrize("name", CASES)
def test_the_solution_is_that_of_a_dense_solver(name: str) -> None:
    out_dim, map, num_residuals = CASES[name]
    field = small_field(out_dim)
    problem = [
        Constraint(signal=interior(num_residuals), map=map, weight=3.0, name=name),
        Constraint(
            signal=Boundary(Box.cube(2), 0.25, out_dim=out_dim, num_points=41), name="boundary"
        ),
    ]
    _, expected = oracle(field, problem)
    hidden = field.network.layers[0].weight.clone()
    found = solve_last_layer(field, problem, block=64)
    assert found == pytest.approx(expected, rel=1e-6)
    # The loss of the solved field, evaluated directly.
    field.double()
    left = 0.0
    for stream, constraint in enumerate(problem):
        x, target = constraint.signal.batch(None, seed=0, step=0, stream=stream)
        prediction = constraint.map(field, x.requires_grad_())
        left += constraint.weight * float(losses.mse(prediction, target).detach())
    assert left == pytest.approx(expected, rel=1e-4)
    torch.testing.assert_close(field.network.layers[0].weight, hidden.double())


def test_the_comparison_with_the_dense_solution_can_fail() -> None:
    field = small_field()
    problem = [Constraint(signal=interior(1))]
    _, expected = oracle(field, problem)
    assert solve_last_layer(field, problem, ridge=1.0) > 1.1 * expected


def test_a_linear_equation_is_solved_without_any_steps() -> None:
    g = torch.Generator().manual_seed(0)
    field = Field(Siren(2, 1, width=300, depth=1, omega_0=6.0, generator=g))
    truth: Callable[[Tensor], Tensor] = lambda x: (2 * x).sin().prod(1, keepdim=True)  # noqa: E731
    square = Box.cube(2)
    source = Interior(square, lambda x: -8 * truth(x), num_points=900)
    walls = Boundary(square, truth, num_points=120)
    problem = [
        Constraint(signal=source, map=maps.Laplacian(), name="equation"),
        Constraint(signal=walls, weight=100.0, name="walls"),
    ]
    solve_last_layer(field, problem)
    x = torch.rand(101, 2, generator=g) * 2 - 1
    assert float((field(x) - truth(x)).detach().abs().max()) < 1e-4


NOT_AFFINE: dict[str, Callable[[Derivatives, Tensor], Tensor]] = {
    "square": lambda u, x: u.value**2,
    "product of derivatives": lambda u, x: u.d(0) * u.d(1),
    "kink": lambda u, x: u.laplacian.abs(),
    "mixes points": lambda u, x: u.value + u.value.sum(),
}


@pytest.mark.parametrize("name", NOT_AFFINE)
def test_maps_that_are_not_affine_are_refused(name: str) -> None:
    problem = Constraint(signal=interior(1), map=maps.Residual(NOT_AFFINE[name]), name="mine")
    with pytest.raises(ValueError, match="mine: expected a map that is affine"):
        solve_last_layer(small_field(), problem)


def test_third_derivatives_are_refused() -> None:
    residual = maps.Residual(lambda u, x: u.d(0, 0, 1) + u.value)
    with pytest.raises(ValueError, match="up to the second order"):
        solve_last_layer(small_field(), Constraint(signal=interior(1), map=residual))


def test_a_jacobian_counts_as_one_row_per_point() -> None:
    x = interior(1).batch(None, seed=0, step=0)[0].float()
    slopes = torch.stack([x[:, 1:].sin(), x[:, :1] * x[:, 1:].cos()], dim=-1)
    data = Samples(x, slopes)
    field, twin = small_field(), small_field()
    loss = solve_last_layer(field, Constraint(signal=data, map=maps.Jacobian()))
    flat = Constraint(
        signal=Samples(x, slopes[:, 0]), map=maps.Residual(lambda u, x: u.jacobian.flatten(1))
    )
    assert loss == pytest.approx(solve_last_layer(twin, flat))
    torch.testing.assert_close(field(x), twin(x))
    with pytest.raises(ValueError, match=r"shape \(151, 2\) from constraint 'data', got \(151, 1,"):
        solve_last_layer(field, Constraint(signal=Samples(x, slopes[:, 0]), map=maps.Jacobian()))


def test_maps_that_are_nonlinear_only_near_the_solution_are_refused() -> None:
    field = small_field()
    before = field.network.layers[-1].weight.clone()
    x = interior(1).batch(None, seed=0, step=0)[0].float()

    def constraint(highest: float) -> Constraint:
        clamped = maps.Residual(lambda u, x: u.value.clamp(max=highest))
        return Constraint(signal=Samples(x, torch.full((151, 1), 50.0)), map=clamped)

    with pytest.raises(ValueError, match="solve_last_layer: expected maps that are affine up to"):
        solve_last_layer(field, constraint(10.0))
    assert torch.equal(field.network.layers[-1].weight, before)
    assert solve_last_layer(field, constraint(100.0)) < 1e-6


def test_fields_without_a_network_are_refused() -> None:
    field = HardBoundary(small_field(), Box.cube(2).distance_factor)
    with pytest.raises(ValueError, match=r"expected a Field, .* got HardBoundary"):
        solve_last_layer(field, Constraint(signal=interior(1)))


class Shifted(maps.AbstractMap):
    """A map that evaluates the field elsewhere than at its query."""

    def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
        return field(query + 0.1)


def test_maps_that_evaluate_the_field_elsewhere_are_refused() -> None:
    with pytest.raises(ValueError, match="points of its query only"):
        solve_last_layer(small_field(), Constraint(signal=interior(1), map=Shifted()))


def test_other_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="the loss mse in constraint 'data', got l1"):
        solve_last_layer(small_field(), Constraint(signal=interior(1), loss=losses.l1))


def test_targets_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(151, 2\)"):
        solve_last_layer(small_field(), Constraint(signal=interior(2)))


def test_networks_without_a_last_layer_are_refused() -> None:
    field = small_field()
    del field.network.layers
    with pytest.raises(ValueError, match="Siren or MLP, got MLP"):
        solve_last_layer(field, Constraint(signal=interior(1)))


def test_an_encoding_that_is_not_smooth_works() -> None:
    g = torch.Generator().manual_seed(0)
    grid = HashGrid(2, num_levels=3, log2_table_size=6, generator=g)
    field = Field(MLP(grid.out_dim, 1, width=7, depth=1, generator=g), encoding=grid)
    problem = [Constraint(signal=interior(1))]
    assert solve_last_layer(field, problem) == pytest.approx(oracle(field, problem)[1], rel=1e-6)


# ---- normal equations


def test_normal_equations_solve_several_right_hand_sides_in_parts() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1201, n, generator=g, dtype=torch.float64) for n in (601, 3))
    unknowns = NormalEquations(601, 3)
    for start, stop in itertools.pairwise([0, 1, 700, 1201]):
        unknowns.add(a[start:stop], b[start:stop], weight=2.0)
    expected = torch.linalg.lstsq(a, b).solution
    found = unknowns.solve(1e-14)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    left = 2 * float((a @ expected - b).square().sum())
    assert unknowns.loss(found) == pytest.approx(left, rel=1e-9)


def test_the_unknown_of_a_zero_column_is_zero() -> None:
    unknowns = NormalEquations(2)
    unknowns.add(torch.tensor([[2.0, 0.0]]).double(), torch.tensor([[4.0]]).double())
    assert unknowns.solve(1e-14).flatten().tolist() == pytest.approx([2.0, 0.0])


def test_dependent_columns_are_refused() -> None:
    unknowns = NormalEquations(2)
    unknowns.add(torch.ones(3, 2).double(), torch.ones(3, 1).double())
    with pytest.raises(ValueError, match="Raise the ridge"):
        unknowns.solve(1e-30)
