"""Waves of one frequency from a point, in an open medium: the Helmholtz equation."""

import math
import time as clock
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_positive
from ..domains import Ball, Box
from ..errors import ArgumentError, KernelNotice
from ..fields.field import Field
from ..fit import Constraint
from ..fit.last_layer import solve_last_layer
from ..fit.progress import Callback, Progress
from . import _waves
from ._solution import Panel, Solution

FAST = 0.25
"""Squared slowness in the inclusion of the square and the circular medium: twice the speed."""
SQUARE, CIRCLE = 0.3, 0.1
"""Half-side and radius of the inclusions, which lie in the middle."""
_EDGE, _SIZE = 0.45, 181


@dataclass(frozen=True)
class Medium:
    """A medium by name.

    Args:
        balls: Discs with twice the speed, centre and radius.
        boxes: Rectangles with twice the speed, centre and half-sides.
        source: Where the paper puts the source.
    """

    balls: Sequence[tuple[float, float, float]] = ()
    boxes: Sequence[tuple[float, float, float, float]] = ()
    source: tuple[float, float] = (-0.35, 0.0)

    def squared_slowness(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """M."""
        inside = torch.zeros_like(x[:, 0], dtype=torch.bool)
        for a, b, radius in self.balls:
            inside |= (x - x.new_tensor([a, b])).norm(dim=1) < radius
        for a, b, half_a, half_b in self.boxes:
            away = (x - x.new_tensor([a, b])).abs()
            inside |= (away < away.new_tensor([half_a, half_b])).all(1)
        return torch.where(inside, FAST, 1.0).to(x)

    def dense(self) -> list[Ball | Box]:
        """Where the wave is not smooth: the inclusions and a margin."""
        margin = 0.05
        return [
            *(Ball((a, b), radius + margin) for a, b, radius in self.balls),
            *(
                Box((a - p - margin, b - q - margin), (a + p + margin, b + q + margin))
                for a, b, p, q in self.boxes
            ),
        ]


MEDIA = {
    "uniform": Medium(source=(0.0, 0.0)),
    "square": Medium(boxes=[(0.0, 0.0, SQUARE, SQUARE)]),
    "circle": Medium(balls=[(0.0, 0.0, CIRCLE)]),
}


def helmholtz(
    *,
    wavenumber: float = 20.0,
    velocity: str = "uniform",
    source: tuple[float, float] | None = None,
    pml: float = 5.0,
    width: int | None = None,
    num_points: int | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Solution:
    r"""The wave that a small Gaussian source sends out, absorbed at the sides.

    The equation is that of `_waves`: $\Delta u + k^2 m u = f$ in |x|, |y| < 1/2, an absorbing layer
    around it. f is a Gaussian of variance 1e-4 along each axis and total weight 1 + i.

    The field has one wide hidden layer of random waves, and its last layer is solved for by least
    squares: the equation is linear in it. Nothing is trained.

    Args:
        wavenumber: k at squared slowness 1; a wave is 2 pi / k long, the domain is [-1, 1]^2.
        velocity: "uniform" (speed 1); "square" or "circle": speed 2 in |x|, |y| < 0.3 or in
            |x| < 0.1.
        source: Its place; None for the paper's, the middle of the uniform medium, (-0.35, 0) in
            the others.
        pml: $a_0$, the strength of the absorbing layer. A wave that crosses it, is reflected by
            the wall and comes back, is weaker by the factor exp(-k pml / 3). Between 12 / k and
            10 it costs no more than about 5 % of error.
        width: Hidden units; None for 37 a square wavelength of the domain, half as many
            again with an inclusion, between 1,000 and 6,000.
        num_points: Points where the equation is asked for; None for 4 a unit.
        seed: Of hidden units and points.
        callbacks: Told once, at the end.

    Raises:
        ValueError: If an argument is out of range, or the source not inside |x|, |y| < 0.45.

    Warns:
        SamplingNotice: If units or points are too few for waves so short, or the layer is too
            weak or too strong for waves so long, with the number that would do.

    Example:
        >>> found = helmholtz(wavenumber=8.0, width=400)
        >>> found.figures["relative_error"] < 0.05
        True

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.3 and supplement 6. They train a SIREN for 50,000 epochs; walls
        are ours, their layer ends without any.
    """
    started = clock.perf_counter()
    check_positive("helmholtz", wavenumber=wavenumber, pml=pml)
    if velocity not in MEDIA:
        raise ArgumentError(f"helmholtz: expected velocity {', '.join(MEDIA)}, got {velocity!r}.")
    medium = MEDIA[velocity]
    at = medium.source if source is None else (float(source[0]), float(source[1]))
    if not max(map(abs, at)) < _EDGE:
        raise ArgumentError(f"helmholtz: expected a source inside |x|, |y| < {_EDGE}, got {at}.")
    if width is None:
        width = _waves.needed_width(wavenumber, jumps=velocity != "uniform")
    num_points = 4 * width if num_points is None else num_points
    _waves.check_settings("helmholtz", wavenumber, pml, width, num_points)

    generator = torch.Generator().manual_seed(seed)
    field = _waves.wave_field(
        width,
        2,
        wavenumber,
        generator,
        sources=[at],
        balls=medium.balls,
        boxes=medium.boxes,
    )
    equation = _waves.Equation(wavenumber, pml, medium.squared_slowness)
    problem = _waves.constraints(equation, at, num_points, medium.dense())
    loss = solve_last_layer(field, problem, seed=seed)
    seconds = clock.perf_counter() - started
    for callback in callbacks:
        callback(Progress(1, 1.0, seconds, loss, {"equation": loss}, None, 0.0, 0, 0))

    x, u = sample(field)
    figures = {"relative_residual": relative_residual(field, problem, seed=seed + 1)}
    panels = [
        _panel("wave, real part", u.real, signed=True),
        _panel("wave, imaginary part", u.imag, signed=True),
    ]
    if velocity == "uniform":
        outside = (x - x.new_tensor(at)).norm(dim=1) > 5 * math.sqrt(_waves.VARIANCE)
        truth = _waves.outgoing_wave(x, at, wavenumber)
        error = torch.where(outside, u - truth, 0)
        relative = error.norm() / truth[outside].norm()
        figures = {"relative_error": float(relative), **figures}
        shown = torch.where(outside, truth.real, torch.nan)
        missed = torch.where(outside, error.abs(), torch.nan)
        panels += [
            _panel("closed form, real part", shown, signed=True),
            _panel("|error|", missed, scale="error"),
        ]
    else:
        panels.append(_panel("squared slowness", medium.squared_slowness(x), scale="medium"))
    settings = {
        "wavenumber": wavenumber,
        "velocity": velocity,
        "source": list(at),
        "pml": pml,
        "width": width,
        "num_points": num_points,
        "seed": seed,
    }
    return Solution(field, {**figures, "seconds": seconds}, panels, settings=settings)


def relative_residual(field: Field, problem: list[Constraint], *, seed: int) -> float:
    """What is left of the equation and the walls, at points of another seed, relative to f."""
    exact, total = _waves.exact(field), 0.0
    with torch.no_grad(), warnings.catch_warnings():
        # Second derivatives want float64, which the compiled kernels do not have.
        warnings.simplefilter("ignore", KernelNotice)
        for stream, constraint in enumerate(problem):
            x, target = constraint.signal.batch(None, seed=seed, step=0, stream=stream)
            for part, wanted in zip(x.split(1024), target.split(1024), strict=True):
                found = constraint.map(exact, part)
                total += constraint.weight * float((found - wanted).square().sum()) / len(x)
    norm = abs(_waves.AMPLITUDE) ** 2 / (4 * math.pi * _waves.VARIANCE)
    return math.sqrt(total / norm)


def sample(field: Field) -> tuple[Float[Tensor, "n 2"], Tensor]:
    """The wave on a regular grid over |x|, |y| < 0.45, and the grid's points."""
    axis = torch.linspace(-_EDGE, _EDGE, _SIZE, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    with torch.no_grad(), warnings.catch_warnings():
        # A hidden layer as wide as this one is beyond the compiled kernels, and meant to be.
        warnings.simplefilter("ignore", KernelNotice)
        values = torch.cat([field(part.float()) for part in x.split(4096)])
    return x, _waves.paired(values.double())[:, 0]


def _panel(title: str, values: Tensor, **options: Any) -> Panel:
    return Panel(title, values.reshape(_SIZE, _SIZE).numpy(), **options)
