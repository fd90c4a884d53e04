"""# Poisson's equation on an L

We solve `-Laplacian(u) = 1` with `u = 0` on the boundary of an L: a square without one quarter. The
solution is singular at the inward corner, where it behaves like `r^(2/3)`, so the network gets this
function as an input. Finite differences check the answer. Run it with `python
examples/02_poisson_l_shape.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import nn

import neurafield as nf
from neurafield.domains import Box

# %% The domain: [-1, 1]^2 without [0, 1]^2.
shape = Box.cube(2) - Box((0.0, 0.0), (1.0, 1.0))


# %% The field: a small network of x, y and a function with the same singularity as the solution.
# Any module can be a field; its derivatives are then computed by autodiff.
class CornerField(nn.Module):
    in_dim, out_dim = 2, 1

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.network = nf.networks.MLP(
            3, 1, width=16, depth=2, activation="Tanh", generator=generator
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        r = x.norm(dim=-1, keepdim=True)
        # The angle from one edge of the corner to the other: 0 to 3/2 pi.
        angle = torch.atan2(-x[..., :1], x[..., 1:]) % (2 * torch.pi)
        return self.network(torch.cat([x, r ** (2 / 3) * torch.sin(2 / 3 * angle)], dim=-1))


u = CornerField(torch.Generator().manual_seed(0))

# %% The problem: the equation inside, zero on the boundary. Fixed points, since Gauss-Newton
# compares the loss before and after a step.
equation = nf.maps.Residual(lambda u, x: u.laplacian + 1)
problem = [
    nf.fit.Constraint(
        signal=nf.signals.Interior(shape, num_points=600), map=equation, name="equation"
    ),
    nf.fit.Constraint(
        signal=nf.signals.Boundary(shape, num_points=200), weight=100.0, name="boundary"
    ),
]
result = nf.fit.fit(u, problem, steps=25, optimizer=nf.fit.gauss_newton)
print(f"{result.step} steps, {result.seconds:.1f} s, loss {result.loss:.2g}")


# %% The reference: five-point differences on a grid that contains the corner.
def differences(n: int) -> tuple[np.ndarray, np.ndarray]:
    axis = np.linspace(-1, 1, 2 * n + 1)
    inside = np.zeros((2 * n + 1, 2 * n + 1), dtype=bool)
    inside[1:-1, 1:-1] = True
    inside[n:, n:] = False
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    row, column = np.nonzero(inside)
    matrix = scipy.sparse.lil_matrix((len(row), len(row)))
    matrix.setdiag(4.0 * n**2)
    for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        other = number[row + i, column + j]
        matrix[number[row, column][other >= 0], other[other >= 0]] = -1.0 * n**2
    values = scipy.sparse.linalg.spsolve(matrix.tocsc(), np.ones(len(row)))
    points = np.stack([axis[row], axis[column]], axis=1)
    return points, values


points, truth = differences(64)
with torch.no_grad():
    found = u(torch.from_numpy(points).float())[:, 0].numpy()
error = np.linalg.norm(found - truth) / np.linalg.norm(truth)
print(f"relative error {error:.2%}")
assert error < 0.01

# %% A picture.
out = Path("out/poisson_l_shape.png")
out.parent.mkdir(parents=True, exist_ok=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for panel, title, values in zip(
    axes, ("solution", "error"), (found, np.abs(found - truth)), strict=True
):
    panel.set(title=title, aspect="equal")
    figure.colorbar(panel.scatter(*points.T, c=values, s=4, marker="s"), ax=panel)
figure.savefig(out)
