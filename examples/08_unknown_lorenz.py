"""# Three unknown coefficients: the Lorenz system

A trajectory of `x' = s (y - x)`, `y' = x (r - z) - y`, `z' = x y - b z` was observed at 300 times.
The field is the trajectory; `s`, `r` and `b` are fitted with it. Run it with `python
examples/08_unknown_lorenz.py`.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

import neurafield as nf
from neurafield.derivatives import Derivatives
from neurafield.domains import Box

TRUE = {"s": 10.0, "r": 28.0, "b": 8 / 3}
DURATION = 3.0


# %% The observations, by the Runge-Kutta method with 10 steps between observations.
def slope(p: np.ndarray) -> np.ndarray:
    x, y, z = p
    return np.array([TRUE["s"] * (y - x), x * (TRUE["r"] - z) - y, x * y - TRUE["b"] * z])


states, h = [np.array([-8.0, 7.0, 27.0])], DURATION / 2990
for _ in range(2990):
    p = states[-1]
    a = slope(p)
    b = slope(p + h / 2 * a)
    c = slope(p + h / 2 * b)
    d = slope(p + h * c)
    states.append(p + h / 6 * (a + 2 * b + 2 * c + d))
observed = torch.from_numpy(np.stack(states[::10])).float()

# %% Time runs from -1 to 1, and values are scaled to the order of 1, which suits networks.
MIDDLE, SCALE = torch.tensor([0.0, 0.0, 25.0]), torch.tensor([10.0, 10.0, 15.0])
times = torch.linspace(-1, 1, len(observed))[:, None]
trajectory = nf.signals.Samples(times, (observed - MIDDLE) / SCALE)

# %% The field, from time to three values.
generator = torch.Generator().manual_seed(0)
network = nf.networks.Siren(1, 3, width=30, depth=2, omega_0=6.0, omega=6.0, generator=generator)
field = nf.Field(network)


# %% The equations in scaled units; the unknowns reach the function by their names.
def lorenz(u: Derivatives, t: Tensor, s: Tensor, r: Tensor, b: Tensor) -> Tensor:
    x, y, z = (MIDDLE + SCALE * u.value).unbind(-1)
    expected = torch.stack([s * (y - x), x * (r - z) - y, x * y - b * z], dim=-1)
    return u.d(0) - DURATION / 2 * expected / SCALE


unknowns = {name: nn.Parameter(torch.tensor(1.0)) for name in TRUE}
problem = [
    nf.fit.Constraint(signal=trajectory, weight=1000.0, name="trajectory"),
    nf.fit.Constraint(
        signal=nf.signals.Interior(Box((-1.0,), (1.0,)), out_dim=3, num_points=400),
        map=nf.maps.Residual(lorenz, **unknowns),
        name="lorenz",
    ),
]
history: list[dict[str, float]] = []
result = nf.fit.fit(
    field,
    problem,
    steps=50,
    optimizer=nf.fit.gauss_newton,
    callbacks=[lambda progress: history.append(progress.unknowns)],
)

# %% The check.
found = {name: result.unknowns[f"lorenz.{name}"].item() for name in TRUE}
errors = {name: abs(found[name] / TRUE[name] - 1) for name in TRUE}
for name, error in errors.items():
    print(f"{name} = {found[name]:.4f} (true {TRUE[name]:.4f}), off by {error:.2%}")
print(f"{result.step} steps, {result.seconds:.1f} s, loss {result.loss:.2g}")
assert max(errors.values()) < 0.01

# %% A picture.
out = Path("out/unknown_lorenz.png")
out.parent.mkdir(parents=True, exist_ok=True)
with torch.no_grad():
    path = (MIDDLE + SCALE * field(torch.linspace(-1, 1, 1000)[:, None])).numpy()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for name, true in TRUE.items():
    (line,) = left.plot([step[f"lorenz.{name}"] for step in history], label=name)
    left.axhline(true, linestyle="--", color=line.get_color())
left.set(title="coefficients", xlabel="step")
left.legend()
right.plot(path[:, 0], path[:, 2])
right.plot(observed[:, 0], observed[:, 2], ".", markersize=3)
right.set(title="trajectory", xlabel="x", ylabel="z")
figure.savefig(out)
