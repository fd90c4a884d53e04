"""`neurafield solve poisson-image`: a picture from its derivatives."""

import argparse
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from ..errors import SignalError
from ..problems import Solution, poisson_image
from ..signals import Image
from .blend import load_picture
from .interruption import interruption


def solve(arguments: argparse.Namespace, common: dict[str, Any]) -> Solution:
    """Read, scale if asked to, solve; Ctrl-C ends it with what it has."""
    if arguments.arch == "spline" and "seed" in common:
        raise ValueError(
            f"--seed: expected none for a spline, which draws nothing, got {common['seed']}. It "
            "is for the networks of --arch."
        )
    picture = load_picture(arguments.input)
    if arguments.size is not None:
        picture = scaled(picture, *arguments.size)
    with interruption() as interrupted:
        return poisson_image(
            picture,
            source=arguments.source,
            derivatives=arguments.derivatives,
            arch=arguments.arch,
            should_stop=interrupted,
            **common,
        )


def scaled(picture: Image, rows: int, columns: int) -> Image:
    """A picture of 8 bits at another size, by Lanczos' filter."""
    if picture.data.dtype != np.uint8:
        raise SignalError(f"--size: expected a picture of 8 bits, got {picture.data.dtype}.")
    if max(rows, columns) > 2**15:
        raise SignalError(f"--size: expected at most 32,768 pixels a side, got {rows} x {columns}.")
    plain = picture.data[..., 0] if picture.out_dim == 1 else picture.data
    resized = PillowImage.fromarray(plain).resize((columns, rows), PillowImage.Resampling.LANCZOS)
    return Image.from_array(np.asarray(resized))
