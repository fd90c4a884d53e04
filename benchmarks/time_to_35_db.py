"""Seconds of fitting until the camera photograph, 256 x 256, is reproduced at 35 dB.

Ours is `neurafield fit --target-psnr 35` with its defaults. Theirs is the published recipe, all
pixels in every step at a learning rate of 1e-4, in eager torch and in `siren-pytorch`; PSNR is
computed from the loss of a step, at no cost.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import nn

from neurafield.fit import metrics
from recipes.siren_camera import camera

from .contenders import EagerSiren, fit_by_default, full_batch_step, siren_pytorch
from .harness import compare, write_result

TARGET = 35.0


def theirs(network: nn.Module, lr: float, max_steps: int = 1500) -> float:
    """Milliseconds of full-batch steps to the target."""
    coords, target = camera().batch(None, seed=0, step=0)
    step = full_batch_step(network, coords, target, lr)
    begun = time.perf_counter()
    for _ in range(max_steps):
        if metrics.psnr(step()) >= TARGET:
            return 1e3 * (time.perf_counter() - begun)
    raise RuntimeError(f"35 dB were not reached in {max_steps} steps")


def main() -> None:
    """Run all contenders alternately, in `--rounds` rounds of minutes each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1)
    rounds = parser.parse_args().rounds
    contenders: dict[str, Callable[[int], float]] = {
        "neurafield fit, defaults": lambda seed: fit_by_default(camera(), TARGET, seed),
        "eager torch, published recipe": lambda _: theirs(EagerSiren(), 1e-4),
        "siren-pytorch 0.1.7, published recipe": lambda _: theirs(siren_pytorch(), 1e-4),
    }
    times: dict[str, list[float]] = {}
    for seed in range(rounds):
        torch.manual_seed(seed)
        for name, run in contenders.items():
            times.setdefault(name, []).append(run(seed))
            print(f"{name}: {times[name][-1] / 1e3:.1f} s", flush=True)
    write_result("time_to_35_db", compare(times))


if __name__ == "__main__":
    main()
