"""Activations on bare coordinates, compared with ReLU with and without an encoding.

Ramasinghe and Lucey, Beyond Periodicity, ECCV 2022: without an encoding, Gaussians and sines come
close to ReLU with one; ReLU without one falls far behind. All have about the same number of
parameters and four affine layers after the encoding, use all samples in every step, and train at
their learning rate in `neurafield.architectures`.

    python -m recipes.activations kodim23.png kodim05.png
"""

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from neurafield import architectures
from neurafield.fit import Constraint, ProgressBar, fit, metrics
from neurafield.signals import Image

from .report import RESULTS, write_report

ARCHS = ("fourier", "siren", "gaussian", "quadratic", "laplacian", "relu")
NUM_PARAMETERS = 70_000


def photograph(path: Path, size: int) -> Image:
    """The central 512 x 512 pixels, averaged down."""
    picture = PillowImage.open(path).convert("RGB")
    left, top = (picture.width - 512) // 2, (picture.height - 512) // 2
    middle = picture.crop((left, top, left + 512, top + 512))
    return Image.from_array(np.asarray(middle.resize((size, size), PillowImage.Resampling.BOX)))


def run(picture: Image, arch: str, *, steps: int, seed: int = 0) -> dict[str, Any]:
    """Fit one architecture, and measure it on its training pixels."""
    plan = architectures.plan(picture.layout.extent, arch, num_parameters=NUM_PARAMETERS, seed=seed)
    with ProgressBar(title=arch) as bar:
        result = fit(
            plan.field,
            Constraint(signal=picture),
            steps=steps,
            lr=plan.lr,
            micro_batch=plan.micro_batch,
            seed=seed,
            callbacks=[bar],
        )
    quality = metrics.evaluate(plan.field, picture)
    return {
        "psnr": round(quality.psnr, 2),
        "params": plan.field.num_parameters,
        "lr": plan.lr,
        "seconds": round(result.seconds, 1),
    }


def main() -> None:
    """Run every architecture on every picture; results of earlier runs are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="+", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    path = RESULTS / "activations.json"
    found: dict[str, Any] = json.loads(path.read_text())["runs"] if path.exists() else {}
    for name in arguments.pictures:
        picture = photograph(name, arguments.size)
        key = f"{name.name} {arguments.size} x {arguments.size}, {arguments.steps} steps"
        runs = found.setdefault(key, {})
        for arch in ARCHS:
            if arch not in runs:
                runs[arch] = run(picture, arch, steps=arguments.steps)
                whole = [own for own in found.values() if len(own) == len(ARCHS)]
                means = {a: round(mean(own[a]["psnr"] for own in whole), 2) for a in ARCHS if whole}
                write_report("activations", {"mean_psnr": means, "runs": found})


if __name__ == "__main__":
    main()
