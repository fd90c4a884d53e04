"""Signed distances to meshes compared with libigl, on one thread, in CPU time.

Half of the points lie anywhere in [-1, 1]^3, half close to the surface. libigl rebuilds its trees
in each call; `without_making` subtracts that time, measured with a single point.

python -m benchmarks.mesh_distance MESH...
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["IGL_NUM_THREADS"] = "1"  # Read when libigl first starts threads.

import igl
import torch
from jaxtyping import Float
from torch import Tensor

from neurafield.geometry import Frame
from neurafield.shapes import Mesh, MeshDistance, read_shape

from .harness import alternate, write_result

POINTS = 100_000


def main() -> None:
    """Measure one row per mesh and contender."""
    torch.set_num_threads(1)
    figures = {}
    for path in sys.argv[1:]:
        shape = read_shape(path)
        if not isinstance(shape, Mesh):
            raise SystemExit(f"{path}: expected a mesh, got points.")
        mesh = Mesh(Frame.around(shape.vertices).to_unit(shape.vertices), shape.faces)
        for name, row in timed(mesh).items():
            figures[f"{Path(path).stem}, {len(mesh.faces)} triangles: {name}"] = row
    write_result("mesh_distance", figures)


def timed(mesh: Mesh) -> dict[str, dict[str, float]]:
    """Time of each contender for all points, and points per second with existing trees."""
    x, one = points(mesh), mesh.vertices[:1]
    kept = MeshDistance(mesh.vertices, mesh.faces)
    rows = alternate(
        {
            "ours, tree kept": lambda: kept.signed(x),
            "ours, making the tree": lambda: MeshDistance(mesh.vertices, mesh.faces).signed(one),
            "libigl": lambda: libigl(mesh, x),
            "libigl, making the trees": lambda: libigl(mesh, one),
        },
        rounds=5,
        clock=time.process_time,
    )
    medians = {name: row["median_ms"] for name, row in rows.items()}
    ours, theirs = medians["ours, tree kept"], medians["libigl"]
    searching = theirs - medians["libigl, making the trees"]
    rows["ours, tree kept"]["points_a_second"] = round(1e3 * POINTS / ours)
    rows["libigl"]["points_a_second"] = round(1e3 * POINTS / theirs)
    rows["libigl"]["points_a_second_without_making"] = round(1e3 * POINTS / searching)
    rows["libigl"]["ratio_without_making"] = round(searching / ours, 3)
    return rows


def points(mesh: Mesh) -> Float[Tensor, "n 3"]:
    """Points, half of them anywhere, half close to the surface."""
    g = torch.Generator().manual_seed(0)
    anywhere = 2 * torch.rand(POINTS // 2, 3, generator=g, dtype=torch.float64) - 1
    picked = mesh.corners[torch.randint(len(mesh.faces), (POINTS // 2,), generator=g)].mean(1)
    noise = torch.randn(POINTS // 2, 3, generator=g, dtype=torch.float64)
    return torch.cat([anywhere, picked + 0.01 * noise])


def libigl(mesh: Mesh, x: Float[Tensor, "n 3"]) -> Any:
    """Signed distance by libigl with the same kind of sign; it rebuilds its trees in each call."""
    sign = igl.SignedDistanceType.SIGNED_DISTANCE_TYPE_FAST_WINDING_NUMBER
    return igl.signed_distance(x.numpy(), mesh.vertices.numpy(), mesh.faces.numpy(), sign)


if __name__ == "__main__":
    main()
