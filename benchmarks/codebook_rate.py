"""Rate and quality of hardened codebook grids: bits per vertex against PSNR on a crop of a picture.

Grids and network are the same at each width; the file sizes are compared. The same grids with plain
features show what the codebook saves.

python -m benchmarks.codebook_rate PICTURE
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from neurafield import Field, field_file, signals
from neurafield.encodings import AbstractEncoding, CodebookGrid, HashGrid
from neurafield.fit import Constraint, fit, metrics
from neurafield.networks import MLP

from .harness import write_result

SIDE, STEPS, BATCH = 256, 1000, 8192
SIZES: dict[str, Any] = {
    "num_levels": 4,
    "features": 4,
    "base_resolution": 16,
    "finest_resolution": 128,
}
CODEBOOK_LR, GRID_LR = 3e-2, 1e-2


def main() -> None:
    """Measure one row per number of bits."""
    path = Path(sys.argv[1])
    full = np.asarray(Image.open(path).convert("RGB"))
    top, left = ((side - SIDE) // 2 for side in full.shape[:2])
    signal = signals.Image.from_array(full[top : top + SIDE, left : left + SIDE].copy())
    rows = {f"{bits} bits": codebook(signal, bits) for bits in (2, 4, 6, 8)}
    generator = torch.Generator().manual_seed(0)
    # No level overflows, so these are dense grids of the same sizes.
    plain = HashGrid(2, log2_table_size=20, generator=generator, **SIZES)
    rows["plain features"] = row(fitted(signal, plain, GRID_LR, generator), signal)
    write_result("codebook_rate", {"picture": {"name": path.name, "side": SIDE}, **rows})


def codebook(signal: signals.Image, bits: int) -> dict[str, Any]:
    """Fit with soft choices, harden, and measure."""
    generator = torch.Generator().manual_seed(0)
    grid = CodebookGrid(2, bits=bits, generator=generator, **SIZES)
    field = fitted(signal, grid, CODEBOOK_LR, generator)
    return row(Field(field.network, encoding=grid.harden()), signal)


def fitted(
    signal: signals.Image, grid: AbstractEncoding, lr: float, generator: torch.Generator
) -> Field:
    """Fitted field of the grid and a small network."""
    network = MLP(grid.out_dim, signal.layout.channels, width=32, depth=2, generator=generator)
    field = Field(network, encoding=grid)
    fit(field, Constraint(signal=signal, batch_size=BATCH), steps=STEPS, lr=lr)
    return field


def row(field: Field, signal: signals.Image) -> dict[str, Any]:
    """Quality, and the size of the file in bits per pixel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rate.field"
        field_file.save(path, field)
        size = path.stat().st_size
    return {
        "psnr": round(metrics.evaluate(field, signal).psnr, 2),
        "file_bytes": size,
        "bits_per_pixel": round(8 * size / SIDE**2, 3),
    }


if __name__ == "__main__":
    main()
