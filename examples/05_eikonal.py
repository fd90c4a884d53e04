"""# The eikonal equation: distance to a shape

The distance to a shape has a gradient of length 1, and is 0 on the surface. So have many other
functions. A little viscosity, `|grad u|^2 - e Laplacian(u) = 1`, and the direction of the gradient
at the surface leave only the distance. The shape is two discs, whose distance is known in closed
form. Run it with `python examples/05_eikonal.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

import neurafield as nf
from neurafield.domains import Ball, Box

VISCOSITY = 0.02

# %% The domain: a square minus two discs.
shape = Ball((-0.45, 0.0), 0.25) | Ball((0.4, 0.3), 0.35)
domain = Box.cube(2) - shape


def on_shape(x: torch.Tensor) -> torch.Tensor:
    return shape.signed_distance(x).abs() < 1e-6


# %% The field: a small network, added to a bowl that opens outwards. From there the fit converges
# to the distance; from other initial values it may converge to another solution.
generator = torch.Generator().manual_seed(0)
network = nf.networks.MLP(2, 1, width=16, depth=2, activation="Tanh", generator=generator)
u = nf.HardBoundary(
    nf.Field(network),
    factor=lambda x: torch.full_like(x[..., 0], 0.3),
    values=lambda x: (x.square().sum(-1, keepdim=True) + 0.1).sqrt() - 0.5,
)

# %% The problem. On the surface the value is 0, and the derivative along the normal is 1.
Constraint, Residual = nf.fit.Constraint, nf.maps.Residual
surface = nf.signals.Boundary(domain, where=on_shape, num_points=200)


def slope(u: nf.derivatives.Derivatives, x: torch.Tensor) -> torch.Tensor:
    return u.gradient.square().sum(-1, keepdim=True) - 1 - VISCOSITY * u.laplacian


def direction(u: nf.derivatives.Derivatives, x: torch.Tensor) -> torch.Tensor:
    return (u.gradient * shape.normal(x)).sum(-1, keepdim=True) - 1


inside = nf.signals.Interior(domain, num_points=600)
problem = [
    Constraint(signal=inside, map=Residual(slope), name="slope"),
    Constraint(signal=surface, weight=100.0, name="surface"),
    Constraint(signal=surface, map=Residual(direction), name="direction"),
]
result = nf.fit.fit(u, problem, steps=25, optimizer=nf.fit.gauss_newton)
print(f"{result.step} steps, {result.seconds:.1f} s, loss {result.loss:.2g}")

# %% The check, against the true distance.
axis = torch.linspace(-1, 1, 151)
points = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
truth = shape.signed_distance(points)
with torch.no_grad():
    found = u(points)[..., 0]
outside = truth > 0
error = (found - truth)[outside].norm() / truth[outside].norm()
print(f"relative error {error:.2%}")
assert error < 0.03

# %% A picture.
out = Path("out/eikonal.png")
out.parent.mkdir(parents=True, exist_ok=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for panel, title, values in zip(
    axes, ("distance", "error"), (found, (found - truth).abs()), strict=True
):
    panel.set(title=title, aspect="equal")
    shown = torch.where(outside, values, torch.nan)
    rows, columns = points.numpy().transpose(2, 0, 1)
    figure.colorbar(panel.pcolormesh(rows, columns, shown.numpy()), ax=panel)
figure.savefig(out)
