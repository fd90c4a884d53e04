"""Quality and speed of bfloat16 compared with float32.

A SIREN is fitted to the camera photograph at 128 x 128 in both precisions, from the same parameters
and batches. Without AVX512-BF16 the kernel emulates the roundings in float32: quality is then that
of bfloat16, but times are meaningless.
"""

import numpy as np
import skimage.data
import torch

from neurafield import Field, signals
from neurafield.fit import Constraint, fit, metrics
from neurafield.kernels import library
from neurafield.networks import Siren

from .harness import write_result


def main() -> None:
    """Measure one row per seed and precision."""
    emulated = not library.native().has_bfloat16()
    if emulated:
        setattr(library.native(), "has_bfloat16", lambda: True)  # noqa: B010
    array = skimage.data.camera().reshape(128, 4, 128, 4).mean((1, 3)).round().astype(np.uint8)
    signal = signals.Image.from_array(array)
    figures = {}
    for seed in range(3):
        for bfloat16 in (False, True):
            generator = torch.Generator().manual_seed(seed)
            field = Field(Siren(2, 1, width=128, depth=4, generator=generator))
            result = fit(
                field,
                Constraint(signal=signal, batch_size=4096),
                steps=300,
                lr=1e-3,
                bfloat16=bfloat16,
                seed=seed,
            )
            row = {"psnr": round(metrics.evaluate(field, signal).psnr, 2), "emulated": emulated}
            if not emulated:
                row["seconds"] = round(result.seconds, 2)
            figures[f"{'bfloat16' if bfloat16 else 'float32'}, seed {seed}"] = row
    write_result("bfloat16", figures)


if __name__ == "__main__":
    main()
