"""Seconds of a fit to a given quality, compared with one full-batch step of the published SIREN.

Ours is `neurafield fit --target-psnr` with its defaults, from the first step to the last
measurement of every pixel. Theirs is a single Adam step of the published network, with hidden
layers 256x3, on all pixels in eager torch.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import skimage.data
import torch

from neurafield import signals

from .contenders import EagerSiren, fit_by_default, full_batch_step
from .harness import compare, write_result


def side_by_side(signal: signals.Image, target: float, rounds: int) -> dict[str, dict[str, float]]:
    """Alternate full fits from different seeds and steps of the published recipe."""
    coords, values = signal.batch(None, seed=0, step=0)
    step = full_batch_step(EagerSiren(out_dim=signal.out_dim), coords, values)
    step()
    times: dict[str, list[float]] = {f"neurafield fit to {target:g} dB": [], "one eager step": []}
    for seed in range(rounds):
        times[f"neurafield fit to {target:g} dB"].append(fit_by_default(signal, target, seed))
        begun = time.perf_counter()
        step()
        times["one eager step"].append(1e3 * (time.perf_counter() - begun))
        print(*(f"{name}: {row[-1]:.0f} ms" for name, row in times.items()), flush=True)
    return compare(times)


def in_a_minute(path: Path) -> dict[str, float]:
    """PSNR after a command-line fit of 60 s, and the peak memory of its process in MB."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "picture.field"
        command = [sys.executable, "-m", "neurafield", "fit", str(path), "--out", str(out)]
        command += ["--time", "60", "--json"]
        report = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        facts = json.loads(report.splitlines()[-1])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "psnr": round(facts["psnr"], 2),
        "steps": facts["steps"],
        "params": facts["params"],
        "peak_mb": round(peak / 1e6),
    }


def main() -> None:
    """Run on the camera picture, and on others from a folder of test pictures if given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pictures", type=Path, help="folder with kodim23.png and albert.jpg")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    figures = {}
    if arguments.pictures:
        # First, because the peak is that of all children.
        figures["albert.jpg, 60 s"] = in_a_minute(arguments.pictures / "albert.jpg")
    camera = signals.Image.from_array(skimage.data.camera())
    for name, row in side_by_side(camera, 40.0, arguments.rounds).items():
        figures[f"camera 512x512: {name}"] = row
    if arguments.pictures:
        kodim = signals.Image.load(arguments.pictures / "kodim23.png")
        for name, row in side_by_side(kodim, 35.0, arguments.rounds).items():
            figures[f"kodim23: {name}"] = row
    write_result("time_to_quality", figures)


if __name__ == "__main__":
    main()
