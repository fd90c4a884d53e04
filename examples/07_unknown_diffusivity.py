"""# An unknown coefficient: the diffusivity of a rod

A rod with cold ends cools down: `u_t = k u_xx`. The initial temperature is known; `k` is not. The
only other data are 200 temperatures with noise of 1 % of the amplitude. The field and `k` are
fitted together. Run it with `python examples/07_unknown_diffusivity.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

import neurafield as nf
from neurafield.domains import Box

TRUE_DIFFUSIVITY = 0.1


# %% The measurements: 200 points of (t, x), with noise.
def initial(x: Tensor) -> Tensor:
    return torch.sin(torch.pi * x) + 0.5 * torch.sin(3 * torch.pi * x)


def truth(t: Tensor, x: Tensor) -> Tensor:
    decay = TRUE_DIFFUSIVITY * torch.pi**2 * t
    long, short = torch.sin(torch.pi * x), 0.5 * torch.sin(3 * torch.pi * x)
    return (-decay).exp() * long + (-9 * decay).exp() * short


generator = torch.Generator().manual_seed(0)
points = torch.rand(200, 2, generator=generator) * torch.tensor([1.0, 2.0]) - torch.tensor([0, 1.0])
noise = 0.01 * torch.randn(200, 1, generator=generator)
temperatures = nf.signals.Samples(points, truth(points[:, :1], points[:, 1:]) + noise)

# %% The field over (t, x), with the initial temperature and the cold ends built in.
network = nf.networks.MLP(2, 1, width=24, depth=2, activation="Tanh", generator=generator)
u = nf.HardBoundary(
    nf.Field(network),
    factor=lambda x: x[..., 0] * (1 - x[..., 1].square()),
    values=lambda x: initial(x[..., 1:]),
)

# %% The equation. The unknown is a parameter that the residual takes by name; its start is far off.
k = nn.Parameter(torch.tensor(0.5))
equation = nf.maps.Residual(lambda u, x, k: u.d(0) - k * u.d(1, 1), k=k)
domain = Box((0.0, -1.0), (1.0, 1.0))
problem = [
    nf.fit.Constraint(signal=temperatures, weight=100.0, name="temperatures"),
    nf.fit.Constraint(
        signal=nf.signals.Interior(domain, num_points=600), map=equation, name="heat"
    ),
]
path: list[float] = []
result = nf.fit.fit(
    u,
    problem,
    steps=40,
    optimizer=nf.fit.gauss_newton,
    callbacks=[lambda progress: path.append(progress.unknowns["heat.k"])],
)

# %% The check.
error = abs(result.unknowns["heat.k"].item() / TRUE_DIFFUSIVITY - 1)
print(f"{result.step} steps, {result.seconds:.1f} s: k = {k.item():.5f}, off by {error:.2%}")
assert error < 0.01

# %% A picture: the convergence of k, and the temperature with the measurements.
out = Path("out/unknown_diffusivity.png")
out.parent.mkdir(parents=True, exist_ok=True)
t, x = torch.meshgrid(torch.linspace(0, 1, 101), torch.linspace(-1, 1, 201), indexing="ij")
with torch.no_grad():
    found = u(torch.stack([t, x], dim=-1))[..., 0]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot([0.5, *path])
left.axhline(TRUE_DIFFUSIVITY, linestyle="--", color="grey")
left.set(title="diffusivity k", xlabel="step")
right.pcolormesh(x.numpy(), t.numpy(), found.numpy())
right.scatter(points[:, 1], points[:, 0], s=6, color="white")
right.set(title="temperature and measurements", xlabel="x", ylabel="t")
figure.savefig(out)
