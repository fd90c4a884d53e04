"""The published SIREN on the camera photograph, from its gradients or from its Laplacian.

256 x 256 pixels, the outer ones at the ends of the domain, all in every step, 2-256-256-256-256-1,
Adam at 1e-4 without a schedule, 10,000 steps. Targets are those of the paper's code: Sobel sums of
ten times the picture, or the five-point Laplacian of ten thousand times the picture, per pixel. So
the field is a multiple of the picture; factor and offset are fitted by least squares. The code does
not define the error of derivatives; here PSNR is relative to the range of the target.

A full run takes hours on two cores. It can be split:

    python -m recipes.siren_poisson gradient --time 1800
    python -m recipes.siren_poisson gradient --time 3600 --resume
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
import skimage.data
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neurafield import Field, Grid
from neurafield.fit import Checkpointing, Constraint, ProgressBar, fit, schedule
from neurafield.maps import AbstractMap, Jacobian, Laplacian
from neurafield.networks import Siren
from neurafield.signals import Samples

from .report import write_report

PUBLISHED = {
    "gradient": {"psnr": 32.9, "gradient_psnr": 46.9},
    "laplacian": {"psnr": 15.0, "laplacian_psnr": 57.1},
}
MAPS: dict[str, type[AbstractMap]] = {"gradient": Jacobian, "laplacian": Laplacian}


def camera(size: int = 256) -> Float[np.ndarray, "size size"]:
    """The camera photograph in [-1, 1], scaled as the paper's code scales it."""
    picture = Image.fromarray(skimage.data.camera())
    resized = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32) / 127.5 - 1


def derivatives(picture: Float[np.ndarray, "size size"], source: str) -> Float[Tensor, "n 1 *_"]:
    """Training targets: gradients or Laplacians."""
    if source == "laplacian":
        return torch.from_numpy(scipy.ndimage.laplace(1e4 * picture).reshape(-1, 1))
    slopes = [scipy.ndimage.sobel(10 * picture, axis=axis) for axis in (0, 1)]
    return torch.from_numpy(np.stack(slopes, axis=-1).reshape(-1, 1, 2))


def run(
    source: str,
    *,
    steps: int = 10_000,
    time: float | None = None,
    size: int = 256,
    seed: int = 0,
    checkpoint: Path | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Fit, and measure the picture and its derivatives."""
    picture = camera(size)
    coords = Grid.endpoints((size, size)).coords(np.arange(size * size))
    target = derivatives(picture, source)
    generator = torch.Generator().manual_seed(seed)
    field = Field(Siren(2, 1, width=256, depth=4, omega_0=30, omega=30, generator=generator))
    with ProgressBar(title=source) as bar:
        result = fit(
            field,
            Constraint(signal=Samples(coords, target), map=MAPS[source](), name=source),
            steps=steps,
            time=time,
            lr=1e-4,
            schedule=schedule.constant,
            seed=seed,
            checkpointing=Checkpointing(path=checkpoint, resume=resume),
            callbacks=[bar],
        )
    found = torch.cat([MAPS[source]()(field, part).detach() for part in coords.split(8192)])
    with torch.no_grad():
        values = torch.cat([field(part) for part in coords.split(8192)]).double().numpy()[:, 0]
    return {
        "psnr": picture_psnr(values, picture.ravel()),
        f"{source}_psnr": decibel((found - target).square().mean().item(), np.ptp(target.numpy())),
        "steps": result.step,
        "seconds": round(result.seconds, 1),
        "status": result.status,
        "published": PUBLISHED[source],
    }


def picture_psnr(values: Float[np.ndarray, " n"], picture: Float[np.ndarray, " n"]) -> float:
    """PSNR after fitting an offset and a factor, and clipping to the range of a picture."""
    factor, offset = np.polyfit(values, picture.astype(np.float64), 1)
    fixed = np.clip(factor * values + offset, -1, 1)
    return decibel(float(np.mean((fixed - picture) ** 2)), 2.0)


def decibel(mse: float, span: float) -> float:
    """PSNR relative to a range."""
    return 10 * math.log10(span**2 / mse)


def main() -> None:
    """Run one of the two, as far as steps and time allow."""
    parser = argparse.ArgumentParser(description="SIREN's Poisson experiments.")
    parser.add_argument("source", choices=sorted(MAPS))
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--time", type=float, help="seconds, over all parts")
    parser.add_argument("--resume", action="store_true", help="continue the last run")
    parser.add_argument("--checkpoint", type=Path, help="file that keeps the run between parts")
    arguments = parser.parse_args()
    checkpoint = arguments.checkpoint or Path(f"out/siren_poisson_{arguments.source}.checkpoint")
    checkpoint.parent.mkdir(exist_ok=True)
    figures = run(
        arguments.source,
        steps=arguments.steps,
        time=arguments.time,
        checkpoint=checkpoint,
        resume=arguments.resume,
    )
    write_report(f"siren_poisson_{arguments.source}", figures)


if __name__ == "__main__":
    main()
