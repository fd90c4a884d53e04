"""`make demo`: fit the camera photograph, render it at 1x and 4x, and show the error.

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


def neurafield(*arguments: object) -> None:
    """Run the command line as a user would, and stop on failure."""
    command = [sys.executable, "-m", "neurafield", *map(str, arguments)]
    print("$ neurafield", *arguments, flush=True)
    code = subprocess.call(command)
    if code:
        sys.exit(code)


def error_map(original: Path, rendered: Path) -> Image.Image:
    """Absolute difference of two grey pictures, amplified five times."""
    a, b = (np.asarray(Image.open(path)).astype(np.int16) for path in (original, rendered))
    return Image.fromarray(np.clip(5 * np.abs(a - b), 0, 255).astype(np.uint8))


def overview(original: Path, large: Path, error: Image.Image) -> Image.Image:
    """Crops of the photograph, of the rendering at 4x and of the error, side by side."""
    top, left, size = 60, 200, 96
    box = (left, top, left + size, top + size)
    large_box = (4 * left, 4 * top, 4 * (left + size), 4 * (top + size))
    width = 4 * size
    panels = [
        Image.open(original).crop(box).resize((width, width), Image.Resampling.NEAREST),
        Image.open(large).crop(large_box),
        error.crop(box).resize((width, width), Image.Resampling.NEAREST),
    ]
    sheet = Image.new("L", (3 * width + 16, width), 255)
    for index, panel in enumerate(panels):
        sheet.paste(panel, (index * (width + 8), 0))
    return sheet


def main() -> None:
    """Write field, renderings and error map to `out/demo/`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--time", type=float, help="seconds of fitting (default: by steps)")
    seconds = parser.parse_args().time
    bound = () if seconds is None else ("--time", f"{seconds:g}")
    OUT.mkdir(parents=True, exist_ok=True)
    photo, field = OUT / "camera.png", OUT / "camera.field"
    small, large = OUT / "camera-1x.png", OUT / "camera-4x.png"
    Image.fromarray(skimage.data.camera()).save(photo)
    neurafield("fit", photo, "--out", field, "--force", *bound)
    neurafield("render", field, "--out", small, "--force")
    neurafield("render", field, "--out", large, "--scale", 4, "--force")
    error = error_map(photo, small)
    error.save(OUT / "camera-error.png")
    overview(photo, large, error).save(OUT / "overview.png")
    print(f"Look at {OUT / 'overview.png'}: photograph, field at 4x and error.")


if __name__ == "__main__":
    main()
