"""`neurafield blend`: two pictures in one."""

import argparse
from pathlib import Path

from .shared import options
from .shared.command import DONE, INTERRUPTED, Command
from .shared.output import notice_interrupted
from .shared.threads import use_threads
from .shared.values import fraction


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "background",
        type=Path,
        metavar="BACKGROUND",
        help="picture that is kept where MASK is dark",
    )
    add("source", type=Path, metavar="SOURCE", help="picture to insert, already in position")
    add("--out", type=Path, required=True, metavar="PICTURE", help="picture to write")
    add("--mask", type=Path, metavar="MASK", help="picture that is bright where SOURCE is inserted")
    add(
        "--mix",
        type=fraction,
        metavar="A",
        help="without a mask, the share of BACKGROUND, from 0 to 1 (default: 0.5)",
    )
    options.add_time(parser)
    options.add_threads(parser)
    options.add_force(parser)


COMMAND = Command(
    name="blend",
    summary="insert a part of one picture into another without a seam, or mix two pictures",
    details="All pictures must have the same size. With --mask, the result has the gradients of "
    "SOURCE where MASK is bright and the values of BACKGROUND where it is dark; without it, a "
    "mixture of the gradients of both.",
    add_options=_add_options,
    module=__name__,
)


def run(arguments: argparse.Namespace) -> int:
    """Check everything, then solve and write."""
    from rich.console import Console

    from .. import signals
    from .._files import check_can_write
    from ..errors import ArgumentError
    from ..fit import ProgressBar
    from ..problems import blend
    from .shared.inputs import load_picture
    from .shared.interruption import interruption

    if arguments.mask is not None and arguments.mix is not None:
        raise ArgumentError(
            f"--mix: expected none with --mask, got {arguments.mix:g}. With a mask, SOURCE is "
            "inserted where the mask is bright."
        )
    mix = {} if arguments.mix is None else {"mix": arguments.mix}
    paths = [arguments.background, arguments.source]
    if arguments.mask is not None:
        paths.append(arguments.mask)
    background, source, *masks = [load_picture(path) for path in paths]
    layout = background.layout
    layout.check_writable(arguments.out)
    check_can_write(arguments.out, force=arguments.force, inputs=paths)
    use_threads(arguments.threads)
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
    notice_interrupted(solution.figures["steps"], arguments.out)
    return INTERRUPTED
