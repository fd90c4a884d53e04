"""`neurafield blend`: two pictures in one."""

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console

from .. import signals
from .._files import check_can_write
from ..errors import SignalError
from ..fit import ProgressBar
from ..problems import blend
from .interruption import interruption
from .main import DONE, INTERRUPTED


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then solve and write."""
    if arguments.mask is not None and arguments.mix is not None:
        raise ValueError(
            f"--mix: expected none beside --mask, got {arguments.mix:g}. A mask takes all of "
            "SOURCE where it is bright and nothing where it is dark."
        )
    mix = {} if arguments.mix is None else {"mix": arguments.mix}
    paths = [arguments.background, arguments.source]
    if arguments.mask is not None:
        paths.append(arguments.mask)
    background, source, *masks = [load_picture(path) for path in paths]
    layout = background.layout
    layout.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with ProgressBar(Console(stderr=True)) as bar, interruption() as interrupted:
        solution = blend(
            background,
            source,
            mask=masks[0] if masks else None,
            **mix,
            time=arguments.time,
            callbacks=[bar],
            should_stop=interrupted,
        )
    slabs = signals.render(solution.field, layout)
    layout.write(arguments.out, (layout.denormalise(slab) for slab in slabs))
    rows, columns = layout.shape
    print(
        f"{arguments.out}: {columns} x {rows}, {solution.figures['steps']} steps, "
        f"{solution.figures['seconds']} s"
    )
    if solution.figures["status"] != "interrupted":
        return DONE
    print(
        f"neurafield: interrupted at step {solution.figures['steps']}; {arguments.out} holds what "
        "was found by then.",
        file=sys.stderr,
    )
    return INTERRUPTED


def load_picture(path: Path) -> signals.Image:
    """Read a file that must be a picture."""
    picture = signals.load(path)
    if not isinstance(picture, signals.Image):
        raise SignalError(f"{path}: expected a picture, got {picture.layout.kind}.")
    return picture
