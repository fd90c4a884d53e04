"""From a mesh or points to a field and back, by the commands at their defaults.

Runs `neurafield fit` and `neurafield evaluate` for the mesh and for 20,000 points on it with and
without normals, and `neurafield mesh` at 512 for the mesh. Seconds are of the whole command, so run
it on idle cores.

    python -m benchmarks.shapes MESH...
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neurafield.shapes import Mesh, read_shape, sample_surface

from .harness import write_result

POINTS = 20_000
RESOLUTION = 512


def command(*words: object) -> tuple[dict[str, Any], float]:
    """JSON output of a command, and its seconds."""
    started = time.perf_counter()
    line = [sys.executable, "-m", "neurafield", *map(str, words), "--json"]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout), round(time.perf_counter() - started, 1)


def fitted(shape: Path, mesh: Path, field: Path) -> dict[str, Any]:
    """Fit, and compare with the mesh."""
    about, seconds = command("fit", shape, "--out", field)
    quality, _ = command("evaluate", field, "--against", mesh)
    names = ("chamfer", "normal_consistency", "iou", "fscore")
    return {"seconds": seconds, "bytes": about["bytes"]} | {name: quality[name] for name in names}


def main() -> None:
    """Measure one row per input."""
    figures: dict[str, Any] = {}
    paths = [Path(given) for given in sys.argv[1:]]
    if not paths or len({path.stem for path in paths}) < len(paths):
        raise SystemExit(f"shapes: expected meshes of different names, got {sys.argv[1:]}.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in paths:
            mesh = read_shape(path)
            if not isinstance(mesh, Mesh):
                raise SystemExit(f"{path}: expected a mesh, got points.")
            cloud = sample_surface(mesh, POINTS, torch.Generator().manual_seed(0))
            assert cloud.normals is not None
            oriented, bare = folder / "oriented.xyz", folder / "bare.xyz"
            np.savetxt(oriented, torch.cat([cloud.points, cloud.normals], 1).numpy())
            np.savetxt(bare, cloud.points.numpy())
            rows = {"mesh": path, "points with normals": oriented, "points": bare}
            for what, shape in rows.items():
                row = fitted(shape, path, folder / f"{what.replace(' ', '-')}.field")
                figures[f"{path.stem}, {what}"] = row
                print(path.stem, what, row, flush=True)
            options = ("--out", folder / "out.ply", "--resolution", RESOLUTION, "--force")
            found, seconds = command("mesh", folder / "mesh.field", *options)
            fewer = round((RESOLUTION + 1) ** 3 / found["evaluations"], 1)
            row = {name: value for name, value in found.items() if name != "file"}
            row |= {"seconds": seconds, "fewer": fewer}
            figures[f"{path.stem}, meshed at {RESOLUTION}"] = row
            print(path.stem, "meshed", row, flush=True)
            for file in folder.glob("*.field"):
                file.unlink()
    write_result("shapes", figures)


if __name__ == "__main__":
    main()
