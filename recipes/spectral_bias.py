"""The spectral bias of a ReLU network: figure 1 of Rahaman et al., ICML 2019, with fewer steps.

200 evenly spaced samples on [0, 1) of a sum of ten sines, 5 to 50 cycles, with random phases; a
ReLU network of six affine layers, 256 wide; all samples in every step, Adam at 3e-4 without a
schedule. Amplitudes are equal, or rise from 0.1 to 1. Reported are the amplitude of the network at
each frequency, relative to the target, as in the figure, and the number of steps until its error
there is half the amplitude.

We differ from the published notebook in the number of steps (10,000 by default, not 60,000, so that
a run takes minutes on one thread), in one run per kind instead of a mean over ten, in the
initialisation (ours is He's, as in `MLP`; theirs is torch's, smaller by a factor of 2.4), and in
scale: our target is scaled to a peak of 1. Two more networks of the same width show a smaller bias:
a SIREN, and the same ReLU network with random Fourier features.

    python -m recipes.spectral_bias --threads 1
"""

import argparse
from typing import Any

import torch

from neurafield import Field, Grid, analysis
from neurafield.encodings import RandomFourier
from neurafield.fit import ProgressBar
from neurafield.networks import MLP, Siren

from .report import write_report

NUM_SAMPLES = 200
SHOWN = (100, 300, 1000, 3000, 10_000)
"""Steps at which amplitudes are reported."""


def build(name: str, *, width: int, generator: torch.Generator) -> Field:
    """Network with five hidden layers; features and sines reach about 50 cycles per unit."""
    if name == "siren":
        return Field(Siren(1, 1, width=width, depth=5, omega_0=100, generator=generator))
    if name == "relu":
        return Field(MLP(1, 1, width=width, depth=5, generator=generator))
    encoding = RandomFourier(1, 128, sigma=20.0, generator=generator)
    network = MLP(encoding.out_dim, 1, width=width, depth=5, generator=generator)
    return Field(network, encoding=encoding)


def learnt(
    name: str, *, rising: bool = False, width: int = 256, steps: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Fit one network; report its amplitude at each frequency over the steps."""
    grid = Grid((NUM_SAMPLES,), (0.0,), (1 / NUM_SAMPLES,))
    sines = analysis.sum_of_sines(rising=rising, num_samples=NUM_SAMPLES, grid=grid, seed=seed)
    bands = analysis.Harmonics(NUM_SAMPLES, analysis.FREQUENCIES)
    field = build(name, width=width, generator=torch.Generator().manual_seed(seed))
    with ProgressBar(title=f"{name}{', rising' if rising else ''}") as bar:
        found = analysis.learn(
            field, sines, bands, steps=steps, lr=3e-4, seed=seed, num_records=200, callbacks=[bar]
        )
    factor = found.bias_factor()
    # The last measurement up to each of the steps.
    records = {
        step: max(i for i, measured in enumerate(found.steps) if measured <= step)
        for step in SHOWN
        if step <= steps
    }
    return {
        "params": field.num_parameters,
        "bias factor": None if factor.factor is None else round(factor.factor, 2),
        "which is": "exact" if factor.exact else "a lower bound",
        "steps until half": found.steps_until(),
        "amplitude / target's at step": {
            str(found.steps[i]): [round(x, 3) for x in found.response[i].tolist()]
            for i in records.values()
        },
    }


def main() -> None:
    """Run the two parts of the figure, and two networks with less bias."""
    parser = argparse.ArgumentParser(description="Spectral bias, figure 1 of Rahaman et al.")
    parser.add_argument("--steps", type=int, default=10_000, help="steps of the ReLU network")
    parser.add_argument("--threads", type=int, help="processor threads")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    write_report(
        "spectral_bias",
        {
            "frequencies": analysis.FREQUENCIES,
            "steps": arguments.steps,
            "relu": learnt("relu", steps=arguments.steps),
            "relu, rising amplitudes": learnt("relu", rising=True, steps=arguments.steps),
            # Both learn everything within a few hundred steps.
            "fourier": learnt("fourier", steps=min(2000, arguments.steps)),
            "siren": learnt("siren", steps=min(2000, arguments.steps)),
        },
    )


if __name__ == "__main__":
    main()
