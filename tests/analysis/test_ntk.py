"""The tangent kernel against closed forms, and its predictions against gradient descent."""

import math

import pytest
import torch
from torch import nn

from neurafield import Field, analysis, architectures, encodings, networks
from neurafield.analysis import ntk
from neurafield.errors import NeurafieldError
from neurafield.signals import Audio


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int, in_dim: int, seed: int = 0) -> torch.Tensor:
    return 2 * torch.rand(n, in_dim, dtype=torch.float64, generator=seeded(seed)) - 1


def test_a_linear_model_is_its_own_kernel() -> None:
    lift = encodings.RandomFourier(2, 5, sigma=1.0, generator=seeded())
    field = Field(networks.Linear(10, 3, generator=seeded(1)), encoding=lift)
    x = points(7, 2)
    features = torch.cat([lift.double()(x), torch.ones(7, 1)], 1)
    # Each value has parameters of its own, so the mean over values is one value's kernel.
    torch.testing.assert_close(analysis.tangent_kernel(field, x), features @ features.mT)


def arc_cosine_kernel(x: torch.Tensor, output: float) -> torch.Tensor:
    """Of a ReLU layer with standard normal weights and biases, averaged over units, in closed form.

    Cho and Saul, Kernel Methods for Deep Learning, NIPS 2009, of degrees 0 and 1; `output` is the
    variance of the weights behind the layer.
    """
    lifted = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    products = lifted @ lifted.mT
    norms = lifted.norm(dim=1)
    lengths = norms[:, None] * norms
    angle = (products / lengths).clamp(-1, 1).acos()
    values = lengths * (angle.sin() + (math.pi - angle) * angle.cos()) / (2 * math.pi)
    slopes = (math.pi - angle) / (2 * math.pi)
    return values + output * products * slopes


def check_kernel_of_a_wide_layer(width: int, tolerance: float) -> None:
    network = networks.MLP(2, 1, width=width, depth=1, generator=seeded())
    generator = seeded(3)
    for parameter in network.layers.parameters():
        nn.init.normal_(parameter, generator=generator)
    x = points(6, 2)
    # Behind the average over units, the last bias adds one.
    kernel = (analysis.tangent_kernel(network, x) - 1) / width
    expected = arc_cosine_kernel(x, output=1.0)
    assert ((kernel - expected).norm() / expected.norm()).item() < tolerance


def test_a_wide_relu_layer_has_the_arc_cosine_kernel() -> None:
    check_kernel_of_a_wide_layer(width=60_000, tolerance=0.02)


def test_a_narrow_layer_does_not_and_the_check_sees_it() -> None:
    with pytest.raises(AssertionError):
        check_kernel_of_a_wide_layer(width=30, tolerance=0.02)


def test_parts_of_the_points_give_the_kernel_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field(networks.MLP(1, 2, width=8, depth=2, generator=seeded()))
    x = points(11, 1)
    whole = analysis.tangent_kernel(field, x)
    for numbers in (1, 3 * 2 * field.num_parameters):
        monkeypatch.setattr(ntk, "_MAX_NUMBERS", numbers)
        torch.testing.assert_close(analysis.tangent_kernel(field, x), whole)


@pytest.mark.parametrize("size", [100, 10**5, 10**6, 4 * 10**6, 10**9])
def test_the_work_for_a_kernel_is_bounded(size: int) -> None:
    n = analysis.affordable_points(size, 3)
    parts = math.ceil(n / max(1, ntk._MAX_NUMBERS // (3 * size)))
    assert parts * (parts + 1) // 2 <= 136
    assert 16 <= n <= ntk.MAX_POINTS
    # 256 points of four million parameters are not.
    parts = math.ceil(256 / max(1, ntk._MAX_NUMBERS // (3 * 4 * 10**6)))
    assert parts * (parts + 1) // 2 > 8000


def test_progress_is_the_share_of_jacobians(monkeypatch: pytest.MonkeyPatch) -> None:
    field = Field(networks.MLP(1, 1, width=4, depth=1, generator=seeded()))
    monkeypatch.setattr(ntk, "_MAX_NUMBERS", 2 * field.num_parameters)
    told: list[float] = []
    analysis.kernel_spectrum(field, in_dim=1, num_points=6, progress=told.append)
    assert told == pytest.approx([k / 6 for k in range(1, 7)])


class Scaled(nn.Module):
    """A parameter without axes beside one with an axis."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(3.0)), nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a * x + self.b


def test_a_parameter_may_be_one_number() -> None:
    x = torch.tensor([[1.0], [2.0]])
    assert analysis.tangent_kernel(Scaled(), x).tolist() == [[2, 3], [3, 5]]


def test_the_mean_is_left_out_of_the_spectrum() -> None:
    # A line has one mode beside the constant: itself, of variance 1/3 on [-1, 1].
    found = analysis.kernel_spectrum(networks.Linear(1, 1), in_dim=1, num_points=500)
    assert found.eigenvalues[0].item() == pytest.approx(1 / 3, rel=1e-4)
    assert found.eigenvalues[1].item() == pytest.approx(0, abs=1e-12)
    assert found.effective_rank == pytest.approx(1)
    assert found.frequencies[:3].tolist() == [0.5, 1, 1.5]


def test_the_kernel_is_the_product_of_gradients_by_backward() -> None:
    field = Field(networks.Siren(1, 2, width=6, depth=2, generator=seeded()))
    field.network.layers[0].bias.requires_grad_(False)
    x = points(4, 1)
    kernel = analysis.tangent_kernel(field, x)
    assert next(field.parameters()).dtype == torch.float32
    field = field.double()
    trained = [p for p in field.parameters() if p.requires_grad]
    rows = torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(field(point)[c], trained)])
            for point in x
            for c in range(2)
        ]
    )
    products = (rows @ rows.mT).reshape(4, 2, 4, 2)
    torch.testing.assert_close(kernel, products.diagonal(dim1=1, dim2=3).mean(-1))


@pytest.mark.parametrize(
    "arch", sorted(name for name, each in architectures.ARCHITECTURES.items() if 1 in each.dims)
)
def test_every_architecture_has_a_kernel(arch: str) -> None:
    layout = Audio.from_array(torch.linspace(-1, 1, 64).numpy(), sample_rate=64).layout
    field = architectures.plan(layout.extent, arch).field
    found = analysis.kernel_spectrum(field, in_dim=1, num_points=16)
    assert found.eigenvalues.min() > -1e-8 * found.eigenvalues.max()
    assert 1 <= found.effective_rank <= 15
    assert (found.rates > -1e-12).all()


def descend(field: nn.Module, x: torch.Tensor, y: torch.Tensor, lr: float, steps: int) -> None:
    optimizer = torch.optim.SGD(field.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        (field(x) - y).square().mean().backward()
        optimizer.step()


def check_prediction(width: int, tolerance: float) -> None:
    x = torch.linspace(-1, 1, 12, dtype=torch.float64)[:, None]
    y = torch.sin(4 * x)
    field = networks.MLP(1, 1, width=width, depth=1, generator=seeded()).double()
    kernel = analysis.tangent_kernel(field, x)
    before = (field(x) - y).detach()
    lr = 0.5 * len(x) / torch.linalg.eigvalsh(kernel)[-1].item()
    predicted = analysis.linearised(kernel, before, lr=lr, steps=200)
    descend(field, x, y, lr, 200)
    after = (field(x) - y).detach()
    assert (after - before).norm() > 0.2 * before.norm(), "or nothing would be predicted"
    assert ((after - predicted).norm() / (after - before).norm()).item() < tolerance


def test_gradient_descent_follows_the_kernel_of_a_wide_network() -> None:
    check_prediction(width=1024, tolerance=1e-3)


def test_a_narrow_network_leaves_its_kernel_and_the_check_sees_it() -> None:
    with pytest.raises(AssertionError):
        check_prediction(width=16, tolerance=1e-3)


def test_a_linear_model_follows_its_kernel_exactly() -> None:
    x, y = points(9, 2), points(9, 1, seed=1)
    field = networks.Linear(2, 1, generator=seeded(2)).double()
    kernel = analysis.tangent_kernel(field, x)
    predicted = analysis.linearised(kernel, (field(x) - y).detach(), lr=0.1, steps=50)
    descend(field, x, y, 0.1, 50)
    torch.testing.assert_close(predicted, (field(x) - y).detach())


def test_between_cosines_are_quotients_and_eigenvalues_where_cosines_are_modes() -> None:
    n = 16
    i = torch.arange(n, dtype=torch.float64)
    modes = torch.cos(math.pi * i[:, None] * (i + 0.5) / n)
    modes /= modes.norm(dim=1, keepdim=True)
    wanted = 1 / (1 + i)
    kernel = modes.mT @ torch.diag(wanted) @ modes
    torch.testing.assert_close(analysis.between_cosines(kernel), torch.diag(wanted) / n)
    other = torch.randn(n, n, dtype=torch.float64, generator=seeded())
    other = other @ other.mT
    quotients = torch.stack([v @ other @ v for v in modes]) / n
    torch.testing.assert_close(analysis.between_cosines(other).diagonal(), quotients)


def test_condition_and_effective_rank() -> None:
    def spectrum(*eigenvalues: float) -> analysis.KernelSpectrum:
        values = torch.tensor(eigenvalues, dtype=torch.float64)
        return analysis.KernelSpectrum(values, values, values)

    assert spectrum(4, 1).condition == 4
    assert spectrum(4, 0).condition == math.inf
    assert spectrum(4, 1e-16).condition == math.inf
    assert spectrum(2, 2, 2).effective_rank == pytest.approx(3)
    assert spectrum(1, 0, 0).effective_rank == pytest.approx(1)
    assert 1.5 < spectrum(3, 1, 0).effective_rank < 2


def test_fourier_features_learn_high_frequencies_at_a_higher_rate_than_relu() -> None:
    lift = encodings.RandomFourier(1, 64, sigma=8.0, generator=seeded())
    network = networks.MLP(128, 1, width=32, depth=2, generator=seeded())
    fourier = Field(network, encoding=lift)
    relu = Field(networks.MLP(1, 1, width=32, depth=2, generator=seeded()))
    slow, fast = (
        analysis.kernel_spectrum(field, in_dim=1, num_points=64) for field in (relu, fourier)
    )

    def share(found: analysis.KernelSpectrum) -> float:
        """Of eight cycles across the box, beside one."""
        return (found.rates[15] / found.rates[1]).item()

    assert share(fast) > 20 * share(slow)
    assert fast.effective_rank > 2 * slow.effective_rank


def test_it_refuses() -> None:
    field = networks.Linear(1, 1)
    with pytest.raises(ValueError, match="points between 1 and 4096, got 0"):
        analysis.tangent_kernel(field, torch.zeros(0, 1))
    with pytest.raises(ValueError, match="num_points between 2 and 4096, got 5000"):
        analysis.kernel_spectrum(field, in_dim=1, num_points=5000)
    with pytest.raises(NeurafieldError, match="finite"):
        analysis.tangent_kernel(field, torch.tensor([[math.nan]]))
