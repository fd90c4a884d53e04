"""# A first field

We fit a small network to a photograph, evaluate it between the pixels, and save it to a file. Run
it with `python examples/00_first_field.py`.
"""

from pathlib import Path

import skimage.data
import torch

import neurafield as nf

# %% The signal: the observations. It stores the original pixels and normalises drawn batches.
photo = nf.signals.Image.from_array(skimage.data.camera()[::4, ::4].copy())

# %% The field: coordinates (row, column) in [-1, 1] to one grey value in [-1, 1].
generator = torch.Generator().manual_seed(0)
field = nf.Field(nf.networks.Siren(2, 1, width=64, depth=3, generator=generator))

# %% The problem: the value of the field at the centre of a pixel should be the pixel's value.
problem = nf.fit.Constraint(signal=photo, batch_size=4096)

# %% The fit. The same seed gives the same field, bit for bit.
result = nf.fit.fit(field, problem, steps=400, lr=2e-3, seed=0)
quality = nf.fit.metrics.evaluate(field, photo)
print(f"{result.step} steps, {result.seconds:.1f} s, PSNR {quality.psnr:.1f} dB")
assert quality.psnr > 25

# %% A field has values and exact derivatives everywhere: here the gradient at the centre.
x = torch.zeros(1, 2, requires_grad=True)
(gradient,) = torch.autograd.grad(field(x).sum(), x)
print(f"value {field(x).item():.2f}, gradient {gradient.tolist()[0]}")

# %% Render it four times as large, and save it.
out = Path("out/first")
out.mkdir(parents=True, exist_ok=True)
large = photo.layout.resized(scale=4)
large.write(out / "large.png", (large.denormalise(s) for s in nf.signals.render(field, large)))
nf.save(out / "photo.field", field, signal=photo.layout.spec())

# %% The file restores the same field.
again = nf.load(out / "photo.field").field
assert torch.equal(again(x), field(x))
print(f"{out / 'photo.field'}: {(out / 'photo.field').stat().st_size:,} bytes")
