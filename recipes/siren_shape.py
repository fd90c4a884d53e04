"""The published SIREN on a shape: a signed distance from oriented points alone.

Points with normals on the surface and points anywhere in the box, as many of each; a network
3-256-256-256-256-1, Adam at 1e-4 with a constant rate. The paper shows pictures and no figures;
ours are against the mesh that the points were drawn from. Width, points and steps are arguments,
since the whole run takes hours on a CPU.

    python -m recipes.siren_shape spot.obj [steps] [width] [batch]
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch

from neurafield import Field, save
from neurafield.domains import Box
from neurafield.fit import Constraint, ProgressBar, fit, schedule
from neurafield.fit.shape_losses import OffSurface, OnSurface
from neurafield.maps import ValueAndGradient
from neurafield.networks import Siren
from neurafield.problems.shapes import accuracy
from neurafield.shapes import Frame, Mesh, PointCloud, ShapeLayout, read_shape, sample_surface
from neurafield.signals import Interior, Samples

from .report import write_report

NUM_POINTS = 20_000


def problem(cloud: PointCloud, frame: Frame, batch_size: int) -> list[Constraint]:
    """The four constraints, with the published weights; Adam does not feel a common factor."""
    assert cloud.normals is not None
    zero = torch.zeros(len(cloud.points), 1)
    surface = Samples(
        frame.to_unit(cloud.points).float(), torch.cat([zero, cloud.normals.float()], dim=1)
    )
    on = Constraint(
        signal=surface,
        map=ValueAndGradient(),
        loss=OnSurface(value=3e3, normal=1e2, eikonal=5e1),
        batch_size=batch_size,
        name="on the surface",
    )
    off = Constraint(
        signal=Interior(Box.cube(3), out_dim=4),
        map=ValueAndGradient(),
        loss=OffSurface(value=1e2, sharpness=1e2, eikonal=5e1),
        batch_size=batch_size,
        name="off the surface",
    )
    return [on, off]


def siren_shape(
    mesh: Mesh,
    *,
    steps: int = 10_000,
    width: int = 256,
    batch_size: int = 1024,
    lr: float = 1e-4,
    seed: int = 0,
    out: Path | None = None,
) -> dict[str, Any]:
    """Train on points of a mesh, and measure against the mesh."""
    generator = torch.Generator().manual_seed(seed)
    cloud = sample_surface(mesh, NUM_POINTS, generator)
    frame = Frame.around(cloud.points)
    field = Field(Siren(3, 1, width=width, depth=4, generator=generator))
    started = time.process_time()
    with ProgressBar() as bar:
        fit(
            field,
            problem(cloud, frame, batch_size),
            steps=steps,
            lr=lr,
            schedule=schedule.constant,
            seed=seed,
            callbacks=[bar],
        )
    seconds = time.process_time() - started
    layout = ShapeLayout(frame=frame)
    if out is not None:
        save(out, field, signal=layout.spec())
    return {**accuracy(field, mesh, layout), "processor_seconds": round(seconds, 1)}


def main() -> None:
    """With the sizes given on the command line; leaves the field beside the mesh's name, here."""
    path = Path(sys.argv[1])
    mesh = read_shape(path)
    assert isinstance(mesh, Mesh)
    names = ("steps", "width", "batch_size")
    sizes = {name: int(value) for name, value in zip(names, sys.argv[2:], strict=False)}
    figures = siren_shape(mesh, **sizes, out=Path(f"{path.stem}_siren.field"))
    settings = {"points": NUM_POINTS, **sizes}
    write_report("siren_shape", {"shape": path.stem, "settings": settings, **figures})


if __name__ == "__main__":
    main()
