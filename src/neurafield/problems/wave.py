r"""The wave equation after an initial pulse.

Notation: $u_{tt} = u_{xx} + u_{yy}$, coordinates (t, x, y); s the spread of the pulse; R half the
side of the square.
"""

import math
import time as clock
import warnings
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from .._checks import check_count, check_positive
from ..domains import Box
from ..errors import ArgumentError, KernelNotice, SamplingNotice
from ..fields.field import Field
from ..fit import Constraint
from ..fit.last_layer import solve_last_layer
from ..fit.progress import Callback, Progress
from ..maps import Residual
from ..networks import Siren
from ..signals import Boundary, Interior, Slice
from ..signals.sampling import sobol
from ._solution import Panel, Solution

_SIZE = 161
_MARGIN = 4.0
"""Distance between the front and the sides of the square, in spreads of the pulse."""
_BANDWIDTH = 3.5
"""Largest wave number of the hidden units, in spreads 1 / s of the pulse's spectrum."""
_UNITS_PER_SQUARE = 20
"""Hidden units per square of side s in a quarter of the domain; with 12 the error is 10 %."""
_MAX_WIDTH = 8000
_POINTS_PER_UNIT = 2
_BRIEFEST = 1e-3
"""Shortest distance of the front, in spreads of the pulse; less leaves the sides without area."""
_SMALLEST, _LARGEST = 1e-6, 1e6
"""Range of the spread and the duration; their powers must not overflow."""
PUBLISHED_SIGMA = math.sqrt(5e-4)


def wave(
    *,
    sigma: float = PUBLISHED_SIGMA,
    duration: float = 0.2,
    width: int | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Solution:
    r"""Solve the wave equation from a Gaussian pulse of height 1, at rest at t = 0.

    The field is a SIREN of one hidden layer. Each unit is a plane wave whose frequency is the
    length of its wave vector. The last layer is found by linear least squares, because the equation
    is linear in it; nothing is trained, and no time window has to grow. `recipes.siren_wave` trains
    as published.

    Args:
        sigma: Spread s of the pulse, in units of length; the domain is |x|, |y| <= duration + 4 s.
            The default is the published one.
        duration: Last time; the speed is 1.
        width: Number of hidden units; None for 20 (R / s)^2, between 300 and 8,000.
        seed: Seed of hidden units and points.
        callbacks: Functions called once, at the end.

    Raises:
        ArgumentError: If sigma or duration is not between 1e-6 and 1e6, or the duration is below
            sigma / 1000.

    Warns:
        SamplingNotice: If there are too few units for the spread of the pulse. The message says
            which number would do.

    Example:
        >>> found = wave(sigma=0.1)
        >>> found.figures["relative_error"] < 0.05
        True

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.3 and supplement 5, who train a SIREN on a window that grows.
    """
    started = clock.perf_counter()
    check_positive("wave", sigma=sigma, duration=duration)
    for name, value in (("sigma", sigma), ("duration", duration)):
        if not _SMALLEST <= value <= _LARGEST:
            raise ArgumentError(
                f"wave: expected {name} from {_SMALLEST:g} to {_LARGEST:g}, got {value:g}."
            )
    if duration < _BRIEFEST * sigma:
        raise ArgumentError(
            f"wave: expected duration of at least {_BRIEFEST:g} sigma = {_BRIEFEST * sigma:g}, got "
            f"{duration:g}, in which nothing moves."
        )
    half = duration + _MARGIN * sigma
    squares = (half / sigma) ** 2
    if width is None:
        width = min(_MAX_WIDTH, max(300, round(_UNITS_PER_SQUARE * squares)))
    check_count("wave", width=width, high=2**14)
    if width < 0.75 * _UNITS_PER_SQUARE * squares:
        warnings.warn(
            f"wave: {width} hidden units are too few for a pulse of spread {sigma:g} in a square "
            f"of half-side {half:g}; take width={round(_UNITS_PER_SQUARE * squares)}, a "
            "larger sigma or a shorter duration.",
            SamplingNotice,
            stacklevel=2,
        )
    field = wave_field(width, sigma, torch.Generator().manual_seed(seed))
    domain = Box((0.0, -half, -half), (duration, half, half))
    loss = solve_last_layer(
        field, constraints(domain, sigma, num_points=_POINTS_PER_UNIT * width), seed=seed
    )
    seconds = clock.perf_counter() - started
    for callback in callbacks:
        callback(Progress(1, 1.0, seconds, loss, {"equation": loss}, None, 0.0, 0, 0))

    x = final_points(duration, half)
    with torch.no_grad(), warnings.catch_warnings():
        # The compiled kernels do not support so wide a layer; it is evaluated once.
        warnings.simplefilter("ignore", KernelNotice)
        found = field(x.float()).double()[:, 0]
    truth = exact_wave(x, sigma)
    error = found - truth
    figures = {"relative_error": float(error.norm() / truth.norm()), "loss": loss}
    panels = [
        Panel(f"wave at t = {duration:g}", _picture(found), signed=True),
        Panel("closed form", _picture(truth), signed=True),
        Panel("|error|", _picture(error.abs()), scale="error"),
    ]
    settings = {"sigma": sigma, "duration": duration, "width": width, "seed": seed}
    return Solution(field, {**figures, "seconds": seconds}, panels, settings=settings)


def wave_field(width: int, sigma: float, generator: torch.Generator) -> Field:
    """A field of plane waves whose vectors fill a disc evenly, half of them backwards in time.

    The vectors are quasi-random. Independent ones leave gaps, and the error is five times as large.
    """
    network = Siren(3, 1, width=width, depth=1, omega_0=1.0, generator=generator)
    seed = int(torch.randint(2**31, (), generator=generator))
    u = sobol(width, 4, seed=seed)
    size, angle = _BANDWIDTH / sigma * u[:, 0].sqrt(), 2 * math.pi * u[:, 1]
    signed = torch.where(u[:, 2] < 0.5, size, -size)
    first = cast(nn.Linear, network.layers[0])
    with torch.no_grad():
        first.weight.copy_(torch.stack([signed, size * angle.cos(), size * angle.sin()], dim=1))
        first.bias.copy_(2 * math.pi * u[:, 3])
    return Field(network)


def constraints(domain: Box, sigma: float, *, num_points: int) -> list[Constraint]:
    """The equation inside, the pulse at rest at the start, and zero at the sides.

    Lengths and times are measured in spreads of the pulse.
    """

    def pulse(x: Tensor) -> Tensor:
        return torch.exp(-x[:, 1:].square().sum(1, keepdim=True) / (2 * sigma**2))

    def at_sides(x: Tensor) -> Tensor:
        return x[:, 1:].abs().amax(1) == domain.high[1]

    return [
        Constraint(
            signal=Interior(domain, num_points=num_points),
            map=Residual(lambda u, x: sigma**2 * u.sum_of_second((1.0, -1.0, -1.0))),
            name="equation",
        ),
        Constraint(
            signal=Slice(domain, 0, domain.low[0], pulse, num_points=num_points), name="pulse"
        ),
        Constraint(
            signal=Slice(domain, 0, domain.low[0], num_points=num_points),
            map=Residual(lambda u, x: sigma * u.d(0)),
            name="rest",
        ),
        Constraint(
            signal=Boundary(domain, where=at_sides, num_points=num_points // 2), name="sides"
        ),
    ]


def exact_wave(
    x: Float[Tensor, "n 3"], sigma: float, *, num_nodes: int = 200
) -> Float[Tensor, " n"]:
    r"""The solution in the whole plane: its Hankel transform in time, by Gauss's rule.

    $u = s^2 \int_0^\infty e^{-s^2 k^2 / 2} \cos(kt)\, J_0(kr)\, k\, dk$.
    """
    t, r = x[:, 0].double(), x[:, 1:].double().norm(dim=1)
    nodes, weights = np.polynomial.legendre.leggauss(num_nodes)
    highest = 9.0 / sigma
    found = torch.zeros_like(t)
    for node, weight in zip(highest / 2 * (nodes + 1), highest / 2 * weights, strict=True):
        density = weight * sigma**2 * node * math.exp(-((sigma * node) ** 2) / 2)
        found += density * (node * t).cos() * torch.special.bessel_j0(node * r)
    return found


def final_points(duration: float, half: float) -> Float[Tensor, "n 3"]:
    """A grid over the square at the last time."""
    axis = torch.linspace(-half, half, _SIZE, dtype=torch.float64)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([torch.full_like(rows, duration), rows, columns], dim=-1).reshape(-1, 3)


def _picture(values: Float64[Tensor, " n"]) -> Float64[np.ndarray, "h w"]:
    return values.reshape(_SIZE, _SIZE).numpy()
