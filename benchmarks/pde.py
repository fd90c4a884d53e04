"""Time to a relative error of 1 % on equations, compared with DeepXDE in one run.

DeepXDE uses the settings of its examples (`Poisson_Lshape.py`, also for the square, and
`Burgers.py`: points, network, Adam, then L-BFGS) with torch as its backend. It runs in float32, its
default, for Poisson, and in float64 for Burgers, as its documentation advises where L-BFGS stops
early in float32. L-BFGS is checked every 50 iterations instead of every 1,000, so that no surplus
iterations are timed. Errors are measured on the same points, and not timed.

    python -m benchmarks.pde [square|poisson|burgers] [rounds] [seconds at most]
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import torch
from torch import Tensor, nn

from neurafield import Field, HardBoundary
from neurafield.derivatives import Derivatives
from neurafield.domains import Box
from neurafield.fit import Constraint, Progress, fit, gauss_newton
from neurafield.maps import Residual
from neurafield.networks import MLP
from neurafield.signals import Boundary, Interior, Samples

from .harness import write_result

os.environ["DDE_BACKEND"] = "pytorch"
TARGET = 0.01
VISCOSITY = 0.01 / np.pi
L_SHAPE = Box.cube(2) - Box((0.0, 0.0), (1.0, 1.0))


class Watch:
    """Measures the error at intervals, with the clock stopped meanwhile."""

    def __init__(self, points: np.ndarray, truth: np.ndarray, most: float) -> None:
        self.points, self.truth, self.most = points, truth, most
        self.curve: list[tuple[float, float]] = []
        self._begun, self._paused = time.perf_counter(), 0.0

    def look(self, predict: Callable[[np.ndarray], np.ndarray]) -> bool:
        """Measures the error; returns True to continue."""
        now = time.perf_counter()
        difference = np.linalg.norm(predict(self.points) - self.truth)
        error = float(difference / np.linalg.norm(self.truth))
        self.curve.append((round(now - self._begun - self._paused, 3), error))
        self._paused += time.perf_counter() - now
        return error > TARGET and self.curve[-1][0] < self.most

    def reached(self) -> float | None:
        """Seconds until the target was reached."""
        return next((seconds for seconds, error in self.curve if error <= TARGET), None)


def poisson_reference(n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Solution by five-point differences for a Laplacian of -1 on the L."""
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
    return np.stack([axis[row], axis[column]], axis=1), values


def square_reference() -> tuple[np.ndarray, np.ndarray]:
    """sin(pi x) sin(pi y), whose Laplacian is -2 pi^2 times itself."""
    axis = np.linspace(-1, 1, 101)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return points, np.sin(np.pi * points).prod(1)


def burgers_reference() -> tuple[np.ndarray, np.ndarray]:
    """Closed form (Cole-Hopf) on 100 x 256 points (t, x)."""
    t, x = np.meshgrid(np.linspace(0, 0.99, 100), np.linspace(-1, 1, 256), indexing="ij")
    points = np.stack([t.ravel(), x.ravel()], axis=1)
    nodes, weights = np.polynomial.hermite.hermgauss(100)
    origin = points[:, 1:] - np.sqrt(4 * VISCOSITY * points[:, :1]) * nodes
    exponent = -np.cos(np.pi * origin) / (2 * np.pi * VISCOSITY)
    density = weights * np.exp(exponent - exponent.max(1, keepdims=True))
    return points, -(density * np.sin(np.pi * origin)).sum(1) / density.sum(1)


def predictor(field: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """A field as a function of arrays."""

    def predict(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return field(torch.from_numpy(points).float())[:, 0].double().numpy()

    return predict


class Corner(nn.Module):
    """A small network of x, y and the singular function of the inward corner of the L."""

    in_dim, out_dim = 2, 1

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.network = MLP(3, 1, width=16, depth=2, activation="Tanh", generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Value of the network."""
        r = x.norm(dim=-1, keepdim=True)
        angle = torch.atan2(-x[..., :1], x[..., 1:]) % (2 * torch.pi)
        return self.network(torch.cat([x, r ** (2 / 3) * torch.sin(2 / 3 * angle)], dim=-1))


def our_square(seed: int, watch: Watch) -> None:
    """Gauss-Newton on fixed points; the boundary is a constraint, as in theirs."""
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    u = Field(MLP(2, 1, width=32, depth=2, activation="Tanh", generator=generator))
    square = Box.cube(2)

    def equation(u: Derivatives, x: Tensor) -> Tensor:
        return u.laplacian + 2 * torch.pi**2 * torch.sin(torch.pi * x).prod(1, keepdim=True)

    problem = [
        Constraint(
            signal=Interior(square, num_points=800), map=Residual(equation), name="equation"
        ),
        Constraint(signal=Boundary(square, num_points=200), weight=100.0, name="boundary"),
    ]
    _fit(u, problem, 200, watch)


def our_poisson(seed: int, watch: Watch, *, corner: bool) -> None:
    """Gauss-Newton on fixed points, with or without the singular function."""
    # DeepXDE changes it.
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    plain = MLP(2, 1, width=32, depth=2, activation="Tanh", generator=generator)
    u: nn.Module = Corner(generator) if corner else Field(plain)
    problem = [
        Constraint(
            signal=Interior(L_SHAPE, num_points=600 if corner else 1200),
            map=Residual(lambda u, x: u.laplacian + 1),
            name="equation",
        ),
        Constraint(signal=Boundary(L_SHAPE, num_points=200), weight=100.0, name="boundary"),
    ]
    _fit(u, problem, 200, watch)


def our_burgers(seed: int, watch: Watch) -> None:
    """Built-in boundary values; every 20 steps new points where the residual is large."""
    torch.set_default_dtype(torch.float32)
    generator = torch.Generator().manual_seed(seed)
    u = HardBoundary(
        Field(MLP(2, 1, width=20, depth=3, activation="Tanh", generator=generator)),
        factor=lambda x: x[..., 0] * (1 - x[..., 1].square()),
        values=lambda x: -torch.sin(torch.pi * x[..., 1:]),
    )
    equation = Residual(lambda u, x: u.d(0) + u.value * u.d(1) - VISCOSITY * u.d(1, 1))
    candidates_of = Interior(Box((0.0, -1.0), (1.0, 1.0)), num_points=10_000)
    for phase in range(15):
        candidates, _ = candidates_of.batch(None, seed=phase, step=0)
        weights = torch.ones(len(candidates))
        if phase:
            residual = equation(u, candidates.float()).detach().abs()[:, 0]
            weights += residual / residual.mean()
        kept = torch.multinomial(weights, 1000, generator=generator)
        samples = Samples(candidates[kept], torch.zeros(len(kept), 1))
        if not _fit(u, [Constraint(signal=samples, map=equation)], 20, watch):
            return


def _fit(u: nn.Module, problem: list[Constraint], steps: int, watch: Watch) -> bool:
    going = [True]

    def callback(progress: Progress) -> None:
        if progress.step % 5 == 0:
            going[0] = watch.look(predictor(u))

    fit(
        u,
        problem,
        steps=steps,
        optimizer=gauss_newton,
        callbacks=[callback],
        should_stop=lambda: not going[0],
    )
    return going[0]


def their_square(seed: int, watch: Watch) -> None:
    """The settings of `Poisson_Lshape.py` on the square."""
    import deepxde as dde

    def source(x: Tensor) -> Tensor:
        return 2 * torch.pi**2 * torch.sin(torch.pi * x).prod(1, keepdim=True)

    _their_poisson(dde, dde.geometry.Rectangle([-1, -1], [1, 1]), source, seed, watch)


def their_poisson(seed: int, watch: Watch) -> None:
    """`Poisson_Lshape.py`."""
    import deepxde as dde

    corners = [[0, 0], [1, 0], [1, -1], [-1, -1], [-1, 1], [0, 1]]
    _their_poisson(dde, dde.geometry.Polygon(corners), lambda x: 1, seed, watch)


def _their_poisson(
    dde: Any, shape: Any, source: Callable[[Tensor], Tensor | int], seed: int, watch: Watch
) -> None:
    """1,200 and 120 points, 4 layers of 50, 50,000 steps, then L-BFGS."""
    dde.config.set_default_float("float32")
    dde.config.set_random_seed(seed)

    def pde(x: Tensor, y: Tensor) -> Tensor:
        second = [dde.grad.hessian(y, x, i=axis, j=axis) for axis in (0, 1)]
        return -second[0] - second[1] - source(x)

    zero = dde.icbc.DirichletBC(shape, lambda x: 0, lambda _, on_boundary: on_boundary)
    data = dde.data.PDE(shape, pde, zero, num_domain=1200, num_boundary=120, num_test=1500)
    network = dde.nn.FNN([2, 50, 50, 50, 50, 1], "tanh", "Glorot uniform")
    _train(dde, dde.Model(data, network), 50_000, watch, lambda points: points)


def their_burgers(seed: int, watch: Watch) -> None:
    """`Burgers.py`: 2,540, 80 and 160 points, 3 layers of 20, 15,000 steps, then L-BFGS."""
    import deepxde as dde

    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)

    def pde(x: Tensor, y: Tensor) -> Tensor:
        along = dde.grad.jacobian(y, x, i=0, j=0)
        in_time = dde.grad.jacobian(y, x, i=0, j=1)
        return in_time + y * along - VISCOSITY * dde.grad.hessian(y, x, i=0, j=0)

    domain = dde.geometry.GeometryXTime(
        dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 0.99)
    )
    ends = dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
    start = dde.icbc.IC(
        domain, lambda x: -np.sin(np.pi * x[:, 0:1]), lambda _, on_initial: on_initial
    )
    data = dde.data.TimePDE(
        domain, pde, [ends, start], num_domain=2540, num_boundary=80, num_initial=160
    )
    network = dde.nn.FNN([2, 20, 20, 20, 1], "tanh", "Glorot normal")
    # Its coordinates are (x, t).
    _train(dde, dde.Model(data, network), 15_000, watch, lambda points: points[:, ::-1].copy())


def _train(
    dde: Any, model: Any, steps: int, watch: Watch, coords: Callable[[np.ndarray], np.ndarray]
) -> None:
    class Look(dde.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.calls, self.every = 0, 100

        def on_epoch_end(self) -> None:
            self.calls += 1
            if self.calls % self.every == 0:
                predict = lambda points: self.model.predict(coords(points))[:, 0]  # noqa: E731
                self.model.stop_training = not watch.look(predict)

    look = Look()
    quiet = 10**9
    model.compile("adam", lr=1e-3)
    model.train(iterations=steps, callbacks=[look], display_every=quiet, verbose=0)
    if model.stop_training:
        return
    dde.optimizers.config.LBFGS_options["iter_per_step"] = 50
    look.every = 1
    model.compile("L-BFGS")
    model.train(callbacks=[look], display_every=quiet, verbose=0)


PROBLEMS: dict[str, tuple[Callable[[], tuple[np.ndarray, np.ndarray]], dict[str, Any]]] = {
    "poisson": (
        poisson_reference,
        {
            "neurafield": lambda seed, watch: our_poisson(seed, watch, corner=True),
            "neurafield, corner not told": lambda s, w: our_poisson(s, w, corner=False),
            "DeepXDE": their_poisson,
        },
    ),
    "square": (square_reference, {"neurafield": our_square, "DeepXDE": their_square}),
    "burgers": (burgers_reference, {"neurafield": our_burgers, "DeepXDE": their_burgers}),
}


def main() -> None:
    """Run the named problem, or all; report medians over seeds."""
    names = sys.argv[1:2] if sys.argv[1:] else list(PROBLEMS)
    rounds = int(sys.argv[2]) if sys.argv[2:] else 3
    most = float(sys.argv[3]) if sys.argv[3:] else 1200.0
    for name in names:
        reference, contenders = PROBLEMS[name]
        points, truth = reference()
        # One-time compilation and imports are not timed.
        for solve in contenders.values():
            solve(99, Watch(points, truth, 0.0))
        watches: dict[str, list[Watch]] = {contender: [] for contender in contenders}
        for seed in range(rounds):
            for contender, solve in contenders.items():
                watch = Watch(points, truth, most)
                solve(seed, watch)
                watches[contender].append(watch)
        write_result(f"pde_{name}", {key: summary(seen) for key, seen in watches.items()})


def summary(watches: list[Watch]) -> dict[str, Any]:
    """Seconds to the target for each seed, their median if all reached it, and the errors."""
    seconds = [watch.reached() for watch in watches]
    known = [value for value in seconds if value is not None]
    return {
        "seconds": seconds,
        "median": statistics.median(known) if len(known) == len(seconds) else None,
        "best_errors": [float(f"{min(e for _, e in watch.curve):.3g}") for watch in watches],
        "curves": [
            [(s, float(f"{e:.3g}")) for s, e in watch.curve[:: max(1, len(watch.curve) // 30)]]
            for watch in watches
        ],
    }


if __name__ == "__main__":
    main()
