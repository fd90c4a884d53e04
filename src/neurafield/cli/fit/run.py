"""`neurafield fit`: from a file to a field file."""

import argparse
import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from ..._files import check_can_write
from ...errors import ArgumentError, FieldFileError
from ...field_file import load
from ...fit import Callback, JsonLines, ProgressBar, TensorBoard
from ...tasks import AbstractTask, Settings, read_task, train
from ...tasks.result import summary_line
from ..shared.command import DONE, INTERRUPTED, NUMERICAL_FAILURE
from ..shared.interruption import interruption
from ..shared.output import notice, report
from ..shared.progress import bar


def run(arguments: argparse.Namespace) -> int:
    """Read, fit, measure, save, report."""
    task = read_task(arguments.input)
    out = arguments.out or _default_out(arguments.input)
    if out.suffix != ".field":
        raise ArgumentError(f"{out}: expected a name that ends in .field. Choose another --out.")
    checkpoint = out.with_name(out.name + ".checkpoint")
    resumes = arguments.resume and checkpoint.exists() and not arguments.force
    if checkpoint.exists() and not (arguments.resume or arguments.force):
        raise FileExistsError(
            f"{checkpoint}: holds an interrupted run. Continue it with --resume, or discard it "
            "with --force."
        )
    if arguments.resume and out.exists() and not resumes and not arguments.force:
        return _already_finished(arguments, out, task)
    check_can_write(out, force=arguments.force or resumes)
    names = [field.name for field in dataclasses.fields(Settings)]
    settings = Settings(**{name: getattr(arguments, name) for name in names})
    settings = task.with_defaults(settings.resumed(checkpoint) if resumes else settings)
    for text in task.notices(settings):
        notice(text)
    with _callbacks(arguments) as callbacks, interruption() as interrupted:
        result = train(
            task,
            settings,
            checkpoint=checkpoint,
            resume=resumes,
            callbacks=callbacks,
            should_stop=interrupted,
        )
    if result.status == "interrupted":
        notice(
            f"interrupted at step {result.steps}; the run is saved in {checkpoint}. Continue it "
            "with --resume."
        )
        return INTERRUPTED
    if result.status == "diverged":
        assert result.settings.lr is not None
        notice(
            f"{arguments.input}: {result.message}, for example with --resume --lr "
            f"{result.settings.lr / 10:.2g}. The last good state is in {checkpoint}."
        )
        return NUMERICAL_FAILURE
    try:
        with bar(Console(stderr=True), "measuring") as advance:
            result = result.measured(advance)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"interrupted while measuring; the run is saved in {checkpoint}. Continue it with "
            "--resume."
        ) from error
    result.save(out)
    _report(arguments, task, out, result.about, seconds=result.seconds)
    if result.warning:
        notice(f"{out}: {result.warning}")
    return DONE


def _default_out(path: Path) -> Path:
    return Path(path.name.removesuffix(".gz")).with_suffix(".field")


@contextlib.contextmanager
def _callbacks(arguments: argparse.Namespace) -> Iterator[list[Callback]]:
    with contextlib.ExitStack() as stack:
        callbacks: list[Callback] = []
        if arguments.log:
            callbacks.append(stack.enter_context(JsonLines(arguments.log)))
        if arguments.tensorboard:
            callbacks.append(stack.enter_context(TensorBoard(arguments.tensorboard)))
        callbacks.append(stack.enter_context(ProgressBar(Console(stderr=True))))
        yield callbacks


def _already_finished(arguments: argparse.Namespace, out: Path, task: AbstractTask) -> int:
    """Report a finished field again, if it is what the arguments describe."""
    about = load(out).fit
    if about.get("input_sha256") != task.fingerprint():
        raise FieldFileError(
            f"{out}: was made from another input than {arguments.input}. Choose another --out, or "
            "start a new run with --force."
        )
    for name in ("arch", "levels", "quantity", "truncation", "seed", "steps", "lr"):
        given = getattr(arguments, name)
        if given is not None and given != about.get(name):
            raise FieldFileError(
                f"{out}: is finished, with {name} {about.get(name)}, got {given}. Choose another "
                "--out, or start a new run with --force."
            )
    notice(f"{out}: is already finished.")
    _report(arguments, task, out, about, seconds=None)
    return DONE


def _report(
    arguments: argparse.Namespace,
    task: AbstractTask,
    out: Path,
    about: Mapping[str, Any],
    *,
    seconds: float | None,
) -> None:
    size = out.stat().st_size
    figures = {name: about.get(name) for name in (*task.figures, "steps")}
    if about.get("measured", 1) < 1:
        figures["measured"] = round(about["measured"], 4)
    figures["seconds"] = None if seconds is None else round(seconds, 3)
    figures |= {"params": about.get("params"), "bytes": size, "file": str(out)}
    figures = {name: value for name, value in figures.items() if value is not None}
    text = f"{out}: {summary_line(task, about, seconds=seconds)}, {size:,} bytes"
    report(text, as_json=figures if arguments.json else None)
