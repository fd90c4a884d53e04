"""Quality of the default field between its training samples.

Pictures are scaled down by two, fitted with the defaults, rendered at the original size and
compared with the original, beside interpolations of the small picture.

python -m benchmarks.between_samples PICTURE...
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import Image

from neurafield import architectures, signals
from neurafield.fit import Constraint, fit, metrics

from .harness import write_result


def main() -> None:
    """Print one row per picture."""
    write_result("between_samples", {Path(p).stem: compared(Path(p)) for p in sys.argv[1:]})


def compared(path: Path) -> dict[str, float]:
    """PSNR of the field and of bilinear and bicubic interpolation, and of the fit."""
    full = np.asarray(Image.open(path).convert("RGB"))
    rows, columns = full.shape[0] // 2, full.shape[1] // 2
    full = full[: 2 * rows, : 2 * columns]
    small = full.reshape(rows, 2, columns, 2, 3).mean((1, 3)).round().astype(np.uint8)
    signal = signals.Image.from_array(small)
    plan = architectures.plan(signal.layout.extent)
    fit(
        plan.field,
        Constraint(signal=signal, batch_size=plan.batch_size),
        steps=plan.steps,
        lr=plan.lr,
        micro_batch=plan.micro_batch,
    )
    layout = signal.layout.resized(size=full.shape[:2])
    drawn = [layout.denormalise(slab) for slab in signals.render(plan.field, layout)]
    by_pillow = {
        name: Image.fromarray(small).resize((2 * columns, 2 * rows), method)
        for name, method in (
            ("bilinear", Image.Resampling.BILINEAR),
            ("bicubic", Image.Resampling.BICUBIC),
        )
    }
    return {
        "field": psnr(np.concatenate(drawn), full),
        **{name: psnr(np.asarray(picture), full) for name, picture in by_pillow.items()},
        "on the samples": round(metrics.evaluate(plan.field, signal).psnr, 2),
    }


def psnr(picture: Shaped[np.ndarray, "..."], truth: Shaped[np.ndarray, "..."]) -> float:
    """PSNR of 8-bit values, in dB."""
    mse = np.square(picture.astype(np.float64) - truth).mean()
    return round(metrics.psnr(float(mse), peak=255.0), 2)


if __name__ == "__main__":
    main()
