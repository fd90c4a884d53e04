"""Grids or networks at equal numbers of parameters, on dense pictures and on thin structures.

After "Grids Often Outperform Implicit Neural Representations" (Kim and Fridovich-Keil, 2025): an
interpolated grid, with and without total variation, compared with networks, on signals of a million
samples, with 1e4, 1e5 and 1e6 parameters, in 1,000 steps on all samples at once.

That takes 12 hours on two cores for a network of 1e6 parameters. `--size 128` keeps the ratios, one
parameter per 100, 10 and 1 samples, with a sixtieth of the samples and parameters. Our signals are
a photograph and two drawings; as in the paper, errors are measured on the training samples.

    python -m recipes.grids_or_networks kodim23.png --size 128
    python -m recipes.grids_or_networks kodim23.png --size 1000 --archs grid grid+tv hash
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as PillowImage
from PIL import ImageDraw
from torch import Tensor

from neurafield import architectures
from neurafield.fit import Constraint, ProgressBar, fit, losses, metrics
from neurafield.maps import AbstractMap
from neurafield.signals import Image, Samples

from .report import RESULTS, write_report

ARCHS = ("grid", "grid+tv", "hash", "fourier", "siren", "gaussian")
PARAMETERS_A_SAMPLE = (0.01, 0.1, 1.0)
TV_WEIGHT = 1e-4
TV_POINTS = 16_384


class Variation(AbstractMap):
    """Length of the gradient by differences over one sample: the integrand of total variation.

    Args:
        spacing: Distance between samples, in coordinates.
    """

    def __init__(self, spacing: float) -> None:
        self.spacing = spacing

    def __call__(self, field: Any, query: Tensor) -> Tensor:
        steps = self.spacing * torch.eye(query.shape[-1])
        here = field(query)
        rises = torch.stack([field(query + step) - here for step in steps], dim=-1)
        # The square root has no derivative at zero.
        return (rises.square().sum((-1, -2)) + 1e-12).sqrt()[..., None]


def photograph(path: Path, size: int) -> Float[np.ndarray, "size size"]:
    """Central square of a picture, in grey."""
    picture = PillowImage.open(path).convert("L")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    middle = picture.crop((left, top, left + side, top + side))
    resized = middle.resize((size, size), PillowImage.Resampling.LANCZOS)
    return np.asarray(resized, np.float32) / 255


def star(size: int, spokes: int = 40) -> Float[np.ndarray, "size size"]:
    """Siemens star: spokes that get thinner towards the centre."""
    row, column = np.mgrid[:size, :size] + 0.5 - size / 2
    angle = np.arctan2(row, column)
    return (np.sin(spokes * angle) > 0).astype(np.float32)


def lines(size: int, count: int = 30) -> Float[np.ndarray, "size size"]:
    """Lines and circles, one sample wide, in every direction."""
    rng = np.random.default_rng(0)
    page = PillowImage.new("L", (size, size))
    draw = ImageDraw.Draw(page)
    for index in range(count):
        a, b = rng.uniform(0, size, (2, 2))
        if index % 2:
            draw.line([*a, *b], fill=255)
        else:
            radius = float(rng.uniform(0.05, 0.3)) * size
            draw.ellipse([*(a - radius), *(a + radius)], outline=255)
    return np.asarray(page, np.float32) / 255


def run(
    picture: Float[np.ndarray, "size size"], arch: str, share: float, steps: int
) -> dict[str, Any]:
    """Fit one architecture to all samples in every step."""
    signal = Image.from_array(picture)
    size = len(picture)
    name, regularised = arch.removesuffix("+tv"), arch.endswith("+tv")
    plan = architectures.plan(signal.layout.extent, name, num_parameters=round(share * size * size))
    constraints = [Constraint(signal=signal)]
    if regularised:
        coords = signal.layout.grid.coords(np.arange(size * size))
        constraints.append(
            Constraint(
                signal=Samples(coords, torch.zeros(size * size, 1)),
                map=Variation(2 / size),
                loss=losses.l1,
                weight=TV_WEIGHT,
                batch_size=TV_POINTS,
                name="variation",
            )
        )
    with ProgressBar(title=arch) as bar:
        result = fit(
            plan.field,
            constraints,
            steps=steps,
            lr=plan.lr,
            micro_batch=plan.micro_batch,
            callbacks=[bar],
        )
    quality = metrics.evaluate(plan.field, signal)
    return {
        "psnr": round(quality.psnr, 2) if math.isfinite(quality.psnr) else None,
        "params": plan.field.num_parameters,
        "lr": plan.lr,
        "steps": result.step,
        "seconds": round(result.seconds, 1),
    }


def main() -> None:
    """Run every architecture at every size on every signal; results of earlier runs are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photograph", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--archs", nargs="+", default=ARCHS)
    parser.add_argument("--shares", nargs="+", type=float, default=PARAMETERS_A_SAMPLE)
    arguments = parser.parse_args()
    size = arguments.size
    signals = {
        f"photograph {arguments.photograph.name}": photograph(arguments.photograph, size),
        "star": star(size),
        "lines": lines(size),
    }
    path = RESULTS / "grids_or_networks.json"
    found: dict[str, Any] = json.loads(path.read_text())["runs"] if path.exists() else {}
    for share in arguments.shares:
        for name, picture in signals.items():
            key = f"{name} {size} x {size}, a parameter for {1 / share:g} samples"
            runs = found.setdefault(key, {})
            for arch in arguments.archs:
                if arch in runs:
                    continue
                try:
                    runs[arch] = run(picture, arch, share, arguments.steps)
                except ValueError as error:
                    # Too few parameters for this architecture.
                    runs[arch] = {"psnr": None, "why": str(error)}
                write_report("grids_or_networks", {"tv_weight": TV_WEIGHT, "runs": found})


if __name__ == "__main__":
    main()
