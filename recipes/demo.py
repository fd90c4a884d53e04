"""`make demo`: fit the camera photograph, draw it at 1x and 4x, and show where it errs.

python -m recipes.demo [--time SECONDS]
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

OUT = Path("out/demo")
SECONDS = 60.0


def neurafield(*arguments: object) -> None:
    """Run the command line as a user would, and stop if it fails."""
    command = [sys.executable, "-m", "neurafield", *map(str, arguments)]
    print("$ neurafield", *arguments, flush=True)
    code = subprocess.call(command)
    if code:
        sys.exit(code)


def error_map(original: Path, rendered: Path, out: Path) -> None:
    """The absolute difference of two grey pictures, five times amplified, as a picture."""
    a, b = (np.asarray(Image.open(path)).astype(np.int16) for path in (original, rendered))
    Image.fromarray(np.clip(5 * np.abs(a - b), 0, 255).astype(np.uint8)).save(out)


def main() -> None:
    """Leave field, renderings and error map in `out/demo/`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--time", type=float, default=SECONDS, help="seconds of fitting")
    seconds = parser.parse_args().time
    OUT.mkdir(parents=True, exist_ok=True)
    photo, field = OUT / "camera.png", OUT / "camera.field"
    Image.fromarray(skimage.data.camera()).save(photo)
    neurafield("fit", photo, "--out", field, "--time", f"{seconds:g}", "--force")
    neurafield("render", field, "--out", OUT / "camera-1x.png", "--force")
    neurafield("render", field, "--out", OUT / "camera-4x.png", "--scale", 4, "--force")
    error_map(photo, OUT / "camera-1x.png", OUT / "camera-error.png")
    print(f"{OUT}: camera.field, camera-1x.png, camera-4x.png, camera-error.png (5x)")


if __name__ == "__main__":
    main()
