"""The published SIREN on the Helmholtz equation, compared with our solver.

Published: 2-256-256-256-256-2, wave number 20, absorbing layer a0 = 5 over |x| > 0.5, 52,900 points
per step, 100 of them in the disc of the source, sums of absolute residuals (those on the source
divided by 1,000 and multiplied by the number of points), Adam at 2e-5, 50,000 steps. On two cores
that takes days; --time limits a run, --resume continues from its checkpoint, and the report holds
the number of steps. The reference is SciPy's Hankel function.

    python -m recipes.siren_helmholtz --time 1200 [--points 8192] [--resume]
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.special
import torch

from neurafield import Field
from neurafield.domains import Ball, Box
from neurafield.fit import Checkpointing, Constraint, ProgressBar, fit, losses, schedule
from neurafield.maps import HelmholtzEquation, Residual
from neurafield.networks import Siren
from neurafield.problems import _waves, helmholtz
from neurafield.signals import Interior

from .report import write_report

WAVENUMBER, LAYER = 20.0, 5.0
MIDDLE = (0.0, 0.0)


def relative_error(field: Field) -> float:
    """Relative error against the Hankel function in |x|, |y| < 0.45, except within 0.05 of the
    source.
    """
    axis = np.linspace(-0.45, 0.45, 91)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    x = x[np.hypot(*x.T) > 0.05]
    spread = math.exp(-(WAVENUMBER**2) * _waves.VARIANCE / 2)
    truth = 0.25j * (1 + 1j) * spread * scipy.special.hankel2(0, WAVENUMBER * np.hypot(*x.T))
    with torch.no_grad():
        values = field(torch.from_numpy(x).float()).double().numpy()
    found = values[:, 0] + 1j * values[:, 1]
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def problem(num_points: int) -> list[Constraint]:
    """The published loss; 204 of 52,900 points are in the disc, including uniform ones."""
    disc = Ball(MIDDLE, 0.05)
    equation = Residual(HelmholtzEquation(WAVENUMBER, LAYER))
    on_source = max(1, round(num_points * 204 / 52_900))
    return [
        Constraint(
            signal=Interior(Box.cube(2) - disc, out_dim=2),
            map=equation,
            loss=losses.l1,
            batch_size=num_points - on_source,
            name="off the source",
        ),
        Constraint(
            signal=Interior(disc, lambda x: _waves.source(x, MIDDLE), out_dim=2),
            map=equation,
            loss=losses.l1,
            weight=52.9 * on_source / (num_points - on_source),
            batch_size=on_source,
            name="on the source",
        ),
    ]


def published(
    *, steps: int, time: float | None, num_points: int, checkpoint: Path | None, resume: bool
) -> dict[str, Any]:
    """The published run, as far as the time allows."""
    field = Field(Siren(2, 2, generator=torch.Generator().manual_seed(0)))
    with ProgressBar(title="SIREN") as bar:
        result = fit(
            field,
            problem(num_points),
            steps=steps,
            time=time,
            lr=2e-5,
            schedule=schedule.constant,
            checkpointing=Checkpointing(path=checkpoint, resume=resume),
            callbacks=[bar],
        )
    return {
        "relative_error": relative_error(field),
        "steps": result.step,
        "points": num_points,
        "seconds": result.seconds,
    }


def main() -> None:
    """Run both, into one report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--time", type=float, default=1200.0)
    parser.add_argument("--points", type=int, default=52_900)
    parser.add_argument("--checkpoint", type=Path, default=Path("siren_helmholtz.checkpoint"))
    parser.add_argument("--resume", action="store_true")
    given = parser.parse_args()
    solution = helmholtz(wavenumber=WAVENUMBER, pml=LAYER)
    ours = {"relative_error": relative_error(solution.field), **solution.settings}
    theirs = published(
        steps=given.steps,
        time=given.time,
        num_points=given.points,
        checkpoint=given.checkpoint,
        resume=given.resume,
    )
    figures = {"ours": {**ours, "seconds": solution.figures["seconds"]}, "published": theirs}
    write_report("siren_helmholtz", figures)


if __name__ == "__main__":
    main()
