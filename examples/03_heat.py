"""# The heat equation

A rod of length 2 with cold ends cools down: `u_t = a u_xx`. Its initial and boundary values are
built into the field exactly, so only the equation remains to be satisfied. The closed form checks
the answer. Run it with `python examples/03_heat.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import neurafield as nf
from neurafield.domains import Box

CONDUCTIVITY = 0.1


# %% The initial state: two waves along the rod; the shorter one decays faster.
def initial(x: Tensor) -> Tensor:
    return torch.sin(torch.pi * x) + 0.5 * torch.sin(3 * torch.pi * x)


def truth(t: Tensor, x: Tensor) -> Tensor:
    decay = CONDUCTIVITY * torch.pi**2 * t
    long, short = torch.sin(torch.pi * x), 0.5 * torch.sin(3 * torch.pi * x)
    return (-decay).exp() * long + (-9 * decay).exp() * short


# %% The field over (t, x): known values, plus a network times a factor that vanishes there.
domain = Box((0.0, -1.0), (1.0, 1.0))
generator = torch.Generator().manual_seed(0)
network = nf.networks.MLP(2, 1, width=24, depth=2, activation="Tanh", generator=generator)
u = nf.HardBoundary(
    nf.Field(network),
    factor=lambda x: x[..., 0] * (1 - x[..., 1].square()),
    values=lambda x: initial(x[..., 1:]),
)

# %% The equation, at quasi-random points.
equation = nf.maps.Residual(lambda u, x: u.d(0) - CONDUCTIVITY * u.d(1, 1))
problem = nf.fit.Constraint(signal=nf.signals.Interior(domain, num_points=600), map=equation)
result = nf.fit.fit(u, problem, steps=60, optimizer=nf.fit.gauss_newton)
print(f"{result.step} steps, {result.seconds:.1f} s, loss {result.loss:.2g}")

# %% The check.
t, x = torch.meshgrid(torch.linspace(0, 1, 101), torch.linspace(-1, 1, 201), indexing="ij")
with torch.no_grad():
    found = u(torch.stack([t, x], dim=-1))[..., 0]
error = (found - truth(t, x)).norm() / truth(t, x).norm()
print(f"relative error {error:.2%}")
assert error < 0.01

# %% A picture.
out = Path("out/heat.png")
out.parent.mkdir(parents=True, exist_ok=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for panel, title, values in zip(
    axes, ("temperature", "error"), (found, (found - truth(t, x)).abs()), strict=True
):
    panel.set(title=title, xlabel="x", ylabel="t")
    figure.colorbar(panel.pcolormesh(x.numpy(), t.numpy(), values.numpy()), ax=panel)
figure.savefig(out)
