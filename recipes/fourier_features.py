"""Fourier features on pictures: trained on the even pixels, tested on the odd ones.

The image regression of Tancik et al., NeurIPS 2020, section 6.1 and table 1: a ReLU network of four
affine layers, 256 wide, all even pixels in every step, Adam at 1e-3 without a schedule, 2,000
steps, a sigmoid after the last layer. Its inputs are:

- none: the coordinates;
- basic: one sine and one cosine of each coordinate, with one period across the picture;
- positional: log-spaced frequencies along the axes;
- gaussian: 256 frequencies in all directions, normally distributed.

The baseline is the mean of the four even pixels around each odd one.

We differ in the pictures (crops of the user's photographs, text of our own), in the initialisation
(that of `MLP`), and, by default, in size: 128 pixels instead of 512, with a quarter of all
frequencies, which are then the same per pixel. `--size 512` is the size of the paper.

    python -m recipes.fourier_features text kodim23.png kodim05.png
"""

import argparse
import json
import math
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont
from torch import Tensor

from neurafield import Field, Grid
from neurafield.encodings import RandomFourier
from neurafield.fit import Constraint, ProgressBar, fit, schedule
from neurafield.maps import AbstractMap
from neurafield.networks import MLP
from neurafield.signals import Samples

from .report import RESULTS, write_report

PUBLISHED = {
    "natural": {"none": 19.3, "basic": 21.7, "positional": 24.9, "gaussian": 25.6},
    "text": {"none": 18.4, "basic": 20.5, "positional": 27.6, "gaussian": 30.5},
}
# Cycles across a picture of 512 pixels: the paper's best for each kind.
SIGMA = {"natural": 10.0, "text": 14.0}
OCTAVES = {"natural": 6.0, "text": 5.0}
NUM_FREQUENCIES = 256
WORDS = ("field", "wave", "sine", "grid", "photon", "kernel", "basin", "Fourier", "octave", "mesh")


class Sigmoid(AbstractMap):
    """Sigmoid of the field's value."""

    def __call__(self, field: Any, query: Tensor) -> Tensor:
        return field(query).sigmoid()


def photograph(path: Path, size: int) -> Float[np.ndarray, "size size 3"]:
    """The central `size` x `size` pixels."""
    return middle(PillowImage.open(path).convert("RGB"), size)


def text(size: int, seed: int = 0) -> Float[np.ndarray, "size size 3"]:
    """Words of many sizes and colours on white, cut from the centre of a page of 512 x 512 pixels.

    Words are as large as in the paper's figures; smaller ones have more detail per pixel.
    """
    rng = np.random.default_rng(seed)
    page = PillowImage.new("RGB", (512, 512), "white")
    draw = ImageDraw.Draw(page)
    for _ in range(12):
        font = ImageFont.load_default(int(rng.integers(48, 144)))
        colour = tuple(int(value) for value in rng.integers(0, 200, 3))
        position = (int(rng.integers(-20, 420)), int(rng.integers(-10, 440)))
        draw.text(position, str(rng.choice(WORDS)), font=font, fill=colour)
    return middle(page, size)


def middle(picture: PillowImage.Image, size: int) -> Float[np.ndarray, "size size 3"]:
    """Crop of the centre. Scaling down would give more detail per pixel than in the paper."""
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    return np.asarray(picture.crop((left, top, left + size, top + size)), np.float32) / 255


def frequencies(
    encoding: str, kind: str, size: int, generator: torch.Generator
) -> Float[Tensor, "n 2"] | None:
    """Rows of B, in cycles per unit of our coordinates; the picture is two units long."""
    per_pixel = size / 512
    if encoding == "none":
        return None
    if encoding == "basic":
        return torch.eye(2) / 2
    if encoding == "gaussian":
        normal = torch.randn(NUM_FREQUENCIES, 2, generator=generator)
        return normal * SIGMA[kind] * per_pixel / 2
    along = (2 ** torch.linspace(0, OCTAVES[kind], NUM_FREQUENCIES // 2) - 1) * per_pixel / 2
    nothing = torch.zeros_like(along)
    return torch.cat([torch.stack([along, nothing], 1), torch.stack([nothing, along], 1)])


def build(encoding: str, kind: str, size: int, seed: int) -> Field:
    """The network with one of the encodings."""
    generator = torch.Generator().manual_seed(seed)
    rows = frequencies(encoding, kind, size, generator)
    if rows is None:
        return Field(MLP(2, 3, width=256, depth=3, generator=generator))
    lift = RandomFourier(2, len(rows), sigma=1.0, generator=generator)
    lift.B.copy_(rows)
    network = MLP(lift.out_dim, 3, width=256, depth=3, generator=generator)
    return Field(network, encoding=lift)


def run(
    picture: Float[np.ndarray, "size size 3"],
    encoding: str,
    kind: str,
    *,
    steps: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Train on even rows and columns, test on odd ones.

    Returns:
        PSNR on both, in dB, and the seconds of training.
    """
    size = len(picture)
    coords = Grid.centres((size, size)).coords(np.arange(size * size)).reshape(size, size, 2)
    values = torch.from_numpy(picture)
    field = build(encoding, kind, size, seed)
    even = Samples(coords[::2, ::2].reshape(-1, 2), values[::2, ::2].reshape(-1, 3))
    with ProgressBar(title=encoding) as bar:
        result = fit(
            field,
            Constraint(signal=even, map=Sigmoid()),
            steps=steps,
            lr=1e-3,
            schedule=schedule.constant,
            micro_batch=8192,
            seed=seed,
            callbacks=[bar],
        )

    def psnr(start: int) -> float:
        with torch.no_grad():
            found = field(coords[start::2, start::2]).sigmoid()
        return -10 * math.log10(float((found - values[start::2, start::2]).square().mean()))

    return {
        "test_psnr": round(psnr(1), 3),
        "train_psnr": round(psnr(0), 3),
        "seconds": round(result.seconds, 1),
    }


def interpolated(picture: Float[np.ndarray, "size size 3"]) -> dict[str, float]:
    """PSNR of the mean of the four neighbouring training pixels, repeated at the border."""
    even = np.pad(picture[::2, ::2], ((0, 1), (0, 1), (0, 0)), mode="edge")
    mean_of_four = (even[:-1, :-1] + even[1:, :-1] + even[:-1, 1:] + even[1:, 1:]) / 4
    error = float(np.square(mean_of_four - picture[1::2, 1::2]).mean())
    return {"test_psnr": round(-10 * math.log10(error), 3)}


def main() -> None:
    """Run every encoding on every picture; results of earlier runs are kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="+", help="files, or the word text")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=2000)
    arguments = parser.parse_args()
    path = RESULTS / "fourier_features.json"
    found: dict[str, Any] = json.loads(path.read_text())["runs"] if path.exists() else {}
    for name in arguments.pictures:
        kind = "text" if name.startswith("text") else "natural"
        size = arguments.size
        if kind == "text":
            picture = text(size, seed=int(name.removeprefix("text") or 0))
        else:
            picture = photograph(Path(name), size)
        key = f"{kind} {Path(name).name} {size} x {size}, {arguments.steps} steps"
        runs = found.setdefault(key, {})
        runs["interpolation"] = interpolated(picture)
        for encoding in PUBLISHED[kind]:
            if encoding not in runs:
                runs[encoding] = run(picture, encoding, kind, steps=arguments.steps)
                write_report("fourier_features", summary(found))


def summary(runs: dict[str, Any]) -> dict[str, Any]:
    """All runs, with means over pictures of the same kind and size beside the published figures."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, own in runs.items():
        kind, _, size = key.split(" ", 2)
        groups.setdefault((kind, size), []).append(own)
    means = {
        f"{kind} {size}": {
            encoding: {
                "test_psnr": round(mean(own[encoding]["test_psnr"] for own in pictures), 2),
                "published": published,
            }
            for encoding, published in PUBLISHED[kind].items()
            if all(encoding in own for own in pictures)
        }
        for (kind, size), pictures in groups.items()
    }
    return {"means": means, "runs": runs}


if __name__ == "__main__":
    main()
