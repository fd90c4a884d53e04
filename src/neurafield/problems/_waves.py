r"""Constraints of the Helmholtz equation, and fields that can express its waves.

Notation: that of `maps.helmholtz`; k the wave number, m the squared slowness, $a_0$ the strength of
the absorbing layer, f the source.
"""

import copy
import math
import warnings
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from .._checks import check_count, check_positive
from ..domains import Ball, Box
from ..encodings import Enrichment
from ..errors import ArgumentError, SamplingNotice
from ..fields.field import Field
from ..fit import Constraint
from ..maps import HelmholtzEquation, Residual
from ..networks import Siren
from ..signals import Boundary, Interior

AMPLITUDE = 1 + 1j
"""Total weight of every source."""
VARIANCE = 1e-4
"""Variance of a source, a Gaussian, along each axis."""
BANDWIDTH = 2.4
"""Largest |w| of the hidden units sin(w x), in multiples of k."""

MAX_WIDTH = 6000
"""Largest default number of hidden units: 6,000 take 2.5 GB and minutes."""
LEAST_UNITS, ENOUGH_UNITS = 30, 37
"""Hidden units per square wavelength: with fewer than the first number, errors rise steeply."""
LEAST_CROSSING, STRONGEST = 4.0, 10.0
"""Smallest k a_0 / 3 and largest a_0 for errors of about 5 %."""

SMALLEST_WAVENUMBER, LARGEST_WAVENUMBER = 1e-3, 1e3
"""Wave numbers beyond these make the weights of the equation or its reference vanish."""
LARGEST_PML = 1e6
"""Largest strength of the absorbing layer; its powers must not overflow."""

_SPREAD = math.sqrt(VARIANCE)


def source(x: Float[Tensor, "n 2"], at: Sequence[float]) -> Float[Tensor, "n 2"]:
    """The source f: a Gaussian of total weight `AMPLITUDE`."""
    square = (x - x.new_tensor(at)).square().sum(1)
    density = (-square / 2 / VARIANCE).exp() / (2 * math.pi * VARIANCE)
    return density[:, None] * x.new_tensor([AMPLITUDE.real, AMPLITUDE.imag])


def outgoing_wave(
    x: Float[Tensor, "n 2"], at: Sequence[float], wavenumber: float
) -> Complex[Tensor, " n"]:
    r"""The solution in a uniform medium without walls, farther than five spreads from the source.

    It is $\tfrac{i}{4} H_0^{(2)}(kr)\, e^{-k^2\sigma^2/2}$ times the amplitude. The last factor is
    the effect of a Gaussian source on waves outside it.
    """
    kr = wavenumber * (x - x.new_tensor(at)).norm(dim=1)
    hankel = torch.complex(torch.special.bessel_j0(kr), -torch.special.bessel_y0(kr))
    return 0.25j * AMPLITUDE * math.exp(-(wavenumber**2) * VARIANCE / 2) * hankel


def wave_field(
    width: int,
    out_dim: int,
    wavenumber: float,
    generator: torch.Generator,
    *,
    sources: Sequence[Sequence[float]],
    balls: Sequence[Sequence[float]] = (),
    boxes: Sequence[Sequence[float]] = (),
) -> Field:
    """A field with one wide hidden layer of waves in all directions.

    Wave vectors are uniform in a disc. Enriched inputs bend the waves at sources and at jumps of
    the medium. The hidden layer stays as it is drawn; the last layer is solved for.

    Args:
        width: Number of hidden units.
        out_dim: Number of channels, two per wave.
        wavenumber: Wave number k.
        generator: Source of the hidden layer.
        sources: Positions `(x, y)` of the sources.
        balls: Discs `(x, y, radius)` where the medium jumps.
        boxes: Rectangles `(x, y, half-width, half-height)` where the medium jumps.
    """
    lift = Enrichment(2, points=sources, radius=_SPREAD, balls=balls, boxes=boxes)
    network = Siren(lift.out_dim, out_dim, width=width, depth=1, omega_0=1.0, generator=generator)
    angle = 2 * math.pi * torch.rand(width, generator=generator)
    size = BANDWIDTH * wavenumber * torch.rand(width, generator=generator).sqrt()
    straight = size[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    # Each unit depends on one source. With all five sources in each, errors are 30 times as large.
    felt = torch.randint(len(sources), (width, 1), generator=generator) == torch.arange(
        len(sources)
    )
    logs = 2 * torch.randn(width, len(sources), generator=generator) * felt
    # Half of the units do not depend on the jumps, for waves far away from them.
    shapes = (width, len(balls) + len(boxes))
    ramps = wavenumber**2 * (2 * torch.rand(shapes, generator=generator) - 1)
    ramps *= torch.rand(shapes, generator=generator) < 0.5
    first = cast(nn.Linear, network.layers[0])
    with torch.no_grad():
        first.weight.copy_(torch.cat([straight, logs, ramps], dim=1))
        first.bias.copy_(2 * math.pi * torch.rand(width, generator=generator))
    return Field(network, encoding=lift)


def constraints(
    equation: HelmholtzEquation,
    at: Sequence[float],
    num_points: int,
    dense: Sequence[Ball | Box] = (),
) -> list[Constraint]:
    """The equation in the square, with more points at the source, and zero at the outer walls.

    Weights are areas, so that each term is an integral.

    Args:
        equation: Left side of the equation.
        at: Position of the source.
        num_points: Number of points in the whole square; each of `dense` gets half as many, and
            the source fewer.
        dense: Regions in which the medium changes.
    """
    parts = [(Box.cube(2), num_points), *discs(at, num_points)]
    parts += [(part, num_points // 2) for part in dense]
    terms = [
        Constraint(
            signal=Interior(part, lambda x: source(x, at), out_dim=2, num_points=count),
            map=Residual(equation),
            weight=area(part),
            name=f"equation {index}",
        )
        for index, (part, count) in enumerate(parts)
    ]
    walls = Boundary(Box.cube(2), 0.0, out_dim=2, num_points=400)
    # The weight of k^2 u, a term of the equation.
    return [*terms, Constraint(signal=walls, weight=equation.wavenumber**4, name="walls")]


def discs(at: Sequence[float], num_points: int) -> list[tuple[Ball | Box, int]]:
    """Two discs around a source, ten and three spreads wide, and the number of points of each."""
    return [
        (Ball(tuple(at), 10 * _SPREAD), max(1, num_points // 20)),
        (Ball(tuple(at), 3 * _SPREAD), max(1, num_points // 30)),
    ]


def area(part: Ball | Box) -> float:
    """Area of a disc or a rectangle."""
    if isinstance(part, Ball):
        return math.pi * part.radius**2
    low, high = part.bounds
    return (high[0] - low[0]) * (high[1] - low[1])


def exact(field: Field) -> Field:
    """A copy of the field in float64, for equations."""
    return copy.deepcopy(field).double().requires_grad_(False)


def needed_width(wavenumber: float, *, jumps: bool = False) -> int:
    """Hidden units that a wave number needs, and half as many again where the medium jumps."""
    units = ENOUGH_UNITS * square_waves(wavenumber) * (1.5 if jumps else 1.0)
    return min(MAX_WIDTH, max(1000, round(units)))


def square_waves(wavenumber: float) -> float:
    """Number of square wavelengths in the domain."""
    return (2 * wavenumber / (2 * math.pi)) ** 2


def check_waves(owner: str, wavenumber: float, pml: float) -> None:
    """Require a wave number and a layer for which no value overflows or vanishes.

    Raises:
        ArgumentError: If one is out of range.
    """
    check_positive(owner, wavenumber=wavenumber, pml=pml)
    if not SMALLEST_WAVENUMBER <= wavenumber <= LARGEST_WAVENUMBER:
        raise ArgumentError(
            f"{owner}: expected wavenumber from {SMALLEST_WAVENUMBER:g} to {LARGEST_WAVENUMBER:g}, "
            f"got {wavenumber:g}."
        )
    if pml > LARGEST_PML:
        raise ArgumentError(f"{owner}: expected pml up to {LARGEST_PML:g}, got {pml:g}.")


def check_settings(owner: str, wavenumber: float, pml: float, width: int, num_points: int) -> None:
    """Refuse settings out of range, and warn of poor ones with the value that would do."""
    check_count(owner, width=width, high=2**16)
    check_count(owner, **{"num_points (--points)": num_points}, low=18, high=2**24)
    weakest, strongest = LEAST_CROSSING * 3 / wavenumber, min(STRONGEST, 3 * wavenumber)
    if weakest > strongest:
        _warn(
            f"{owner}: a wave of wave number {wavenumber:g} is too long for this domain, whose "
            "layer cannot absorb it; take a wave number of 2 or more."
        )
    elif pml < weakest:
        _warn(
            f"{owner}: a layer of strength {pml:g} is too weak for wave number {wavenumber:g}, "
            f"waves come back from the walls; take pml={math.ceil(10 * weakest) / 10:g} (--pml)."
        )
    elif pml > strongest:
        _warn(
            f"{owner}: a layer of strength {pml:g} is too strong for the hidden units to follow; "
            f"take pml={strongest:g} (--pml) or less."
        )
    least = math.ceil(LEAST_UNITS * square_waves(wavenumber))
    if width < least:
        largest = math.pi * math.sqrt(width / LEAST_UNITS)
        _warn(
            f"{owner}: {width} hidden units are too few for wave number {wavenumber:g}; take "
            f"width={least} (--width) or more, or a wave number up to {largest:.1f}."
        )
    if num_points < 2 * width:
        _warn(
            f"{owner}: {num_points} points are too few to fix {width} hidden units; take "
            f"num_points={2 * width} (--points) or more."
        )


def _warn(message: str) -> None:
    # The warning points at the line that called the owner.
    warnings.warn(message, SamplingNotice, stacklevel=4)
