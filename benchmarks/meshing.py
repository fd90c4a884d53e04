"""Meshes of a field: seconds, evaluations and memory, compared with the full grid.

`python -m benchmarks.meshing F.field [RESOLUTION ...]`; without a field, a torus in closed form.
Each mesh is made in a separate process, whose peak memory is recorded. If it is small enough, the
full grid is evaluated and meshed by scikit-image. The difference of the two surfaces is the largest
distance from a vertex of one to the triangles of the other, in cells.
"""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import skimage.measure
import torch
from torch import Tensor

from neurafield import load
from neurafield.shapes import Mesh, MeshDistance, ShapeLayout, euler_number, is_closed
from neurafield.surfaces import extract

from .harness import write_result

RESOLUTIONS = (128, 256, 512, 1024)
DENSE_UP_TO = 512


def torus(x: Tensor) -> Tensor:
    """A distance."""
    ring = x[:, :2].norm(dim=-1, keepdim=True) - 0.6
    return torch.cat([ring, x[:, 2:]], -1).norm(dim=-1, keepdim=True) - 0.25


class Counted:
    """A field that counts the points at which it is evaluated."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function, self.points = function, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.points += len(x)
        return self.function(x)


def open_field(name: str) -> Callable[[Tensor], Tensor]:
    """The field of a file, negative inside, or the torus."""
    if name == "torus":
        return torus
    file = load(name)
    file.field.requires_grad_(False)
    return ShapeLayout.from_spec(file.signal or {}).quantity.implicit(file.field)


def sparse(name: str, resolution: int) -> dict[str, object]:
    """Our way."""
    field = Counted(open_field(name))
    wall, own = time.perf_counter(), time.process_time()
    mesh = extract(field, resolution)
    return {
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - own, 2),
        "evaluations": field.points,
        "fewer": round((resolution + 1) ** 3 / field.points, 1),
        "vertices": len(mesh.vertices),
        "euler": euler_number(mesh),
        "closed": is_closed(mesh),
        "memory_gb": memory(),
    }


def dense(name: str, resolution: int) -> dict[str, object]:
    """All grid points, then scikit-image's marching cubes, which interpolates linearly."""
    field = open_field(name)
    wall, own = time.perf_counter(), time.process_time()
    axis = torch.linspace(-1, 1, resolution + 1)
    values = np.empty((resolution + 1,) * 3, np.float32)
    with torch.inference_mode():
        for row, x in enumerate(axis):
            y, z = torch.meshgrid(axis, axis, indexing="ij")
            points = torch.stack([torch.full_like(y, float(x)), y, z], -1).reshape(-1, 3)
            parts = [field(part) for part in points.split(16_384)]
            values[row] = torch.cat(parts).reshape(y.shape).numpy()
    vertices, faces, *_ = skimage.measure.marching_cubes(values, 0.0)
    figures = {
        "wall_s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(time.process_time() - own, 2),
        "vertices": len(vertices),
        "memory_gb": memory(),
    }
    cell = 2 / resolution
    points = torch.from_numpy(vertices.astype(np.float64)) * cell - 1
    whole = Mesh(points, torch.from_numpy(faces.astype(np.int64)))
    return {**figures, "apart_cells": round(apart(extract(field, resolution), whole) / cell, 3)}


def memory() -> float:
    """Peak memory of this process, in GB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)


def apart(one: Mesh, other: Mesh) -> float:
    """Largest distance from a vertex of either mesh to the triangles of the other."""
    there = MeshDistance.of(other).unsigned(one.vertices.double())
    back = MeshDistance.of(one).unsigned(other.vertices.double())
    return float(max(there.max(), back.max()))


def in_child(way: str, name: str, resolution: int) -> dict[str, object]:
    """Run one of the two in a separate process."""
    command = [sys.executable, "-m", "benchmarks.meshing", "--child", way, name, str(resolution)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(arguments: list[str]) -> None:
    """Run all, and write the results."""
    if arguments[:1] == ["--child"]:
        way, name, given = arguments[1:]
        print(json.dumps((sparse if way == "sparse" else dense)(name, int(given))))
        return
    name = arguments[0] if arguments else "torus"
    figures = {}
    for resolution in [int(given) for given in arguments[1:]] or RESOLUTIONS:
        figures[f"{resolution}"] = in_child("sparse", name, resolution)
        print(resolution, figures[f"{resolution}"], flush=True)
        if resolution <= DENSE_UP_TO:
            figures[f"{resolution} whole grid"] = in_child("dense", name, resolution)
            print(resolution, "whole grid", figures[f"{resolution} whole grid"], flush=True)
    write_result("meshing", figures)


if __name__ == "__main__":
    main(sys.argv[1:])
