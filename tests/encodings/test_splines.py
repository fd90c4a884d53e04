"""Spline grids against SciPy's B-splines, and their levels against plain linear algebra."""

import numpy as np
import pytest
import scipy.interpolate
import torch
from torch.testing import assert_close

from neurafield import Field, fit
from neurafield.derivatives import Jet
from neurafield.encodings import SplineGrid, multilevel
from neurafield.encodings.spline_levels import refine
from neurafield.maps import Jacobian, Laplacian
from neurafield.networks import Linear
from neurafield.signals import Samples


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scipy_basis(cells: int, degree: int, x: np.ndarray, order: int) -> np.ndarray:
    """All splines of a grid with free borders at points: `(points, cells + degree)`."""
    knots = np.arange(-degree, cells + degree + 1) * 2 / cells - 1
    unit = np.eye(cells + degree)
    spline = scipy.interpolate.BSpline(knots, unit, degree)
    return (spline.derivative(order) if order else spline)(x)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_it_is_the_b_spline_of_scipy(degree: int, order: int) -> None:
    if order > degree:
        return
    grid = SplineGrid(2, resolution=[5, 7], features=3, degree=degree, generator=generator())
    grid.double()
    x = 2 * torch.rand(31, 2, generator=generator(1), dtype=torch.float64) - 1
    table = grid.table.detach().reshape(*grid.shape, 3).numpy()
    rows = scipy_basis(5, degree, x[:, 0].numpy(), order)
    columns = scipy_basis(7, degree, x[:, 1].numpy(), 0)
    expected = torch.from_numpy(np.einsum("pi,pj,ijf->pf", rows, columns, table))
    weights = torch.tensor([[1.0, 0.0]])
    jet = grid.jet(Jet.root(x, weights))
    got = [jet.value, jet.jacobian[..., 0], jet.weighted_hessian[..., 0]][order]
    assert_close(got, expected, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_a_mirrored_border_is_a_mirror(degree: int) -> None:
    grid = SplineGrid(1, resolution=7, degree=degree, border="mirror", generator=generator())
    grid.double()
    assert grid.shape == (7 + degree % 2,)
    free = SplineGrid(1, resolution=21, degree=degree).double()
    # The same between two mirror images of it, on a box of three times the size.
    c = grid.table.detach()[:, 0]
    inner = c[1:-1] if degree % 2 else c
    around = torch.cat([inner.flip(0), c, inner.flip(0)])
    margin = (len(free.table) - len(around)) // 2
    with torch.no_grad():
        free.table.zero_()
        free.table[margin : margin + len(around), 0] = around
    # Only where the copies reach.
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)[:, None]
    assert_close(grid(x), free(x / 3), atol=1e-15, rtol=0)
    if degree > 1:
        border = grid.jet(Jet.root(torch.tensor([[-1.0], [1.0]], dtype=torch.float64)))
        assert_close(border.jacobian, torch.zeros(2, 1, 1, dtype=torch.float64))


def test_a_border_that_is_not_mirrored_would_be_seen() -> None:
    free = SplineGrid(1, resolution=7, degree=2, generator=generator())
    border = free.jet(Jet.root(torch.tensor([[-1.0], [1.0]])))
    assert border.jacobian.abs().min() > 1e-6


def test_splines_sum_to_one_and_hold_lines() -> None:
    x = torch.linspace(-1, 1, 29, dtype=torch.float64)[:, None]
    for degree in range(1, 6):
        grid = SplineGrid(1, resolution=6, degree=degree).double()
        with torch.no_grad():
            # The place of each spline's middle.
            grid.table[:, 0] = (torch.arange(6 + degree).double() + 0.5 - degree / 2) / 3 - 1
        assert_close(grid(x), x, atol=1e-12, rtol=0)


def test_what_lies_outside_goes_on_and_nan_stays_nan() -> None:
    grid = SplineGrid(1, resolution=5, degree=2, generator=generator()).double()
    inside = torch.tensor([[0.7], [0.8], [0.9], [1.3]], dtype=torch.float64)
    parabola = np.polyfit(inside[:3, 0].numpy(), grid(inside[:3])[:, 0].detach().numpy(), 2)
    assert_close(grid(inside)[3].item(), float(np.polyval(parabola, 1.3)), atol=1e-12, rtol=0)
    assert grid(torch.tensor([[float("nan")]], dtype=torch.float64)).isnan().all()


@pytest.mark.parametrize("cells", [(7, 10), (8, 5), (1, 2)])
@pytest.mark.parametrize("degree", [1, 2, 3, 4, 5])
def test_refining_does_not_change_the_spline(cells: tuple[int, int], degree: int) -> None:
    coarse_cells = [-(-count // 2) for count in cells]
    coarse = SplineGrid(2, resolution=coarse_cells, degree=degree, generator=generator()).double()
    fine = SplineGrid(2, resolution=list(cells), degree=degree).double()
    own = coarse.table.detach().reshape(*coarse.shape, 1)
    with torch.no_grad():
        fine.table.copy_(refine(own, cells, degree).reshape(-1, 1))
    x = 2 * torch.rand(37, 2, generator=generator(1), dtype=torch.float64) - 1
    # Its box begins at -1 too; cells are twice as large.
    scale = torch.tensor(cells) / (2 * torch.tensor(coarse_cells, dtype=torch.float64))
    assert_close(fine(x), coarse((x + 1) * scale - 1), atol=1e-15, rtol=1e-9)
    if max(cells) > 2:
        with pytest.raises(AssertionError):
            assert_close(fine(x), coarse(x), atol=1e-15, rtol=1e-9)


@pytest.mark.parametrize("border", ["free", "mirror"])
def test_levels_leave_the_field_as_it_was(border: str) -> None:
    grid = SplineGrid(2, resolution=[6, 11], features=2, degree=4, border=border)
    before = grid.table.detach().clone()
    with multilevel(grid, order=1):
        assert len(list(grid.parameters())) == 5  # 11, 6, 3, 2 and 1 cells
        assert torch.equal(grid.table, before)
        with torch.no_grad():
            list(grid.parameters())[2].fill_(1.0)
        x = torch.rand(5, 2)
        inside = grid(x)
    assert type(grid) is SplineGrid
    assert_close(grid(x), inside)
    assert not torch.equal(grid.table, before)
    assert [name for name, _ in grid.named_parameters()] == ["table"]


def steps_needed(cells: int, levels: bool, order: int) -> int:
    """Of conjugate gradients, from derivatives to the values."""
    grid = SplineGrid(1, resolution=cells, degree=2, border="mirror").double()
    field = Field(Linear(1, 1).double(), encoding=grid).double()
    field.network.requires_grad_(False)
    with torch.no_grad():
        field.network.layer.weight.fill_(1)
        grid.table.zero_()
    x = ((2 * torch.arange(cells).double() + 1) / cells - 1)[:, None]
    noise = torch.randn(cells, 1, generator=generator(), dtype=torch.float64)
    target = (noise - noise.mean())[:, :, None] if order == 1 else noise - noise.mean()
    map = Jacobian() if order == 1 else Laplacian()
    problem = fit.Constraint(signal=Samples(x, target), map=map)
    if not levels:
        return fit.least_squares(field, problem, tolerance=1e-3).step
    with multilevel(grid, order=order):
        return fit.least_squares(field, problem, tolerance=1e-3).step


def test_levels_make_the_steps_few_whatever_the_size() -> None:
    assert steps_needed(256, True, 2) < 60
    assert steps_needed(256, False, 2) > 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"degree": 6}, "degree between 1 and 5, got 6"),
        ({"degree": 0}, "degree between 1 and 5"),
        ({"border": "wrap"}, "border to be free or mirror, got 'wrap'"),
        ({"features": 0}, "features between 1"),
        ({"resolution": [3, 4, 5]}, "resolution to have 2 values"),
        ({"resolution": [0, 4]}, "resolution between 1"),
        ({"in_dim": 5}, "in_dim between 1 and 4"),
        ({"in_dim": 4, "resolution": 2**20}, "at most 68719476736 coefficients"),
    ],
    ids=str,
)
def test_a_spline_grid_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        SplineGrid(**{"in_dim": 2, "resolution": [3, 4], **options})


def test_levels_refuse_an_unknown_order() -> None:
    with (
        pytest.raises(ValueError, match="order between 0 and 2, got 3"),
        multilevel(SplineGrid(1, resolution=3), order=3),
    ):
        pass
