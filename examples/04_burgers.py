"""# Burgers' equation, with a shock

`u_t + u u_x = nu u_xx` turns a sine into a step of width 0.01. Initial and boundary values are
built in. The collocation points are redrawn every 20 steps, where the residual is large. The closed
form is an integral (Cole-Hopf). Run it with `python examples/04_burgers.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import neurafield as nf
from neurafield.domains import Box

VISCOSITY = 0.01 / np.pi


# %% The closed form: u(t, x) is a mean over origins of the fluid, by Gauss-Hermite quadrature.
def truth(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    origin = x[..., None] - np.sqrt(4 * VISCOSITY * t)[..., None] * nodes
    exponent = -np.cos(np.pi * origin) / (2 * np.pi * VISCOSITY)
    density = weights * np.exp(exponent - exponent.max(-1, keepdims=True))
    return -(density * np.sin(np.pi * origin)).sum(-1) / density.sum(-1)


# %% The field over (t, x): the initial sine, plus a network times a factor that is zero at t = 0
# and at both ends.
domain = Box((0.0, -1.0), (1.0, 1.0))
generator = torch.Generator().manual_seed(0)
network = nf.networks.MLP(2, 1, width=20, depth=3, activation="Tanh", generator=generator)
u = nf.HardBoundary(
    nf.Field(network),
    factor=lambda x: x[..., 0] * (1 - x[..., 1].square()),
    values=lambda x: -torch.sin(torch.pi * x[..., 1:]),
)
equation = nf.maps.Residual(lambda u, x: u.d(0) + u.value * u.d(1) - VISCOSITY * u.d(1, 1))


# %% Points: first uniform, then drawn with a density that grows with the residual.
def choose(phase: int) -> nf.signals.Samples:
    candidates, _ = nf.signals.Interior(domain, num_points=10_000).batch(None, seed=phase, step=0)
    weights = torch.ones(len(candidates))
    if phase:
        residual = equation(u, candidates.float()).detach().abs()[:, 0]
        weights += residual / residual.mean()
    kept = torch.multinomial(weights, 1000, generator=generator)
    return nf.signals.Samples(candidates[kept], torch.zeros(len(kept), 1))


t, x = np.meshgrid(np.linspace(0, 1, 101), np.linspace(-1, 1, 256), indexing="ij")
expected = truth(t, x)
grid = torch.from_numpy(np.stack([t, x], axis=-1)).float()
for phase in range(6):
    problem = nf.fit.Constraint(signal=choose(phase), map=equation)
    result = nf.fit.fit(u, problem, steps=20, optimizer=nf.fit.gauss_newton)
    with torch.no_grad():
        found = u(grid)[..., 0].numpy()
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    print(f"{20 * phase + result.step} steps, loss {result.loss:.2g}, relative error {error:.2%}")
    if error < 0.01:
        break
assert error < 0.02

# %% A picture.
out = Path("out/burgers.png")
out.parent.mkdir(parents=True, exist_ok=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for panel, title, values in zip(
    axes, ("velocity", "error"), (found, np.abs(found - expected)), strict=True
):
    panel.set(title=title, xlabel="x", ylabel="t")
    figure.colorbar(panel.pcolormesh(x, t, values), ax=panel)
figure.savefig(out)
