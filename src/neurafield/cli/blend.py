"""`neurafield blend`: two pictures in one."""

import argparse
from pathlib import Path

import torch
from rich.console import Console

from .. import signals
from .._files import check_can_write
from ..errors import SignalError
from ..fit import ProgressBar
from ..problems import blend
from .main import DONE


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then solve and write."""
    paths = [arguments.background, arguments.source]
    if arguments.mask is not None:
        paths.append(arguments.mask)
    background, source, *masks = [load_picture(path) for path in paths]
    layout = background.layout
    layout.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with ProgressBar(Console(stderr=True)) as bar:
        solution = blend(
            background,
            source,
            mask=masks[0] if masks else None,
            mix=arguments.mix,
            time=arguments.time,
            callbacks=[bar],
        )
    slabs = signals.render(solution.field, layout)
    layout.write(arguments.out, (layout.denormalise(slab) for slab in slabs))
    rows, columns = layout.shape
    print(
        f"{arguments.out}: {columns} x {rows}, {solution.figures['steps']} steps, "
        f"{solution.figures['seconds']} s"
    )
    return DONE


def load_picture(path: Path) -> signals.Image:
    """Read a file that must be a picture."""
    picture = signals.load(path)
    if not isinstance(picture, signals.Image):
        raise SignalError(f"{path}: expected a picture, got {picture.layout.kind}.")
    return picture
