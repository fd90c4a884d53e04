"""# A first field

We fit a small network to a photograph, ask it for pixels that the photograph never had, and save
it in a file. Run it with `python examples/00_first_field.py`.
"""

from pathlib import Path

import skimage.data
import torch

import neurafield as nf

# %% The signal: what was observed. It keeps the file's own pixels and normalises what it draws.
photo = nf.signals.Image.from_array(skimage.data.camera()[::4, ::4].copy())

# %% The field: coordinates (row, column) in [-1, 1] to one grey value in [-1, 1].
generator = torch.Generator().manual_seed(0)
field = nf.Field(nf.networks.Siren(2, 1, width=64, depth=3, generator=generator))

# %% The problem: the field's value at a pixel's centre shall be the pixel.
problem = nf.fit.Constraint(signal=photo, batch_size=4096)

# %% The fit. The same seed gives the same field, to the last bit.
result = nf.fit.fit(field, problem, steps=400, lr=2e-3, seed=0)
quality = nf.fit.metrics.evaluate(field, photo)
print(f"{result.step} steps, {result.seconds:.1f} s, PSNR {quality.psnr:.1f} dB")
assert quality.psnr > 25

# %% A field has a value everywhere, and exact derivatives: here the slope at the middle.
x = torch.zeros(1, 2, requires_grad=True)
(slope,) = torch.autograd.grad(field(x).sum(), x)
print(f"value {field(x).item():.2f}, slope {slope.tolist()[0]}")

# %% Draw it four times as large, and keep it.
out = Path("out/first")
out.mkdir(parents=True, exist_ok=True)
large = photo.layout.resized(scale=4)
large.write(out / "large.png", (large.denormalise(s) for s in nf.signals.render(field, large)))
nf.save(out / "photo.field", field, signal=photo.layout.spec())

# %% The file builds the same field again.
again = nf.load(out / "photo.field").field
assert torch.equal(again(x), field(x))
print(f"{out / 'photo.field'}: {(out / 'photo.field').stat().st_size:,} bytes")
