"""What a residual sees: each derivative right, and all of them from one pass."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield import Field, maps, networks
from neurafield.derivatives import Derivatives, Jet, operators

X = 2 * torch.rand(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 1


def siren(out_dim: int = 1) -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(networks.Siren(3, out_dim, width=7, depth=2, generator=generator)).double()


class Watched(torch.nn.Module):
    """Counts the passes through a field."""

    out_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.field, self.passes = siren(), []

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1:
            self.passes.append("forward")
        return self.field(x)

    def jet(self, x: Jet) -> Jet:
        if x.streams.shape[1] > 1:
            self.passes.append(f"jet of {len(x.streams)}")
        return self.field.jet(x)


def test_each_derivative() -> None:
    field = siren()
    u = Derivatives(field, X)
    hessian = operators.hessian(field, X)
    assert_close(u.value, field(X))
    assert_close(u.gradient, operators.gradient(field, X))
    assert_close(u.d(2), operators.jacobian(field, X)[..., 2])
    assert_close(u.laplacian, operators.laplacian(field, X))
    assert_close(u.d(1, 1), hessian[..., 1, 1])
    assert_close(u.d(0, 2), hessian[..., 0, 2])
    assert_close(u.hessian, hessian)
    assert_close(u.d(0, 1, 2), operators.partial(field, X, [0, 1, 2]))
    assert_close(u.d(), field(X))
    signed = u.sum_of_second([1, -4, -4])
    assert_close(signed, hessian[..., 0, 0] - 4 * hessian[..., 1, 1] - 4 * hessian[..., 2, 2])
    vector = Derivatives(siren(3), X)
    assert_close(vector.curl, operators.curl(siren(3), X))
    assert_close(vector.divergence, operators.divergence(siren(3), X))


@pytest.mark.parametrize(
    ("function", "passes"),
    [
        (lambda u, x: u.value, ["forward"]),
        (lambda u, x: u.gradient + u.value, ["forward"]),  # Reverse mode: one value.
        (lambda u, x: u.value + u.laplacian, ["jet of 5"]),
        (lambda u, x: u.d(0) - u.d(1, 1), ["jet of 5"]),
        (lambda u, x: u.d(0, 0) - u.d(1, 1) - u.d(2, 2) + u.value, ["jet of 7"]),
        (lambda u, x: u.d(0, 0) + u.d(1, 1) + u.d(2, 2) + u.laplacian, ["jet of 7"]),
    ],
    ids=["value", "gradient", "laplacian", "heat", "wave", "more-sums-than-axes"],
)
def test_a_residual_takes_one_pass(function, passes: list[str]) -> None:
    field = Watched()
    residual = maps.Residual(function)
    first = residual(field, X)
    assert field.passes == passes
    assert_close(first, function(Derivatives(siren(), X), X))
    assert torch.equal(residual(field, X), first)
    assert field.passes == 2 * passes


def test_a_trained_weight_gets_the_gradient_of_the_equation_written_out() -> None:
    field, c = Watched(), torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    equations = {
        "summed": lambda u, x: u.sum_of_second([1.0, 0, -(c**2)]) + u.value,
        "written out": lambda u, x: u.d(0, 0) - c**2 * u.d(2, 2) + u.value,
    }
    found = {}
    for name, equation in equations.items():
        field.passes.clear()
        residual = maps.Residual(equation)(field, X)
        assert field.passes == ["jet of 6"]
        slopes = torch.autograd.grad(residual.square().mean(), [c, *field.parameters()])
        found[name] = [residual, *slopes]
    assert found["summed"][1] != 0
    for ours, theirs in zip(found["summed"], found["written out"], strict=True):
        assert_close(ours, theirs)


def test_weights_may_be_one_tensor() -> None:
    weights = torch.tensor([1.0, -4.0, 0.5], dtype=torch.float64, requires_grad=True)
    found = Derivatives(siren(2), X).sum_of_second(weights)
    assert_close(found, Derivatives(siren(2), X).sum_of_second(weights.tolist()))
    (grad,) = torch.autograd.grad(found.sum(), weights)
    assert_close(grad, operators.hessian(siren(2), X).diagonal(dim1=-2, dim2=-1).sum((0, 1)))


def test_a_residual_serves_fields_of_another_dimension() -> None:
    residual = maps.Residual(lambda u, x: u.value + u.laplacian + u.d(0))
    plane = Field(networks.Siren(2, 1, width=7, depth=2)).double()
    for _ in range(2):
        for field, x in ((siren(), X), (plane, X[:, :2])):
            u = Derivatives(field, x)
            assert_close(residual(field, x), u.value + operators.laplacian(field, x) + u.d(0))


def test_bad_residuals() -> None:
    with pytest.raises(ValueError, match=r"heat: expected residuals of shape \(7, m\), got \(7,\)"):
        maps.Residual(lambda u, x: u.laplacian[:, 0], name="heat")(siren(), X)
    with pytest.raises(TypeError, match=r"a function|Callable"):
        maps.Residual("u.laplacian")
    with pytest.raises(TypeError, match=r"expected a tensor, got float|^Type-check error"):
        maps.Residual(lambda u, x: 0.0)(siren(), X)
    with pytest.raises(ValueError, match=r"axes from 0 to 2, got \(3,\)"):
        maps.Residual(lambda u, x: u.d(3))(siren(), X)
    with pytest.raises(ValueError, match="expected 3 weights, got 2"):
        maps.Residual(lambda u, x: u.sum_of_second([1, 2]))(siren(), X)
    with pytest.raises(ValueError, match=r"weights of one value, got a tensor of shape \(7,\)"):
        maps.Residual(lambda u, x: u.sum_of_second([1, x[:, 0], 2]))(siren(), X)


def test_a_residual_may_be_measured_without_a_trace() -> None:
    with torch.no_grad():
        found = maps.Residual(lambda u, x: u.laplacian)(siren(), X)
    assert not found.requires_grad


def test_a_residual_of_a_frozen_field_can_be_measured() -> None:
    field = siren().requires_grad_(False)
    assert maps.Residual(lambda u, x: u.laplacian)(field, X).shape == (7, 1)


def test_maps_of_derivatives() -> None:
    field = siren(2)
    assert_close(maps.Jacobian()(field, X), operators.jacobian(field, X))
    assert_close(maps.Laplacian()(field, X), operators.laplacian(field, X))


def test_residuals_are_told_apart() -> None:
    def equation(k: float) -> maps.Residual:
        return maps.Residual(lambda u, x: u.laplacian + k * u.value)

    assert equation(2.0).fingerprint() == equation(2.0).fingerprint()
    others = [
        equation(3.0),
        maps.Residual(lambda u, x: u.laplacian - 2.0 * u.value),
        maps.Residual(lambda u, x: u.laplacian),
        maps.Laplacian(),
    ]
    prints = [equation(2.0).fingerprint(), *(other.fingerprint() for other in others)]
    assert len(set(prints)) == len(prints)
