"""Adam against torch's own, in float64."""

import pytest
import torch
from torch import Tensor, nn

from neurafield.fit import Adam, default_optimizer
from neurafield.kernels import dispatch, library
from neurafield.networks import Siren

from .levels import level, needs_native, version  # noqa: F401

SIZES = [(1,), (3,), (17, 5), (20_011,), (0,)]


def gradients(shape: tuple[int, ...], steps: int, *, zeros: float = 0.0) -> list[Tensor]:
    g = torch.Generator().manual_seed(len(shape))
    return [
        torch.randn(shape, generator=g) * (torch.rand(shape, generator=g) >= zeros)
        for _ in range(steps)
    ]


def run(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, grads: list[Tensor]) -> Tensor:
    for grad in grads:
        parameter.grad = grad.to(parameter.dtype) if not grad.is_sparse else grad
        optimizer.step()
    return parameter.detach().double()


def start(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> nn.Parameter:
    return nn.Parameter(torch.ones(shape, dtype=dtype))


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_agrees_with_torch(level: str, shape: tuple[int, ...]) -> None:  # noqa: F811
    grads = gradients(shape, 20)
    options = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}
    ours, theirs = start(shape), start(shape, torch.float64)
    got = run(Adam([ours], **options), ours, grads)
    want = run(torch.optim.Adam([theirs], **options), theirs, grads)
    torch.testing.assert_close(got, want, rtol=1e-6, atol=1e-6)


def test_the_reference_agrees_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dispatch.VARIABLE, "reference")
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-14)):
        ours, theirs = start((17, 5), dtype), start((17, 5), torch.float64)
        grads = gradients((17, 5), 20)
        got = run(Adam([ours], lr=0.01), ours, grads)
        want = run(torch.optim.Adam([theirs], lr=0.01), theirs, grads)
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


def lazy_oracle(shape: tuple[int, ...], grads: list[Tensor], options: dict) -> Tensor:
    """Number by number in Python."""
    beta1, beta2 = options["betas"]
    result = torch.ones(shape, dtype=torch.float64).flatten()
    for i in range(result.numel()):
        p, m, v = 1.0, 0.0, 0.0
        for step, grad in enumerate(grads, 1):
            g = grad.flatten()[i].item()
            if g == 0:
                continue
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            root = (v / (1 - beta2**step)) ** 0.5
            p -= options["lr"] * m / (1 - beta1**step) / (root + options["eps"])
        result[i] = p
    return result.reshape(shape)


def test_lazy_steps_leave_zeros_alone(version: str) -> None:  # noqa: F811
    shape, options = (61, 2), {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-15}
    grads = gradients(shape, 12, zeros=0.7)
    want = lazy_oracle(shape, grads, options)
    ours = start(shape)
    torch.testing.assert_close(
        run(Adam([ours], lazy=True, **options), ours, grads), want, rtol=1e-6, atol=1e-6
    )
    eager = start(shape)
    busy = run(Adam([eager], lazy=False, **options), eager, grads)
    assert (busy - want).abs().max() > 1e-3  # The oracle tells the two apart.


def test_a_sparse_gradient_does_what_a_dense_lazy_one_does(version: str) -> None:  # noqa: F811
    dense_grads = gradients((101, 4), 8, zeros=0.5)
    for grad in dense_grads:
        grad[torch.rand(101) < 0.8] = 0
    sparse_grads = [grad.to_sparse(1) for grad in dense_grads]
    dense, sparse = start((101, 4)), start((101, 4))
    want = run(Adam([dense], lr=0.01, lazy=True), dense, dense_grads)
    got = run(Adam([sparse], lr=0.01, lazy=True), sparse, sparse_grads)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-7)
    assert not torch.equal(want, torch.ones_like(want))


def test_threads_do_not_change_a_byte(level: str) -> None:  # noqa: F811
    grads = gradients((100_003,), 3)
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            p = start((100_003,))
            results.append(run(Adam([p], lr=0.01), p, grads))
    finally:
        torch.set_num_threads(1)
    assert torch.equal(*results)


def test_strided_parameters_are_updated(level: str) -> None:  # noqa: F811
    strided = nn.Parameter(torch.ones(5, 7).mT)
    plain = start((7, 5))
    grads = gradients((7, 5), 4)
    assert not strided.is_contiguous()
    got = run(Adam([strided], lr=0.1), strided, grads)
    want = run(Adam([plain], lr=0.1), plain, grads)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_state_goes_through_a_state_dict() -> None:
    grads = gradients((7,), 10)
    p, q = start((7,)), start((7,))
    whole = run(Adam([p], lr=0.1), p, grads)
    first = Adam([q], lr=0.1)
    run(first, q, grads[:5])
    second = Adam([q], lr=0.1)
    second.load_state_dict(first.state_dict())
    assert torch.equal(run(second, q, grads[5:]), whole)


def test_networks_get_plain_adam() -> None:
    (group,) = default_optimizer(Siren(2, 1, width=4, depth=1)).param_groups
    assert (group["betas"], group["eps"], group["lazy"]) == ((0.9, 0.999), 1e-8, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0}, "lr"),
        ({"eps": 0.0}, "eps"),
        ({"betas": (0.9, 1.0)}, r"betas in \[0, 1\)"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adam([start((2,))], **options)


@needs_native
@pytest.mark.parametrize("rows", [[0, 5], [-1, 2], [2, 1], [1, 1], [0], [0, 1, 2]])
def test_rows_out_of_bounds_never_reach_memory(rows: list[int]) -> None:
    p, m, v = (torch.zeros(5, 2) for _ in range(3))
    arguments = (2, m, v, False, 1, 0.1, 0.9, 0.99, 1e-8, 1)
    with pytest.raises(ValueError, match="adam"):
        library.native().adam_step(p, torch.ones(2, 2), torch.tensor(rows), *arguments)
    assert (p == 0).all()
