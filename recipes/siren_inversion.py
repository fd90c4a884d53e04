"""Full waveform inversion of the published recording of waves around a cylinder.

`fwi_cylinder_5.mat` of the SIREN repository holds `source` (5 positions), `receivers` (30
positions) and `rec_val` (30 x 5 complex values), made by the authors' solver at wave number 20. The
medium is not given, but can be inferred: a disc of radius 0.1 in the centre with twice the speed
explains the recording to 2.4 % (finite differences, 200 cells), a uniform medium to 39 %. That disc
is the reference here.

    python -m recipes.siren_inversion ../shared/data/helmholtz/fwi_cylinder_5.mat
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor

from neurafield.fit import ProgressBar
from neurafield.problems import inversion
from neurafield.signals import Recording

from .report import write_report


def cylinder(x: Tensor) -> Tensor:
    """Squared slowness behind the recording, as far as it can be inferred."""
    return torch.where(x.norm(dim=1) < 0.1, 0.25, 1.0).to(x)


def main() -> None:
    """Invert the recording, and report the misfit and the error of the medium."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--roughness", type=float, default=1e-3)
    given = parser.parse_args()
    if not given.recording.exists():
        sys.exit(f"{given.recording}: no such recording.")
    with ProgressBar(title="inversion") as bar:
        solution = inversion(
            Recording.load(given.recording),
            roughness=given.roughness,
            reference=cylinder,
            callbacks=[bar],
        )
    write_report("siren_inversion", {**solution.figures, **solution.settings})


if __name__ == "__main__":
    main()
