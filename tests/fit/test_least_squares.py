"""Least squares by conjugate gradients, against dense solutions by NumPy."""

import functools
import sys

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield import Field, networks
from neurafield.derivatives import Jet
from neurafield.encodings import RandomFourier, SplineGrid
from neurafield.fit import Constraint, Progress, least_squares, losses
from neurafield.maps import Identity, Jacobian, Laplacian
from neurafield.networks import Linear
from neurafield.signals import Samples


def features(seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    lift = RandomFourier(2, 7, sigma=0.6, generator=g)
    return Field(Linear(14, 3, generator=g), encoding=lift).double()


def points(count: int, seed: int = 1) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(count, 2, generator=g, dtype=torch.float64) - 1


def dense(field: Field, parts: list[tuple[str, Tensor, Tensor, float]]) -> np.ndarray:
    """Weights and biases by a dense solver, from the jets of the encoding."""
    rows, targets = [], []
    for kind, x, target, weight in parts:
        jet = field.encoding.jet(Jet.root(x))
        share = np.sqrt(weight / target.numel())
        if kind == "value":
            block = torch.cat([jet.value, torch.ones(len(x), 1)], dim=1)
        else:
            block = torch.cat([jet.laplacian, torch.zeros(len(x), 1)], dim=1)
        rows.append(share * block.numpy())
        targets.append(share * target.numpy())
    return np.linalg.lstsq(np.concatenate(rows), np.concatenate(targets), rcond=None)[0]


def both(field: Field) -> np.ndarray:
    layer = field.network.layer
    return torch.cat([layer.weight.mT, layer.bias[None]]).detach().numpy()


def test_the_solution_is_that_of_a_dense_solver() -> None:
    field = features()
    x, y = points(61), points(43, seed=2)
    g = torch.Generator().manual_seed(3)
    values = torch.randn(61, 3, generator=g, dtype=torch.float64)
    bends = torch.randn(43, 3, generator=g, dtype=torch.float64)
    expected = dense(field, [("value", x, values, 1.0), ("laplacian", y, bends, 0.01)])
    problem = [
        Constraint(signal=Samples(x, values), name="values"),
        Constraint(signal=Samples(y, bends), map=Laplacian(), weight=0.01, name="bends"),
    ]
    result = least_squares(field, problem, tolerance=1e-12)
    assert result.status == "tolerance"
    np.testing.assert_allclose(both(field), expected, atol=1e-6)
    # The loss is that of `fit`, term by term.
    loss = sum(
        c.weight * c.loss(c.map(field, c.signal.coords), c.signal.targets).item() for c in problem
    )
    assert abs(result.loss / loss - 1) < 1e-9
    # Other weights give another solution, so the comparison above can fail.
    other = dense(field, [("value", x, values, 1.0), ("laplacian", y, bends, 0.1)])
    assert np.abs(other - expected).max() > 1e-2


def test_the_nearest_of_many_solutions_is_found() -> None:
    field = features()
    x = points(5)
    target = torch.ones(5, 3, dtype=torch.float64)
    start = both(field)
    block = torch.cat([field.encoding(x), torch.ones(5, 1)], dim=1).numpy()
    nearest = start + np.linalg.pinv(block) @ (target.numpy() - block @ start)
    least_squares(field, Constraint(signal=Samples(x, target)), tolerance=1e-12)
    np.testing.assert_allclose(both(field), nearest, atol=1e-8)


def test_parts_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[least_squares.__module__], "_PART", 13)
    grid = SplineGrid(2, resolution=3, generator=torch.Generator().manual_seed(0))
    field = Field(Linear(1, 1, generator=torch.Generator().manual_seed(0)), encoding=grid).double()
    field.network.requires_grad_(False)
    x = points(101)
    slopes = torch.stack([x[:, 1], x[:, 0]], dim=-1)[:, None]
    result = least_squares(field, Constraint(signal=Samples(x, slopes), map=Jacobian()))
    assert result.loss < 1e-10
    origin = field(torch.zeros(1, 2, dtype=torch.float64))
    assert_close(field(x) - origin, x.prod(-1, keepdim=True), atol=1e-4, rtol=0)


def test_probes_scale_unequal_unknowns() -> None:
    g = torch.Generator().manual_seed(5)
    # Features of very different scales.
    sizes = torch.logspace(-3, 0, 60, dtype=torch.float64)
    x = sizes * torch.randn(400, 60, generator=g, dtype=torch.float64)
    target = torch.randn(400, 1, generator=g, dtype=torch.float64)
    problem = Constraint(signal=Samples(x, target))

    def loss(**options: int) -> float:
        line = Linear(60, 1, generator=torch.Generator().manual_seed(0)).double()
        return least_squares(line, problem, **options).loss

    best = loss(steps=1000, probes=16)
    assert loss(steps=20) > best * 1.05
    assert loss(steps=20, probes=16) < best * 1.001


def test_limits_end_the_run_with_their_status() -> None:
    seen: list[Progress] = []
    problem = Constraint(signal=Samples(points(40), torch.rand(40, 3).double()))
    result = least_squares(features(), problem, steps=3, callbacks=[seen.append])
    assert (result.status, result.step, len(seen)) == ("steps", 3, 3)
    assert [p.loss for p in seen] == sorted([p.loss for p in seen], reverse=True)
    assert seen[-1].terms == {"data": pytest.approx(result.loss)}
    assert least_squares(features(), problem, time=1e-9).status == "time"
    assert least_squares(features(), problem, should_stop=lambda: True).status == "interrupted"
    exact = features()
    done = least_squares(exact, Constraint(signal=Samples(points(9), exact(points(9)))))
    assert (done.status, done.step) == ("tolerance", 0)


def test_nonlinear_problems_are_refused() -> None:
    siren = networks.Siren(2, 3, width=8, depth=1)
    problem = Constraint(signal=Samples(points(40), torch.rand(40, 3).double()))
    before = [parameter.clone() for parameter in siren.parameters()]
    with pytest.raises(ValueError, match="expected predictions affine in the parameters"):
        least_squares(siren, problem, steps=20)
    # A refused field is unchanged.
    assert all(map(torch.equal, before, siren.parameters()))
    # The problem is linear in the last layer only.
    siren.layers[0].requires_grad_(False)
    least_squares(siren, problem, steps=20)


def test_bad_problems_are_refused() -> None:
    field = features()
    x, target = points(7), torch.zeros(7, 3)

    def shape_lost(field: Field, query: Tensor) -> Tensor:
        return field(query)[:, 0]

    class Deaf(Identity):
        def __call__(self, field: Field, query: Tensor) -> Tensor:
            return query.new_zeros(len(query), 3)

    class Narrow(Identity):
        def __call__(self, field: Field, query: Tensor) -> Tensor:
            return shape_lost(field, query)

    samples = Samples(x, target)
    with pytest.raises(ValueError, match="the loss mse in constraint 'data', got l1"):
        least_squares(field, Constraint(signal=samples, loss=losses.l1))
    with pytest.raises(ValueError, match=r"got functools\.partial"):
        least_squares(field, Constraint(signal=samples, loss=functools.partial(losses.l1)))
    with pytest.raises(ValueError, match="that depend on the parameters"):
        least_squares(field, Constraint(signal=samples, map=Deaf()))
    with pytest.raises(ValueError, match=r"shape \(7, 3\) from constraint 'data', got \(7,\)"):
        least_squares(field, Constraint(signal=samples, map=Narrow()))
    field.requires_grad_(False)
    with pytest.raises(ValueError, match="parameters to train, got none"):
        least_squares(field, Constraint(signal=samples))
