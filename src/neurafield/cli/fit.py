"""`neurafield fit`: from a file to a field."""

import argparse
import contextlib
import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from .. import __version__, architectures
from .._files import check_can_write
from ..errors import FieldFileError
from ..field_file import load, save
from ..fit import (
    Callback,
    Checkpointing,
    JsonLines,
    ProgressBar,
    Result,
    TensorBoard,
    fit,
    read_settings,
)
from ..shapes.files import SUFFIXES
from .fit_shape import ShapeTask
from .fit_signal import SignalTask
from .fit_task import AbstractTask, Settings
from .interruption import interruption
from .main import DONE, INTERRUPTED, NUMERICAL_FAILURE
from .progress import bar


def task_for(path: Path) -> AbstractTask:
    """Read an input, whatever it is."""
    return ShapeTask(path) if path.suffix.lower() in SUFFIXES else SignalTask(path)


def run(arguments: argparse.Namespace) -> int:
    """Fit, measure, save, tell."""
    if arguments.input.suffix == ".field" and arguments.input.exists():
        raise ValueError(
            f"{arguments.input}: is a field already. Draw it with neurafield render, see what it "
            "holds with neurafield info."
        )
    task = task_for(arguments.input)
    out = arguments.out or _default_out(arguments.input)
    if out.suffix != ".field":
        raise ValueError(f"{out}: expected a name that ends in .field, for the field goes there.")
    checkpoint = out.with_name(out.name + ".checkpoint")
    going_on = arguments.resume and checkpoint.exists() and not arguments.force
    if checkpoint.exists() and not (arguments.resume or arguments.force):
        raise FileExistsError(
            f"{checkpoint}: an unfinished run is there. Go on with --resume, or start anew with "
            "--force."
        )
    if arguments.resume and out.exists() and not going_on and not arguments.force:
        return _already_done(arguments, out, task)
    settings = task.completed(_settings(arguments, checkpoint if going_on else None))
    if settings.threads:
        torch.set_num_threads(settings.threads)
    plan = task.plan(settings)
    check_can_write(out, force=arguments.force or going_on)
    unbounded = settings.steps is None and settings.time is None
    lr = settings.lr or plan.lr
    settings = dataclasses.replace(
        settings,
        arch=plan.arch,
        levels=settings.levels or plan.trains_levels,
        lr=lr,
        steps=plan.steps if unbounded else settings.steps,
    )
    problem = task.problem(plan, settings)
    console = Console(stderr=True)
    with _listeners(arguments, console) as callbacks, interruption() as interrupted:
        result = fit(
            plan.field,
            problem,
            steps=settings.steps,
            time=settings.time,
            target_psnr=settings.target_psnr,
            lr=lr,
            micro_batch=plan.micro_batch,
            seed=settings.seed,
            checkpointing=Checkpointing(
                path=checkpoint, resume=going_on, settings=dataclasses.asdict(settings)
            ),
            callbacks=callbacks,
            should_stop=interrupted,
        )
    if result.status == "interrupted":
        console.print(
            f"neurafield: interrupted at step {result.step}; the run is saved in {checkpoint}. Go "
            "on with --resume.",
            soft_wrap=True,
            highlight=False,
        )
        return INTERRUPTED
    if result.status == "diverged":
        console.print(
            f"neurafield: {arguments.input}: {result.message}, for example with --resume --lr "
            f"{lr / 10:.2g}. The last good state is in {checkpoint}.",
            soft_wrap=True,
            highlight=False,
        )
        return NUMERICAL_FAILURE
    try:
        with bar(console, "measuring") as advance:
            measured = task.measure(plan.field, settings, advance)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"{checkpoint}: interrupted while measuring; the run is saved there. Go on with "
            "--resume."
        ) from error
    about = _about(arguments.input, task, plan, settings, result) | measured
    save(out, plan.field, signal=task.spec(settings), fit=about)
    checkpoint.unlink(missing_ok=True)
    _tell(arguments.json, task, out, about, result, settings.target_psnr)
    return DONE


def _default_out(path: Path) -> Path:
    if not path.name:
        raise ValueError(f"{path}: expected a file, got a folder.")
    return Path(path.name.removesuffix(".gz")).with_suffix(".field")


def _settings(arguments: argparse.Namespace, checkpoint: Path | None) -> Settings:
    """What was asked for, over what a resumed run was started with, over the defaults."""
    names = [field.name for field in dataclasses.fields(Settings)]
    asked = {name: getattr(arguments, name) for name in names}
    asked = {name: value for name, value in asked.items() if value is not None}
    if checkpoint is None:
        return Settings(**asked)
    started = read_settings(checkpoint)
    if started.keys() != set(names):
        raise FieldFileError(f"{checkpoint}: was not written by this command. Use --force.")
    for name in ("arch", "params", "levels", "quantity", "truncation", "seed"):
        if name in asked and asked[name] != started[name]:
            raise FieldFileError(
                f"{checkpoint}: was started with --{name} {started[name]}, got {asked[name]}. "
                "Leave the option out, or start anew with --force."
            )
    bounds = ("steps", "time", "target_psnr")
    if any(name in asked for name in bounds):
        # New bounds replace the old ones, or a limit could never be lifted.
        started |= dict.fromkeys(bounds)
    return Settings(**{**started, **asked})


def _already_done(arguments: argparse.Namespace, out: Path, task: AbstractTask) -> int:
    """A resumed run whose field is there already has nothing left to do."""
    about = load(out).fit
    if about.get("input_sha256") != task.fingerprint():
        raise FieldFileError(
            f"{out}: was made from another input than {arguments.input}. Choose another --out, or "
            "start anew with --force."
        )
    for name in ("arch", "levels", "quantity", "truncation", "seed", "steps", "lr"):
        asked = getattr(arguments, name)
        if asked is not None and asked != about.get(name):
            raise FieldFileError(
                f"{out}: is finished, with {name} {about.get(name)}, got {asked}. Choose another "
                "--out, or start anew with --force."
            )
    print(f"{out}: is finished already.", file=sys.stderr)
    _tell(arguments.json, task, out, about, None, None)
    return DONE


@contextlib.contextmanager
def _listeners(arguments: argparse.Namespace, console: Console) -> Iterator[list[Callback]]:
    with contextlib.ExitStack() as stack:
        callbacks: list[Callback] = []
        if arguments.log:
            callbacks.append(stack.enter_context(JsonLines(arguments.log)))
        if arguments.tensorboard:
            callbacks.append(stack.enter_context(TensorBoard(arguments.tensorboard)))
        callbacks.append(stack.enter_context(ProgressBar(console)))
        yield callbacks


def _about(
    path: Path,
    task: AbstractTask,
    plan: architectures.Plan,
    settings: Settings,
    result: Result,
) -> dict[str, Any]:
    # No times in here: equal runs leave equal bytes.
    about = {
        "input": path.name,
        "input_sha256": task.fingerprint(),
        "arch": plan.arch,
        "params": plan.field.num_parameters,
        "levels": settings.levels,
        "quantity": settings.quantity,
        "truncation": settings.truncation,
        "seed": settings.seed,
        "lr": settings.lr,
        "batch_size": plan.batch_size,
        "steps": result.step,
        "skipped": result.skipped,
        "neurafield": __version__,
    }
    own = ("quantity", "truncation")
    return {name: value for name, value in about.items() if name not in own or value is not None}


def _tell(
    as_json: bool,
    task: AbstractTask,
    out: Path,
    about: dict[str, Any],
    result: Result | None,
    target_psnr: float | None,
) -> None:
    figures = {name: about.get(name) for name in (*task.figures, "steps")}
    if about.get("measured", 1) < 1:
        figures["measured"] = round(about["measured"], 4)
    figures["seconds"] = result and round(result.seconds, 3)
    figures |= {"params": about.get("params"), "bytes": out.stat().st_size, "file": str(out)}
    figures = {name: value for name, value in figures.items() if value is not None}
    print(_summary(task, figures), file=sys.stderr if as_json else sys.stdout)
    if doubt := task.doubt(figures):
        print(f"neurafield: {out}: {doubt}", file=sys.stderr)
    if target_psnr is not None and (about["psnr"] or math.inf) < target_psnr:
        print(
            f"neurafield: stopped before {target_psnr:g} dB; allow more with --steps or --time.",
            file=sys.stderr,
        )
    if as_json:
        print(json.dumps(figures))


def _summary(task: AbstractTask, figures: dict[str, Any]) -> str:
    """The figures of a fit in one line."""
    parts = [
        *task.summary(figures),
        f"{figures['params']:,} parameters",
        f"{figures['bytes']:,} bytes",
        f"{figures['steps']:,} steps",
    ]
    if "seconds" in figures:
        parts.append(f"{figures['seconds']:.1f} s")
    return f"{figures['file']}: {', '.join(parts)}"
