"""Sensitivity and rank of hidden layers with each activation, before and after training.

The network is untrained, with three hidden layers of 128 units on two coordinates, for each
activation at its defaults, and for ReLU with random Fourier features. Printed for its first and
last hidden layer, on a grid of 32 x 32 points, as a mean over seeds:

- `speed`, a local Lipschitz constant: the median over points of the largest singular value of the
  layer's Jacobian, divided by the spread of its features (the root mean square distance from their
  mean). 20 means that a step of 1/20 in coordinates changes the features by their full spread.
- `rank`, the stable rank of the centred features: the sum of the squared singular values divided by
  the largest squared one.

    python -m benchmarks.activations
    python -m benchmarks.activations PICTURE

With a picture, the network is also fitted to its central 128 x 128 pixels, at the learning rate of
the architecture of that name: 300 steps of 4,096 random pixels, with one in eight held out. PSNR is
reported on training and held-out pixels.
"""

import math
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from neurafield import Field, Grid
from neurafield.activations import AbstractActivation
from neurafield.architectures import ARCHITECTURES
from neurafield.derivatives import Jet
from neurafield.encodings import RandomFourier
from neurafield.networks import MLP

NAMES = {
    "relu": "ReLU",
    "prelu": "PReLU",
    "silu": "SiLU",
    "softplus": "Softplus",
    "gelu": "GELU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "gaussian": "Gaussian",
    "super-gaussian": "SuperGaussian",
    "laplacian": "Laplacian",
    "quadratic": "Quadratic",
    "multiquadric": "Multiquadric",
    "sine": "Sine",
    "exp-sine": "ExpSine",
    "finer": "FinerSine",
    "fourier": "ReLU",
}
"""Architectures, which give the learning rates, and their activations."""
WIDTH, DEPTH, SIDE, SEEDS = 128, 3, 32, 5
SIGMA = 3.0
PIXELS, STEPS, BATCH = 128, 300, 4096


def field(name: str, seed: int, activation: AbstractActivation | None = None) -> Field:
    """The network to measure."""
    generator = torch.Generator().manual_seed(seed)
    encoding = None
    if name == "fourier":
        encoding = RandomFourier(2, WIDTH // 2, sigma=SIGMA, generator=generator)
    network = MLP(
        2 if encoding is None else encoding.out_dim,
        3,
        width=WIDTH,
        depth=DEPTH,
        activation=activation or NAMES[name],
        generator=generator,
    )
    return Field(network, encoding=encoding)


def hidden(field: Field, depth: int) -> tuple[Float[Tensor, "n w"], Float[Tensor, "n w 2"]]:
    """Features of a hidden layer on the grid, and their Jacobian."""
    network = field.network
    assert isinstance(network, MLP)
    x = cells(SIDE)
    jet = Jet.root(x, torch.zeros(0, 2))
    if field.encoding is not None:
        jet = field.encoding.jet(jet)
    network.layers = network.layers[: depth + 1]
    network.activations = network.activations[:depth]
    jet = network.hidden_jet(jet)
    return jet.value, jet.jacobian


def cells(side: int) -> Float[Tensor, "n 2"]:
    """Centres of the pixels of a square."""
    return Grid.centres((side, side)).coords(np.arange(side**2))


@torch.no_grad()
def figures(name: str, depth: int) -> tuple[float, float]:
    """The relative local Lipschitz constant and the stable rank of a hidden layer."""
    speeds, ranks = [], []
    for seed in range(SEEDS):
        features, jacobian = hidden(field(name, seed), depth)
        centred = features - features.mean(0)
        spread = centred.square().sum(-1).mean().sqrt()
        speeds.append(float(torch.linalg.matrix_norm(jacobian, 2).median() / spread))
        largest = torch.linalg.matrix_norm(centred, 2)
        ranks.append(float(centred.square().sum() / largest.square()))
    return mean(speeds), mean(ranks)


def fitted(field: Field, pixels: Float[Tensor, "n n 3"], lr: float) -> tuple[float, float]:
    """PSNR on training and on held-out pixels."""
    x = cells(PIXELS)
    left_out = torch.zeros(PIXELS, PIXELS, dtype=torch.bool)
    left_out[1::4, 1::4] = left_out[3::4, 3::4] = True
    seen, unseen = (~left_out).reshape(-1), left_out.reshape(-1)
    target = pixels.reshape(-1, 3)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(field.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    known = seen.nonzero().squeeze(1)
    for _ in range(STEPS):
        batch = known[torch.randint(len(known), (BATCH,), generator=generator)]
        optimizer.zero_grad()
        (field(x[batch]) - target[batch]).square().mean().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        errors = (field(x) - target).square().mean(-1)
    return psnr(errors[seen]), psnr(errors[unseen])


def psnr(errors: Tensor) -> float:
    """PSNR in dB, from squared errors of values in [-1, 1]."""
    return 10 * math.log10(4 / float(errors.mean()))


def middle(path: Path) -> Float[Tensor, "n n 3"]:
    """Centre of a picture, in [-1, 1]."""
    image = np.asarray(Image.open(path).convert("RGB"), np.float32)
    top, left = ((size - PIXELS) // 2 for size in image.shape[:2])
    return torch.from_numpy(image[top : top + PIXELS, left : left + PIXELS] / 127.5 - 1)


def main() -> None:
    """Print the table."""
    pixels = middle(Path(sys.argv[1])) if len(sys.argv) > 1 else None
    print(f"{'':<16}{'first layer':>16}{'last hidden':>16}", end="")
    print(f"{'learning rate':>16}{'seen dB':>9}{'unseen':>8}" if pixels is not None else "")
    for name in NAMES:
        row = [*figures(name, 1), *figures(name, DEPTH)]
        print(f"{name:<16}" + "".join(f"{value:8.1f}" for value in row), end="", flush=True)
        if pixels is not None:
            lr = ARCHITECTURES[name].lr
            seen, unseen = fitted(field(name, 0), pixels, lr)
            print(f"{lr:16g}{seen:9.2f}{unseen:8.2f}", end="")
        print(flush=True)


if __name__ == "__main__":
    main()
