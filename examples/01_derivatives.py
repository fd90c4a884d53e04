"""# Derivatives of a field

A SIREN fitted to a photograph is a smooth function, so it has a gradient and a Laplacian
everywhere, also between the pixels. We render both and check them against finite differences. Run
it with `python examples/01_derivatives.py`.
"""

from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image

import neurafield as nf
from neurafield.derivatives import operators

# %% A field to differentiate.
photo = nf.signals.Image.from_array(skimage.data.camera()[::4, ::4].copy())
generator = torch.Generator().manual_seed(0)
field = nf.Field(nf.networks.Siren(2, 1, width=128, depth=3, generator=generator))
nf.fit.fit(field, nf.fit.Constraint(signal=photo, batch_size=4096), steps=500, lr=1e-3)

# %% Value, gradient magnitude and Laplacian at 3 x 3 points per pixel, in a single pass.
fine = photo.layout.resized(scale=3)
coords = fine.grid.coords(np.arange(fine.grid.num_samples))
parts: dict[str, list[torch.Tensor]] = {"value": [], "slope": [], "laplacian": []}
with torch.no_grad():
    for x in coords.split(8192):
        u = field.jet(x)
        parts["value"].append(u.value[:, 0])
        parts["slope"].append(u.jacobian[:, 0].norm(dim=-1))
        parts["laplacian"].append(u.laplacian[:, 0])

# %% The Laplacian by finite differences, in float64. Exact derivatives need no step size.
x, step = coords[::5000].double(), 1e-4
exact = operators.laplacian(field.double(), x)
differences = sum(
    (field(x + offset) - 2 * field(x) + field(x - offset)) / step**2
    for offset in step * torch.eye(2, dtype=torch.float64)
)
error = (exact - differences).norm() / exact.norm()
print(f"Laplacian against finite differences: {error.item():.1e}")
assert error < 1e-3

# %% Pictures, each from its 1st to its 99th percentile.
out = Path("out/derivatives")
out.mkdir(parents=True, exist_ok=True)
for name, values in parts.items():
    picture = torch.cat(values).reshape(fine.shape).numpy()
    low, high = np.percentile(picture, [1, 99])
    grey = (255 * (picture - low) / (high - low)).clip(0, 255).astype(np.uint8)
    Image.fromarray(grey).save(out / f"{name}.png")
print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}")
