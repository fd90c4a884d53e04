"""`neurafield solve poisson-image`: a picture from its derivatives."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.values import count
from .problem import Problem

if TYPE_CHECKING:
    from ...problems import Solution
    from ...signals import Image


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", type=Path, metavar="PHOTO", help="picture whose derivatives are given")
    add(
        "--from",
        dest="source",
        choices=("gradient", "laplacian"),
        default="gradient",
        help="which derivative of the picture to reconstruct from (default: gradient)",
    )
    add(
        "--derivatives",
        choices=("spline", "filter"),
        default="spline",
        help="how the picture is differentiated: exactly, as a spline through its pixels "
        "(default), or by SIREN's filters, which blur",
    )
    add(
        "--arch",
        default="spline",
        choices=("spline", "siren", "fourier", "positional"),
        help="field: spline is solved by least squares, the others are trained (default: spline)",
    )
    add(
        "--size",
        type=count,
        nargs=2,
        metavar=("H", "W"),
        help="resize the picture before differentiating it",
    )


def solve(arguments: argparse.Namespace, common: dict[str, Any]) -> "Solution":
    """Read, resize if requested, solve; Ctrl-C keeps the result so far."""
    from ... import problems
    from ...errors import ArgumentError
    from ..shared.inputs import load_picture
    from ..shared.interruption import interruption

    if arguments.arch == "spline" and "seed" in common:
        raise ArgumentError(
            f"--seed: expected none for a spline, which draws nothing at random, got "
            f"{common['seed']}. It is for the networks of --arch."
        )
    picture = load_picture(arguments.input)
    if arguments.size is not None:
        picture = resized(picture, *arguments.size)
    with interruption() as interrupted:
        return problems.poisson_image(
            picture,
            source=arguments.source,
            derivatives=arguments.derivatives,
            arch=arguments.arch,
            should_stop=interrupted,
            **common,
        )


def resized(picture: "Image", rows: int, columns: int) -> "Image":
    """A picture of 8 bits at another size, by Lanczos' filter."""
    import numpy as np
    from PIL import Image as PillowImage

    from ...errors import SignalError
    from ...signals import Image

    if picture.data.dtype != np.uint8:
        raise SignalError(f"--size: expected a picture of 8 bits, got {picture.data.dtype}.")
    if max(rows, columns) > 2**15:
        raise SignalError(
            f"--size: expected at most 32,768 pixels per side, got {rows} x {columns}."
        )
    plain = picture.data[..., 0] if picture.out_dim == 1 else picture.data
    scaled = PillowImage.fromarray(plain).resize((columns, rows), PillowImage.Resampling.LANCZOS)
    return Image.from_array(np.asarray(scaled))


POISSON_IMAGE = Problem(
    name="poisson-image",
    summary="a picture from its gradients or its Laplacian",
    details="Derivatives determine a picture up to an offset and a scale, which are fitted to the "
    "picture by least squares.",
    add_options=_add_options,
    solve=solve,
)
