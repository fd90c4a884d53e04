"""# Levels of detail

A field can be read at several levels of detail if it is trained at each, with one constraint per
level. We fit a photograph with a band-limited network, whose levels have a known highest frequency,
and with a hash grid, truncated at each level. Then we measure the error and the spectrum of both.
Run it with `python examples/06_levels_of_detail.py`.
"""

from pathlib import Path

import numpy as np
import skimage.data
import torch
from PIL import Image

import neurafield as nf

# %% The photograph, and two fields with four levels. Bandwidths are in cycles across the picture;
# 128 pixels determine 64. The levels of both fields hold up to 8, 16, 32 and 64 cycles.
pixels = skimage.data.camera()[::4, ::4].copy()
photo = nf.signals.Image.from_array(pixels)
generator = torch.Generator().manual_seed(0)
network = nf.networks.Bacon(2, 1, bandwidths=[4, 4, 8, 16, 32], width=64, generator=generator)
grid = nf.encodings.HashGrid(
    2, num_levels=4, features=4, base_resolution=16, finest_resolution=128, generator=generator
)
head = nf.networks.MLP(grid.out_dim, 1, width=64, depth=2, generator=generator)
fields = {"bacon": nf.Field(network), "grid": nf.Field(head, encoding=grid)}


# %% Training: every level should match the photograph as well as possible.
def problem(field: nf.Field) -> list[nf.fit.Constraint]:
    return [
        nf.fit.Constraint(
            signal=photo,
            map=nf.maps.LevelOfDetail(lod),
            batch_size=4096,
            name=f"level {lod}",
        )
        for lod in range(field.num_lods)
    ]


for field in fields.values():
    nf.fit.fit(field, problem(field), steps=300, lr=2e-2)

# %% Reading each level at twice the resolution, so that frequencies above those of pixels show.
fine = photo.layout.resized(scale=2)
coords = fine.grid.coords(np.arange(fine.grid.num_samples))
drawn: dict[str, list[np.ndarray]] = {}
with torch.no_grad():
    for name, field in fields.items():
        levels = [field.at_lod(lod)(coords) for lod in range(field.num_lods)]
        drawn[name] = [values.reshape(fine.shape).double().numpy() for values in levels]


# %% Measuring: PSNR, and the share of the spectral energy above a number of cycles.
def energy_above(picture: np.ndarray, cycles: int) -> float:
    spectrum = np.abs(np.fft.fft2(picture - picture.mean())) ** 2
    along = np.abs(np.fft.fftfreq(len(picture), 1 / len(picture)))
    above = np.maximum(along[:, None], along[None, :]) > cycles
    return float(spectrum[above].sum() / spectrum.sum())


def low_passed(cycles: int) -> float:
    """PSNR of the photograph without higher frequencies: the optimum for such a level."""
    spectrum = np.fft.fft2(pixels / 127.5 - 1)
    along = np.abs(np.fft.fftfreq(len(pixels), 1 / len(pixels)))
    spectrum[np.maximum(along[:, None], along[None, :]) <= cycles] = 0
    return float(10 * np.log10(4 / np.square(np.fft.ifft2(spectrum).real).mean()))


bandwidths = [cycles for cycles, _ in network.level_bandwidths()]
for name, field in fields.items():
    found = [
        nf.fit.metrics.evaluate(field.at_lod(lod), photo).psnr for lod in range(field.num_lods)
    ]
    shares = [energy_above(*each) for each in zip(drawn[name], bandwidths, strict=True)]
    for lod in range(field.num_lods):
        print(
            f"{name} level {lod}: PSNR {found[lod]:.1f} dB, {shares[lod]:.1e} of the energy "
            f"above {bandwidths[lod]} cycles"
        )
    assert found == sorted(found)
    assert found[-1] > found[0] + 2
    if name == "bacon":
        best = [low_passed(cycles) for cycles in bandwidths[:-1]]
        print(f"the photograph, low-passed:  {', '.join(f'{each:.1f}' for each in best)} dB")
        assert all(own < bound + 0.1 for own, bound in zip(found, best, strict=False))
        assert max(shares) < 1e-10  # Rounding.
    else:
        # A grid has kinks, which contain all frequencies, and is not periodic.
        assert min(shares) > 1e-3

# %% The pictures: one row per field, coarsest level first, the photograph last.
original = pixels.repeat(2, axis=0).repeat(2, axis=1)
rows = []
for levels in drawn.values():
    grey = [(127.5 * (values + 1)).clip(0, 255).astype(np.uint8) for values in levels]
    rows.append(np.concatenate([*grey, original], axis=1))
out = Path("out/levels")
out.mkdir(parents=True, exist_ok=True)
Image.fromarray(np.concatenate(rows)).save(out / "levels.jpg", quality=85)
print(f"{out}/levels.jpg")
