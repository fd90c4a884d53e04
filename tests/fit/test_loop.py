"""The training loop: mathematics, reproducibility, limits, resumed runs, NaN, reports."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurafield import Field, FieldFileError
from neurafield.container import read_sealed, write_sealed
from neurafield.fit import (
    Checkpoint,
    Checkpointing,
    Constraint,
    JsonLines,
    Limits,
    Progress,
    Result,
    fit,
    losses,
    metrics,
    schedule,
)
from neurafield.maps import AbstractMap
from neurafield.networks import MLP, Siren
from neurafield.signals import Image


def picture(rows: int = 13, columns: int = 11) -> Image:
    rng = np.random.default_rng(0)
    return Image.from_array(rng.integers(0, 256, (rows, columns, 3)).astype(np.uint8))


def siren(seed: int = 0, dtype: torch.dtype = torch.float32) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(Siren(2, 3, width=16, depth=2, generator=g)).to(dtype)


def state_bytes(field: nn.Module) -> bytes:
    return b"".join(t.numpy().tobytes() for t in field.state_dict().values())


def run(field: Field, **options) -> Result:
    """A short fit; `path`, `every`, `resume` and `settings` are those of `Checkpointing`."""
    options = {"steps": 20, "lr": 1e-3, "seed": 3, **options}
    kept = {k: options.pop(k) for k in ("path", "every", "resume", "settings") if k in options}
    if kept:
        options["checkpointing"] = Checkpointing(**kept)
    problem = options.pop("problem", Constraint(signal=picture(), batch_size=64))
    return fit(field, problem, **options)


class Recorder:
    def __init__(self) -> None:
        self.seen: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)


# ---- the mathematics


def test_it_is_adam_on_the_mean_squared_error() -> None:
    """Compares with a loop of ten lines that shares only torch with ours."""
    ours, theirs = siren(dtype=torch.float64), siren(dtype=torch.float64)
    signal = picture()
    run(ours, problem=Constraint(signal=signal), schedule=schedule.constant)
    rows, columns = np.meshgrid(np.arange(13), np.arange(11), indexing="ij")
    x = np.stack([(2 * rows + 1) / 13 - 1, (2 * columns + 1) / 11 - 1], -1).reshape(-1, 2)
    # Signals draw float32 coordinates, whatever the field's dtype.
    x = torch.from_numpy(x).float().double()
    y = torch.from_numpy(signal.data.reshape(-1, 3).astype(np.float32) / 127.5 - 1).double()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-3)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.mse_loss(theirs(x), y).backward()
        optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("batch_size", [None, 64])
def test_micro_batches_add_up_to_the_batch(batch_size: int | None) -> None:
    fields = [siren(dtype=torch.float64) for _ in range(3)]
    problem = Constraint(signal=picture(), batch_size=batch_size)
    for field, micro in zip(fields, (1000, 64, 7), strict=True):
        run(field, problem=problem, micro_batch=micro)
    for field in fields[1:]:
        for a, b in zip(field.parameters(), fields[0].parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_constraints_are_summed_with_their_weights() -> None:
    class Twice(AbstractMap):
        def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
            return 2 * field(query)

    signal, recorder = picture(), Recorder()
    problem = [
        Constraint(signal=signal, name="once", weight=3.0),
        Constraint(signal=signal, map=Twice(), loss=losses.l1, weight=0.5, name="twice"),
    ]
    field = siren()
    query, target = signal.batch(None, seed=0, step=0)
    with torch.no_grad():
        once = (field(query) - target).square().mean().item()
        twice = (2 * field(query) - target).abs().mean().item()
    run(field, problem=problem, steps=1, callbacks=[recorder])
    (progress,) = recorder.seen
    assert progress.terms == pytest.approx({"once": once, "twice": twice}, rel=1e-5)
    assert progress.loss == pytest.approx(3 * once + 0.5 * twice, rel=1e-5)
    # The PSNR is that of the constraint on the signal's values, which span 2, from -1 to 1.
    assert progress.psnr == pytest.approx(-10 * math.log10(once / 4), rel=1e-4)


def test_two_constraints_on_values_have_no_psnr() -> None:
    signal, recorder = picture(), Recorder()
    problem = [Constraint(signal=signal, name=name) for name in ("one", "other")]
    run(siren(), problem=problem, steps=1, callbacks=[recorder])
    assert recorder.seen[0].psnr is None


def test_it_learns(device: str) -> None:
    field = siren().to(device)
    result = run(field, steps=300, lr=3e-3)
    assert result.loss < 0.1
    assert metrics.evaluate(field, picture()).psnr > 15


def test_schedules() -> None:
    assert [schedule.cosine(x) for x in (0.0, 1.0)] == pytest.approx([1.0, 0.0])
    assert schedule.cosine(1 / 3) == pytest.approx(0.75)
    recorder = Recorder()
    run(siren(), steps=4, lr=1.0e-3, callbacks=[recorder])
    expected = [1e-3 * 0.5 * (1 + math.cos(math.pi * k / 4)) for k in range(4)]
    assert [p.learning_rate for p in recorder.seen] == pytest.approx(expected)


# ---- reproducible


def test_same_seed_same_bytes() -> None:
    fields = [siren() for _ in range(3)]
    for field, seed in zip(fields, (3, 3, 4), strict=True):
        run(field, seed=seed)
    assert state_bytes(fields[0]) == state_bytes(fields[1])
    assert state_bytes(fields[0]) != state_bytes(fields[2])


@pytest.mark.parametrize("stop_at", [1, 7, 10, 19])
def test_a_stopped_and_resumed_run_ends_in_the_same_bytes(stop_at: int, tmp_path: Path) -> None:
    whole, parts = siren(), siren()
    run(whole, path=tmp_path / "whole", every=5)
    recorder = Recorder()
    options = {"path": tmp_path / "parts", "every": 5, "resume": True}
    first = run(
        parts, **options, callbacks=[recorder], should_stop=lambda: len(recorder.seen) == stop_at
    )
    assert (first.status, first.step) == ("interrupted", stop_at)
    again = siren(seed=9)  # resuming must not depend on the field's initial parameters
    second = run(again, **options)
    assert (second.status, second.step) == ("steps", 20)
    assert state_bytes(again) == state_bytes(whole)


def test_a_crash_between_checkpoints_replays_the_lost_steps(tmp_path: Path) -> None:
    class Crash(Exception):
        pass

    def crash(progress: Progress) -> None:
        if progress.step == 13:
            raise Crash

    whole, again = siren(), siren(seed=9)
    run(whole)
    options = {"path": tmp_path / "c", "every": 5, "resume": True}
    with pytest.raises(Crash):
        run(siren(), **options, callbacks=[crash])
    recorder = Recorder()
    run(again, **options, callbacks=[recorder])
    assert recorder.seen[0].step == 11
    assert state_bytes(again) == state_bytes(whole)


def test_time_spent_is_counted_over_all_parts(tmp_path: Path) -> None:
    options = {"path": tmp_path / "c", "resume": True}
    first = run(siren(), **options, steps=10)
    second = run(siren(), **options, steps=11)
    assert second.step == 11
    assert second.seconds > first.seconds


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"problem": Constraint(signal=picture(11, 13), batch_size=64)}, "another input"),
        ({"seed": 4}, "another seed"),
        ({"problem": Constraint(signal=picture(), batch_size=32)}, "another problem"),
        ({"problem": Constraint(signal=picture(), batch_size=64, weight=2.0)}, "another problem"),
        ({"micro_batch": 3}, "another micro-batch"),
        ({"bfloat16": True}, "another precision"),
    ],
)
def test_resuming_another_run_is_refused(change: dict, named: str, tmp_path: Path) -> None:
    path = tmp_path / "c"
    run(siren(), path=path)
    before = path.read_bytes()
    with pytest.raises(FieldFileError, match=named):
        run(siren(), path=path, resume=True, **change)
    assert path.read_bytes() == before


def test_resuming_another_field_is_refused(tmp_path: Path) -> None:
    run(siren(), path=tmp_path / "c")
    g = torch.Generator().manual_seed(0)
    other = Field(Siren(2, 3, width=16, depth=2, omega=29.0, generator=g))
    with pytest.raises(FieldFileError, match="another architecture"):
        run(other, path=tmp_path / "c", resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    run(siren(), path=path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FieldFileError, match="SHA-256"):
        run(siren(), path=path, resume=True)


POSITION = [
    {"step": -1},
    {"step": 2**40 + 1},
    {"step": 1.0},
    {"step": True},
    {"next_check": "1"},
    {"smoothed_mse": "1"},
    {"smoothed_mse": None},
    {"smoothed_mse": 10**400},
]
TALLY = [
    {"seconds": -1.0},
    {"seconds": [1]},
    {"lr_factor": 0.0},
    {"lr_factor": 2.0},
    {"bad_in_a_row": 10},
    {"bad_in_a_row": -1},
    {"skipped": 1.5},
    {"rollbacks": -1},
]


def changed(path: Path, tensors: dict[str, Tensor | None] | None = None, **header: dict) -> None:
    """Rewrites a checkpoint with other tensors, or none for None, and other values."""
    found, old = read_sealed(path)
    found |= tensors or {}
    for name, values in header.items():
        old[name] |= values
    write_sealed(path, {k: v for k, v in found.items() if v is not None}, old)


def check_refused_unchanged(path: Path) -> None:
    field = siren(1)
    before = state_bytes(field)
    with pytest.raises(FieldFileError, match=r"c: the checkpoint is damaged: .*--force"):
        run(field, path=path, resume=True)
    assert state_bytes(field) == before


@pytest.mark.parametrize(
    "header", [{"position": p} for p in POSITION] + [{"tally": t} for t in TALLY], ids=str
)
def test_values_of_a_checkpoint_are_checked(header: dict, tmp_path: Path) -> None:
    run(siren(), path=tmp_path / "c", steps=3)
    changed(tmp_path / "c", **header)
    check_refused_unchanged(tmp_path / "c")


@pytest.mark.parametrize(
    "tensors",
    [
        {"evil.0": torch.ones(1)},
        {"optimizer.99.mean": torch.ones(1)},
        {"optimizer.-1.mean": torch.ones(1)},
        {"optimizer.x.mean": torch.ones(1)},
        {"optimizer": torch.ones(1)},
        {"optimizer.0.mean": None},
        {"optimizer.0.other": torch.ones(1)},
        {"optimizer.0.mean": torch.ones(16, 3)},
        {"optimizer.0.mean": torch.ones(1)},
        {"optimizer.0.mean": torch.ones(16, 2, dtype=torch.float64)},
        {"optimizer.0.mean#": torch.ones(2)},
        {"optimizer.0.mean#x": torch.ones(1)},
        {"optimizer.0.step": torch.ones(2)},
    ],
    ids=lambda tensors: next(iter(tensors)),
)
def test_tensors_of_a_checkpoint_are_checked(
    tensors: dict[str, Tensor | None], tmp_path: Path
) -> None:
    run(siren(), path=tmp_path / "c", steps=3)
    changed(tmp_path / "c", tensors)
    check_refused_unchanged(tmp_path / "c")


def test_check_refused_unchanged_can_fail(tmp_path: Path) -> None:
    run(siren(), path=tmp_path / "c", steps=3)
    changed(tmp_path / "c")
    with pytest.raises(pytest.fail.Exception):
        check_refused_unchanged(tmp_path / "c")


class Keeping(torch.optim.SGD):
    """An optimizer with some state that is given."""

    def __init__(self, parameters, kept: object) -> None:
        super().__init__(parameters, lr=1e-3)
        self.kept = kept

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            self.state[group["params"][0]]["kept"] = self.kept


@pytest.mark.parametrize("kept", [(1, 2), {"a": 1}, None, [1.0], "text"], ids=str)
def test_a_state_that_a_checkpoint_cannot_hold_is_refused(kept: object, tmp_path: Path) -> None:
    for path in (None, tmp_path / "c"):
        with pytest.raises(TypeError, match=r"Keeping: expected a state of .* for 'kept'"):
            run(siren(), optimizer=lambda m: Keeping(m.parameters(), kept), path=path)


@pytest.mark.parametrize("kept", [True, 3, 0.5, [], [torch.ones(3, 3)], torch.ones(4, 4)], ids=str)
def test_any_state_of_numbers_and_tensors_comes_back(kept: object, tmp_path: Path) -> None:
    def optimizer(m: nn.Module) -> Keeping:
        return Keeping(m.parameters(), kept)

    run(siren(), optimizer=optimizer, path=tmp_path / "c", steps=3)
    made: list[Keeping] = []
    run(
        siren(),
        optimizer=lambda m: made.append(optimizer(m)) or made[-1],
        path=tmp_path / "c",
        resume=True,
        steps=3,
    )
    (state,) = made[0].state.values()
    assert type(state["kept"]) is type(kept)
    torch.testing.assert_close(state["kept"], kept, rtol=0, atol=0)


def test_without_resume_an_old_checkpoint_is_not_read(tmp_path: Path) -> None:
    run(siren(), path=tmp_path / "c")
    recorder = Recorder()
    run(siren(), path=tmp_path / "c", callbacks=[recorder])
    assert recorder.seen[0].step == 1


def test_a_full_disk_does_not_end_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    whole, poor = siren(), siren()
    run(whole)
    monkeypatch.setattr(Checkpoint, "save", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        result = run(poor, path=tmp_path / "c")
    assert result.status == "steps"
    assert state_bytes(poor) == state_bytes(whole)


# ---- limits


def test_stops_at_time() -> None:
    result = run(siren(), steps=None, time=0.2)
    assert result.status == "time"
    assert 0.2 <= result.seconds < 5


def test_the_first_limit_ends_the_run() -> None:
    assert run(siren(), steps=2, time=1000.0, target_psnr=99.0).status == "steps"


def test_limits_can_be_given_as_one() -> None:
    field = siren()
    assert fit(field, Constraint(signal=picture()), limits=Limits(steps=3)).step == 3
    with pytest.raises(ValueError, match="limits, or steps, time and target_psnr, got both"):
        fit(field, Constraint(signal=picture()), steps=3, limits=Limits(steps=3))
    with pytest.raises(ValueError, match="expected steps, time or target_psnr, got none"):
        Limits()


def test_the_schedule_follows_the_time_limit() -> None:
    recorder = Recorder()
    run(siren(), steps=None, time=0.3, callbacks=[recorder])
    rates = [p.learning_rate for p in recorder.seen]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-4


@pytest.mark.parametrize("batch_size", [None, 64])
def test_the_target_psnr_is_measured_before_stopping(batch_size: int | None) -> None:
    signal, field = picture(), siren()
    problem = Constraint(signal=signal, batch_size=batch_size)
    result = run(
        field, problem=problem, steps=5000, lr=3e-3, target_psnr=14.0, schedule=schedule.constant
    )
    assert result.status == "target_psnr"
    assert metrics.evaluate(field, signal).psnr >= 14.0


def test_a_crash_around_the_target_is_resumed_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neurafield.fit import run as run_module

    options = {"steps": 5000, "lr": 3e-3, "target_psnr": 14.0, "schedule": schedule.constant}
    options |= {"every": 1}
    whole = siren()
    reference = run(whole, **options)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "evaluate", crash)
        with pytest.raises(KeyboardInterrupt):
            run(siren(), **options, path=tmp_path / "c")
    for seed in (8, 9):  # the second run is finished already, and must stay so
        again = siren(seed)
        result = run(again, **options, path=tmp_path / "c", resume=True)
        assert (result.status, result.step) == (reference.status, reference.step)
        assert state_bytes(again) == state_bytes(whole)


def test_steps_zero_only_evaluates() -> None:
    field = siren()
    before = state_bytes(field)
    assert run(field, steps=0).step == 0
    assert state_bytes(field) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, "steps, time or target_psnr"),
        ({"steps": -1}, "steps between 0"),
        ({"time": 0.0}, "time to be positive"),
        ({"lr": math.nan}, "lr to be positive"),
        ({"micro_batch": 0}, "micro_batch between 1"),
        ({"problem": []}, "at least one term"),
        ({"problem": [Constraint(signal=picture())] * 2}, "different names"),
        (
            {"problem": Constraint(signal=picture(), loss=losses.l1), "target_psnr": 20.0},
            "target_psnr, got another problem",
        ),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(siren(), **options)


# ---- NaN


class Poisoned(Image):
    """A picture with NaN targets at some steps."""

    bad: Callable[[int], bool] = staticmethod(lambda step: False)

    def batch(self, size, *, seed, step, stream=0):
        query, target = super().batch(size, seed=seed, step=step, stream=stream)
        return query, target * math.nan if self.bad(step) else target


def poisoned(bad: Callable[[int], bool]) -> Constraint:
    clean = picture()
    signal = Poisoned(clean.data, clean.layout)
    signal.bad = bad
    return Constraint(signal=signal, batch_size=64, name="picture")


def test_a_bad_step_is_skipped_and_counted() -> None:
    field, recorder = siren(), Recorder()
    result = run(field, problem=poisoned(lambda step: step in (3, 4, 9)), callbacks=[recorder])
    assert (result.status, result.step, result.skipped, result.rollbacks) == ("steps", 20, 3, 0)
    assert [p.skipped for p in recorder.seen][2:5] == [0, 1, 2]
    assert all(p.isfinite().all() for p in field.parameters())


def test_skipping_equals_never_having_drawn_the_batch() -> None:
    skipping, stopping = siren(), siren()
    run(skipping, problem=poisoned(lambda step: step >= 5), steps=8, schedule=schedule.constant)
    run(stopping, steps=5, schedule=schedule.constant)
    assert state_bytes(skipping) == state_bytes(stopping)


def test_ten_bad_steps_roll_back_at_half_the_rate() -> None:
    calls: list[int] = []

    def bad(step: int) -> bool:
        # Steps 13 to 22 fail only the first time they are drawn.
        calls.append(step)
        return 13 <= step <= 22 and calls.count(step) == 1

    field, recorder = siren(), Recorder()
    result = run(
        field,
        problem=poisoned(bad),
        steps=30,
        every=10,
        schedule=schedule.constant,
        callbacks=[recorder],
    )
    assert (result.status, result.step) == ("steps", 30)
    assert (result.skipped, result.rollbacks) == (10, 1)
    steps = [p.step for p in recorder.seen]
    assert steps == [*range(1, 24), *range(11, 31)]
    assert recorder.seen[22].learning_rate == pytest.approx(1e-3)
    assert recorder.seen[23].learning_rate == pytest.approx(5e-4)


def test_the_third_roll_back_ends_the_run_and_names_the_term(tmp_path: Path) -> None:
    field, path = siren(), tmp_path / "c"
    result = run(field, problem=poisoned(lambda step: step >= 7), path=path, every=5)
    assert (result.status, result.rollbacks, result.skipped) == ("diverged", 3, 30)
    assert "constraint 'picture'" in result.message
    assert result.step == 5
    reference = siren()
    stopper = Recorder()
    run(reference, callbacks=[stopper], should_stop=lambda: len(stopper.seen) == 5)
    assert state_bytes(field) == state_bytes(reference), "the last good checkpoint"
    # A run that is resumed with good data counts its roll-backs from zero.
    again = run(siren(9), problem=poisoned(lambda _: False), path=path, resume=True)
    assert (again.status, again.rollbacks) == ("steps", 0)


def test_a_crash_after_a_roll_back_is_resumed_to_the_same_bytes(tmp_path: Path) -> None:
    def once() -> Callable[[int], bool]:
        return lambda step: 7 <= step <= 16 and not healed

    def heal(progress: Progress) -> None:
        healed.extend([1] * (progress.rollbacks > 0 or progress.skipped == 10))

    def crash(progress: Progress) -> None:
        heal(progress)
        if progress.rollbacks and progress.step == 8:
            raise KeyboardInterrupt

    healed: list[int] = []
    whole = siren()
    assert run(whole, problem=poisoned(once()), every=5, callbacks=[heal]).rollbacks == 1
    healed = []
    options = {"path": tmp_path / "c", "every": 5, "resume": True}
    with pytest.raises(KeyboardInterrupt):
        run(siren(), problem=poisoned(once()), callbacks=[crash], **options)
    again = siren(9)
    result = run(again, problem=poisoned(once()), **options)
    assert (result.rollbacks, result.skipped) == (1, 10)
    assert state_bytes(again) == state_bytes(whole)


def test_a_bad_gradient_is_named() -> None:
    class Kink(AbstractMap):
        def __call__(self, field: Callable[[Tensor], Tensor], query: Tensor) -> Tensor:
            # The square root has value 0 and an infinite slope here.
            return (0 * field(query)).abs().sqrt()

    problem = replace(Constraint(signal=picture()), map=Kink())
    result = run(siren(), problem=problem, steps=100)
    assert result.status == "diverged"
    assert "gradient of network.layers.0.weight" in result.message


def test_a_step_that_overflows_is_undone() -> None:
    result = run(siren(), steps=3, lr=1e38, schedule=lambda _: 10.0)
    assert (result.status, result.rollbacks) == ("diverged", 3)


def test_a_field_of_another_size_is_refused_not_broadcast() -> None:
    grey = Field(Siren(2, 1, width=4, depth=1))
    with pytest.raises(ValueError, match=r"\(64, 3\) from constraint 'data', got \(64, 1\)"):
        run(grey)


def test_float64_is_fitted_and_measured() -> None:
    field = siren(dtype=torch.float64)
    assert run(field, steps=2000, lr=3e-3, target_psnr=12.0).status == "target_psnr"


def test_an_interrupted_run_that_cannot_be_saved_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Checkpoint, "save", full)
    with pytest.raises(OSError, match="No space"), pytest.warns(UserWarning, match="No space"):
        run(siren(), path=tmp_path / "c", should_stop=lambda: True)


# ---- reports


def test_json_lines(tmp_path: Path) -> None:
    import json

    path = tmp_path / "log.jsonl"
    with JsonLines(path, every=5) as log:
        run(siren(), callbacks=[log])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert {"loss", "psnr", "seconds", "learning_rate", "skipped", "terms"} <= lines[0].keys()


def test_a_log_has_null_for_nan_and_survives_a_torn_line(tmp_path: Path) -> None:
    import json

    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 5}\n{"st')
    with JsonLines(path, every=100) as log:
        run(siren(), problem=poisoned(lambda step: step == 0), steps=1, callbacks=[log])
    *_, torn, last = path.read_text().splitlines()
    assert torn == '{"st'
    line = json.loads(last)
    assert line["loss"] is None
    assert line["culprit"] == "the loss of constraint 'picture'"


def test_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from neurafield.fit import TensorBoard

    with TensorBoard(tmp_path, every=5) as board:
        run(siren(), callbacks=[board])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [e.step for e in events.Scalars("psnr")] == [5, 10, 15, 20]


def test_any_module_can_be_fitted() -> None:
    g = torch.Generator().manual_seed(0)
    network = MLP(2, 3, width=8, depth=1, generator=g)
    assert run(network).status == "steps"  # type: ignore[arg-type]
