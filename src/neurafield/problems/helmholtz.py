"""The Helmholtz equation: waves of one frequency from a point source in an open medium."""

import math
import time as clock
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._blocks import in_blocks
from ..domains import Ball, Box
from ..errors import ArgumentError, KernelNotice
from ..fields.field import Field
from ..fit import Constraint
from ..fit.last_layer import solve_last_layer
from ..fit.progress import Callback, Progress
from ..maps import HelmholtzEquation
from ..maps.helmholtz import as_complex
from . import _waves
from ._solution import Panel, Solution

FAST = 0.25
"""Squared slowness in an inclusion: twice the speed."""
SQUARE, CIRCLE = 0.3, 0.1
"""Half-side and radius of the inclusions, which are centred."""
_EDGE, _SIZE = 0.45, 181


@dataclass(frozen=True)
class Medium:
    """A medium with inclusions of twice the speed.

    Args:
        balls: Discs `(x, y, radius)`.
        boxes: Rectangles `(x, y, half-width, half-height)`.
        source: Default position of the source, as in the paper.
    """

    balls: Sequence[tuple[float, float, float]] = ()
    boxes: Sequence[tuple[float, float, float, float]] = ()
    source: tuple[float, float] = (-0.35, 0.0)

    def squared_slowness(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """The squared slowness m at points."""
        inside = torch.zeros_like(x[:, 0], dtype=torch.bool)
        for a, b, radius in self.balls:
            inside |= (x - x.new_tensor([a, b])).norm(dim=1) < radius
        for a, b, half_a, half_b in self.boxes:
            away = (x - x.new_tensor([a, b])).abs()
            inside |= (away < away.new_tensor([half_a, half_b])).all(1)
        return torch.where(inside, FAST, 1.0).to(x)

    def dense(self) -> list[Ball | Box]:
        """Regions that need more points: the inclusions with a margin, where waves have kinks."""
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
    r"""Solve for the wave of a small Gaussian source, absorbed at the sides.

    The equation is `maps.HelmholtzEquation`: $\Delta u + k^2 m u = f$ in |x|, |y| < 1/2, with an
    absorbing layer around it. The source f is a Gaussian of variance 1e-4 along each axis and total
    weight 1 + i.

    The field has one wide hidden layer of random waves. Its last layer is found by linear least
    squares, because the equation is linear in it; nothing is trained.

    Args:
        wavenumber: Wave number k at squared slowness 1: the wavelength is 2 pi / k, in the domain
            [-1, 1]^2. From 1e-3 to 1e3.
        velocity: Name of the medium: "uniform" (speed 1), "square" or "circle" (speed 2 in
            |x|, |y| < 0.3 or in |x| < 0.1).
        source: Position of the source; None for the paper's: the centre of the uniform medium,
            (-0.35, 0) in the others.
        pml: Strength $a_0$ of the absorbing layer, up to 1e6. A wave that crosses it,
            is reflected by the wall and comes back is weaker by the factor exp(-k pml / 3). Between
            12 / k and 10 the error is at most about 5 %.
        width: Number of hidden units; None for 37 per square wavelength of the domain, half as
            many again with an inclusion, between 1,000 and 6,000.
        num_points: Number of points at which the equation holds; None for 4 per hidden unit.
        seed: Seed of hidden units and points.
        callbacks: Functions called once, at the end.

    Raises:
        ValueError: If an argument is out of range, or the source is not inside |x|, |y| < 0.45.

    Warns:
        SamplingNotice: If there are too few units or points for the wavelength, or the layer is
            too weak or too strong for it. The message says which number would do.

    Example:
        >>> found = helmholtz(wavenumber=8.0, width=400)
        >>> found.figures["relative_error"] < 0.05
        True

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, section 4.3 and supplement 6. They train a SIREN for 50,000 epochs, and
        their layer ends without walls.
    """
    started = clock.perf_counter()
    _waves.check_waves("helmholtz", wavenumber, pml)
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
    equation = HelmholtzEquation(wavenumber, pml, medium.squared_slowness)
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
    """Residual of the equation and the walls at points of another seed, relative to f."""
    exact, total = _waves.exact(field), 0.0
    with torch.no_grad(), warnings.catch_warnings():
        # Second derivatives need float64, which the compiled kernels do not support.
        warnings.simplefilter("ignore", KernelNotice)
        for stream, constraint in enumerate(problem):
            x, target = constraint.signal.batch(None, seed=seed, step=0, stream=stream)
            for part, wanted in zip(x.split(1024), target.split(1024), strict=True):
                found = constraint.map(exact, part)
                total += constraint.weight * float((found - wanted).square().sum()) / len(x)
    norm = abs(_waves.AMPLITUDE) ** 2 / (4 * math.pi * _waves.VARIANCE)
    return math.sqrt(total / norm)


def sample(field: Field) -> tuple[Float[Tensor, "n 2"], Tensor]:
    """The points of a regular grid over |x|, |y| < 0.45, and the wave there."""
    axis = torch.linspace(-_EDGE, _EDGE, _SIZE, dtype=torch.float64)
    x = torch.cartesian_prod(axis, axis)
    with warnings.catch_warnings():
        # The compiled kernels do not support so wide a hidden layer.
        warnings.simplefilter("ignore", KernelNotice)
        values = in_blocks(field, x, size=4096)
    return x, as_complex(values.double())[:, 0]


def _panel(title: str, values: Tensor, **options: Any) -> Panel:
    return Panel(title, values.reshape(_SIZE, _SIZE).numpy(), **options)
