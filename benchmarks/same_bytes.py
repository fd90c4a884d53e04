"""Proof that a change preserves the mathematics: the bytes of short fits, before and after.

Each fit has a fixed number of steps and a fixed seed. Its tensors are hashed one by one (SHA-256 of
their bytes) and its losses are recorded with all digits. Both depend on the processor, the number
of threads and the version of torch, so the two runs that are compared must share these:

    python -m benchmarks.same_bytes --record before.json     # on the old commit
    python -m benchmarks.same_bytes --against before.json    # on the new one

`RENAMED` lists how the names of tensors have changed since the recording.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

import neurafield as nf
from neurafield import system
from neurafield.container import read_sealed

from .harness import RESULTS

RECORDED = RESULTS / "same_bytes.json"
THREADS = 2
RENAMED = {"field.": ""}
"""Beginnings of tensor names that have changed in files: the new one, then the recorded one."""

Found = dict[str, Any]


def digests(tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """SHA-256 of each tensor's bytes, sorted by name."""
    found = {}
    for name, tensor in tensors.items():
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        found[name] = hashlib.sha256(data.tobytes()).hexdigest()
    return dict(sorted(found.items()))


def recorded_name(name: str) -> str:
    """The name of a file's tensor in the recording."""
    for new, old in RENAMED.items():
        if name.startswith(new):
            return old + name.removeprefix(new)
    return name


def command(folder: Path, name: str, *words: str) -> dict[str, Any]:
    """Run the command line, and read what it left in `NAME.field`."""
    out = folder / f"{name}.field"
    line = [sys.executable, "-m", "neurafield", *words, "--out", str(out), "--json"]
    line += ["--threads", str(THREADS)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{name}: exit code {ended.returncode}: {ended.stderr[-2000:]}")
    figures = json.loads(ended.stdout.splitlines()[-1])
    losses = {
        key: value
        for key, value in figures.items()
        if isinstance(value, float) and "seconds" not in key
    }
    return {
        "losses": losses,
        "tensors": digests({recorded_name(k): v for k, v in read_sealed(out)[0].items()}),
    }


def fit(folder: Path, name: str, source: Path, *words: str) -> Found:
    """A fit by the command line, with the loss of every step."""
    log = folder / f"{name}.jsonl"
    found = command(folder, name, "fit", str(source), "--log", str(log), "--seed", "0", *words)
    steps = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
    return {**found, "steps": steps}


def trained(field: nn.Module, problem: Any, **options: Any) -> Found:
    """A fit from Python."""
    steps: list[float] = []
    nf.fit.fit(field, problem, callbacks=[lambda p: steps.append(p.loss)], seed=0, **options)
    return {"losses": {}, "steps": steps, "tensors": digests(field.state_dict())}


def picture(folder: Path) -> Path:
    """A smooth picture with an edge and some noise, from a closed form."""
    y, x = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 80), indexing="ij")
    noise = np.random.default_rng(0).normal(scale=0.05, size=y.shape)
    values = [np.sin(9 * x * y + k) + (x**2 + y**2 < 0.4) + noise for k in range(3)]
    pixels = np.clip(96 + 50 * np.stack(values, axis=-1), 0, 255).astype(np.uint8)
    path = folder / "picture.png"
    Image.fromarray(pixels).save(path)
    return path


def sound(folder: Path) -> Path:
    import soundfile

    t = np.arange(4000) / 8000
    path = folder / "sound.wav"
    soundfile.write(path, 0.4 * np.sin(2 * np.pi * (220 + 300 * t) * t), 8000, subtype="PCM_16")
    return path


def clip(folder: Path) -> Path:
    import av

    path = folder / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.thread_count = 1
        for frame in range(8):
            rows, columns = np.mgrid[:32, :48]
            grey = 128 + 90 * np.sin((rows + columns) / 6 + frame / 2)
            pixels = np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


def volume(folder: Path) -> Path:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (20, 24, 28)], indexing="ij")
    path = folder / "volume.npy"
    np.save(path, np.exp(-4 * (x**2 + y**2 + z**2)).astype(np.float32))
    return path


def meshes(folder: Path) -> dict[str, Path]:
    """Meshes of a bumpy ball and of a torus; points of the ball with and without normals."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=3)
    bumps = 1 + 0.1 * np.sin(5 * ball.vertices[:, 0]) * np.sin(4 * ball.vertices[:, 1])
    ball.vertices *= bumps[:, None]
    ring = trimesh.creation.torus(0.8, 0.35)
    found = {name: folder / f"{name}" for name in ("ball.ply", "ring.ply")}
    ball.export(found["ball.ply"])
    ring.export(found["ring.ply"])
    clouds = {"points.xyz": [ball.vertices], "oriented.xyz": [ball.vertices, ball.vertex_normals]}
    for name, columns in clouds.items():
        found[name] = folder / name
        np.savetxt(found[name], np.concatenate(columns, axis=1), fmt="%.8f")
    return found


def burgers(optimizer: Callable[[nn.Module], torch.optim.Optimizer], steps: int) -> Found:
    """Burgers' equation with initial and boundary values as constraints."""
    generator = torch.Generator().manual_seed(0)
    u = nf.Field(nf.networks.MLP(2, 1, width=20, depth=2, activation="Tanh", generator=generator))
    equation = nf.maps.Residual(lambda u, x: u.d(0) + u.value * u.d(1) - 0.01 * u.d(1, 1))
    domain = nf.domains.Box((0.0, -1.0), (1.0, 1.0))
    x = torch.linspace(-1, 1, 64)[:, None]
    first = nf.signals.Samples(torch.cat([torch.zeros_like(x), x], dim=1), -torch.sin(torch.pi * x))
    problem = [
        nf.fit.Constraint(
            signal=nf.signals.Interior(domain), map=equation, batch_size=256, refine=2, name="pde"
        ),
        nf.fit.Constraint(signal=first, weight=10.0, name="first"),
    ]
    return trained(u, problem, steps=steps, lr=3e-3, optimizer=optimizer)


def disc(optimizer: Callable[[nn.Module], torch.optim.Optimizer], steps: int) -> Found:
    """Poisson's equation on a disc, with boundary values built in."""
    domain = nf.domains.Ball((0.0, 0.0), 1.0)
    generator = torch.Generator().manual_seed(0)
    network = nf.networks.MLP(2, 1, width=16, depth=2, activation="Tanh", generator=generator)
    u = nf.HardBoundary(nf.Field(network), factor=domain.distance_factor)
    equation = nf.maps.Residual(lambda u, x: u.laplacian + 4.0)
    points = nf.signals.Interior(domain, num_points=300)
    problem = nf.fit.Constraint(signal=points, map=equation)
    return trained(u, problem, steps=steps, optimizer=optimizer)


def all_fits(folder: Path) -> dict[str, Callable[[], Found]]:
    """Every fit by its name."""
    photo, shapes = picture(folder), meshes(folder)
    steps = ("--steps", "40")
    return {
        "image": lambda: fit(folder, "image", photo, "--steps", "120"),
        "image, siren": lambda: fit(folder, "siren", photo, "--arch", "siren", *steps),
        "image, every level": lambda: fit(
            folder, "levels", photo, "--arch", "bacon", "--params", "20000", *steps
        ),
        "sound": lambda: fit(folder, "sound", sound(folder), *steps),
        "clip": lambda: fit(folder, "clip", clip(folder), *steps),
        "volume": lambda: fit(folder, "volume", volume(folder), *steps),
        "mesh": lambda: fit(folder, "mesh", shapes["ball.ply"], *steps),
        "points with normals": lambda: fit(folder, "oriented", shapes["oriented.xyz"], *steps),
        "points without": lambda: fit(folder, "points", shapes["points.xyz"], *steps),
        "occupancy": lambda: fit(
            folder, "occupancy", shapes["ball.ply"], "--quantity", "occupancy", *steps
        ),
        "Poisson image": lambda: command(folder, "poisson", "solve", "poisson-image", str(photo)),
        "Poisson image, siren": lambda: command(
            folder,
            "poisson-siren",
            "solve",
            "poisson-image",
            str(photo),
            "--arch",
            "siren",
            "--seed",
            "0",
            "--steps",
            "20",
        ),
        "Helmholtz": lambda: command(
            folder, "helmholtz", "solve", "helmholtz", "--width", "400", "--wavenumber", "10"
        ),
        "wave": lambda: command(
            folder, "wave", "solve", "wave", "--width", "300", "--sigma", "0.1"
        ),
        "Burgers, Adam": lambda: burgers(nf.fit.default_optimizer, 60),
        "Burgers, L-BFGS": lambda: burgers(nf.fit.lbfgs, 10),
        "disc, Gauss-Newton": lambda: disc(nf.fit.gauss_newton, 8),
        "morph": lambda: command(
            folder,
            "morph",
            "solve",
            "morph",
            str(shapes["ball.ply"]),
            str(shapes["ring.ply"]),
            "--steps",
            "3",
            "--points",
            "600",
            "--width",
            "24",
        ),
    }


def differences(before: Found, after: Found) -> list[str]:
    """Names of what is not the same: losses, steps, tensors, and tensors that only one has."""
    found = []
    for part in ("losses", "tensors"):
        old, new = before.get(part, {}), after.get(part, {})
        found += [
            f"{part} {name}"
            for name in sorted(old.keys() | new.keys())
            if old.get(name) != new.get(name)
        ]
    if before.get("steps") != after.get("steps"):
        found.append("losses of the steps")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of short fits, before and after a change.")
    parser.add_argument("--record", type=Path, help="write them to this file")
    parser.add_argument("--against", type=Path, help="compare with this file (default: committed)")
    parser.add_argument("--only", nargs="+", default=[""], help="parts of names")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    before = {} if arguments.record else json.loads((arguments.against or RECORDED).read_text())
    found: dict[str, Any] = {}
    changed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, run in all_fits(Path(folder)).items():
            if not any(part in name for part in arguments.only):
                continue
            found[name] = run()
            if arguments.record:
                print(f"{name}: {len(found[name]['tensors'])} tensors", flush=True)
                continue
            off = differences(before["fits"][name], found[name])
            changed += bool(off)
            print(f"{name}: {'the same' if not off else 'differs: ' + '; '.join(off)}", flush=True)
    if arguments.record:
        about = {"machine": system.describe(), "threads": THREADS}
        arguments.record.write_text(json.dumps({**about, "fits": found}, indent=1) + "\n")
    sys.exit(changed > 0)


if __name__ == "__main__":
    main()
