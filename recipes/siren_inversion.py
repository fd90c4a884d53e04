"""The published recording of waves around a cylinder: where it is, and how fast it is.

`fwi_cylinder_5.mat` of the SIREN repository holds `source` (5 places), `receivers` (30 places) and
`rec_val` (30 x 5 complex values), made by the authors' own solver at wave number 20. It does not
say of what, but shows it: a disc of radius 0.1 in the middle with twice the speed explains the
recording to 2.4 % (finite differences, 200 cells), a uniform medium leaves 39 %. That disc is the
reference here.

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
    """The squared slowness that the recording was made with, as far as can be told."""
    return torch.where(x.norm(dim=1) < 0.1, 0.25, 1.0).to(x)


def main() -> None:
    """Invert, and report misfit and error of the medium."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--roughness", type=float, default=1e-3)
    given = parser.parse_args()
    if not given.recording.exists():
        sys.exit(f"{given.recording}: not here, so there is nothing to invert.")
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
