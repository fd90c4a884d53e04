"""Refined batches: more points where the residual is large, equal bytes in a resumed run."""

from pathlib import Path

import pytest
import torch

from neurafield import Field
from neurafield.domains import Box
from neurafield.fit import Checkpointing, Constraint, Trained, fit
from neurafield.fit.objective import Objective
from neurafield.networks import MLP
from neurafield.signals import Interior

LINE = Box.cube(1)


def network(seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(MLP(1, 1, width=8, depth=1, activation="Tanh", generator=g))


def objective(problem: list, *, step: int, micro_batch: int) -> Objective:
    trained = Trained(network(), problem)
    return Objective(trained, problem, seed=0, step=step, micro_batch=micro_batch)


def step_target(x: torch.Tensor) -> torch.Tensor:
    return torch.where(x > 0.8, 50.0, 0.0)


def test_a_refined_batch_lies_where_the_residual_is_large() -> None:
    share = {}
    for refine in (1, 8):
        problem = [Constraint(signal=Interior(LINE, step_target), batch_size=200, refine=refine)]
        (batch,) = [
            query for query, *_ in objective(problem, step=0, micro_batch=999).parts(problem[0])
        ]
        assert batch.shape == (200, 1)
        share[refine] = (batch > 0.8).double().mean().item()
    assert share[1] == pytest.approx(0.1, abs=0.07)
    assert share[8] > 0.4


def test_a_resumed_refined_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    problem = Constraint(signal=Interior(LINE, step_target), batch_size=20, refine=4)

    def run(seed: int, **options) -> Field:
        field = network(seed)
        fit(field, problem, steps=9, lr=1e-2, **options)
        return field

    seen: list[int] = []
    options = {"checkpointing": Checkpointing(path=tmp_path / "c", resume=True)}
    run(0, callbacks=[lambda p: seen.append(1)], should_stop=lambda: len(seen) == 4, **options)
    whole, again = run(0), run(9, **options)
    for a, b in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_each_step_draws_anew_from_fixed_candidates() -> None:
    signal = Interior(LINE, step_target, resample_every=10)
    problem = [Constraint(signal=signal, batch_size=20, refine=4)]
    candidates = signal.batch(80, seed=0, step=0)[0].flatten().float()
    batches = []
    for step in (0, 1):
        ((batch, *_),) = objective(problem, step=step, micro_batch=99).parts(problem[0])
        assert torch.isin(batch.flatten(), candidates).all()
        batches.append(batch)
    assert not torch.equal(*batches)


def test_refining_a_fixed_set_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size for refine=4"):
        Constraint(signal=Interior(LINE, num_points=9), refine=4)
