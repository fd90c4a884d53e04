r"""The Helmholtz equation in an open medium, and fields that can express its waves.

Notation: k the wave number where the squared slowness m is 1, so that a wave is 2 pi / k long
there; waves leave as $e^{-ikr}$ (time goes as $e^{+i\omega t}$). In the absorbing layer, from
|x| = 1/2 to the walls at 1, coordinates are stretched by $e(x) = 1 - i a_0 (2|x| - 1)^2$, which
makes $e^{-ikr}$ decay. Complex numbers are two channels, real part first.

$$\partial_x \left(\frac{e_y}{e_x} \partial_x u\right)
+ \partial_y \left(\frac{e_x}{e_y} \partial_y u\right) + e_x e_y k^2 m\, u = f$$
"""

import copy
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from .._checks import check_count
from ..derivatives import Derivatives
from ..domains import Ball, Box
from ..encodings import Enrichment
from ..errors import SamplingNotice
from ..fields.field import Field
from ..fit import Constraint
from ..maps import Residual
from ..networks import Siren
from ..signals import Boundary, Interior

AMPLITUDE = 1 + 1j
"""Of every source."""
VARIANCE = 1e-4
"""Of the Gaussian that a source is, along each axis."""
BANDWIDTH = 2.4
"""Hidden units go as sin(w x) with |w| up to this times k: waves, and how they begin and end."""
INNER = 0.5
"""Where the absorbing layer begins."""

MAX_WIDTH = 6000
"""Hidden units at most, unless asked for: 6,000 take 2.5 GB and minutes."""
LEAST_UNITS, ENOUGH_UNITS = 30, 37
"""Hidden units a square wavelength: with fewer than the first, errors rise steeply."""
LEAST_CROSSING, STRONGEST = 4.0, 10.0
"""What k a_0 / 3 is at least, and a_0 at most, for errors of about 5 %."""

_SPREAD = math.sqrt(VARIANCE)


def unit(x: Tensor) -> Tensor:
    """A medium in which every wave has the same speed."""
    return torch.ones_like(x[:, 0])


@dataclass(frozen=True)
class Equation:
    """The equation's left side, for one source or several at once.

    Args:
        wavenumber: k.
        absorption: a_0.
        squared_slowness: m, at points `(n, 2)`.
    """

    wavenumber: float
    absorption: float
    squared_slowness: Callable[[Float[Tensor, "n 2"]], Float[Tensor, " n"]] = unit

    def __call__(self, u: Derivatives, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        (ex, dex), (ey, dey) = (self._stretch(x[:, axis]) for axis in (0, 1))
        mass = self.wavenumber**2 * self.squared_slowness(x)
        left = (
            (ey / ex)[:, None] * paired(u.d(0, 0))
            - (ey * dex / ex**2)[:, None] * paired(u.d(0))
            + (ex / ey)[:, None] * paired(u.d(1, 1))
            - (ex * dey / ey**2)[:, None] * paired(u.d(1))
            + (ex * ey * mass)[:, None] * paired(u.value)
        )
        return torch.view_as_real(left).flatten(1)

    def _stretch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        depth = (x.abs() - INNER).clamp(min=0) / (1 - INNER)
        stretch = torch.complex(torch.ones_like(x), -self.absorption * depth.square())
        slope = -2 * self.absorption / (1 - INNER) * depth * x.sign()
        return stretch, torch.complex(torch.zeros_like(x), slope)


def paired(values: Float[Tensor, "n c"]) -> Complex[Tensor, "n s"]:
    """Channels as complex numbers."""
    return torch.view_as_complex(values.unflatten(1, (-1, 2)).contiguous())


def source(x: Float[Tensor, "n 2"], at: Sequence[float]) -> Float[Tensor, "n 2"]:
    """f: a Gaussian of weight `AMPLITUDE`."""
    square = (x - x.new_tensor(at)).square().sum(1)
    density = (-square / 2 / VARIANCE).exp() / (2 * math.pi * VARIANCE)
    return density[:, None] * x.new_tensor([AMPLITUDE.real, AMPLITUDE.imag])


def outgoing_wave(
    x: Float[Tensor, "n 2"], at: Sequence[float], wavenumber: float
) -> Complex[Tensor, " n"]:
    r"""The solution in a uniform medium without walls, from five spreads of the source on.

    $\tfrac{i}{4} H_0^{(2)}(kr)\, e^{-k^2\sigma^2/2}$ times the amplitude: the last factor is what
    spreading the source does to waves outside it.
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
    """One wide hidden layer of waves in all directions, bent by what is singular in the medium.

    Directions are uniform, wave numbers those of points uniform in a disc; the hidden layer stays
    as it is drawn, and the last one is solved for.
    """
    lift = Enrichment(2, points=sources, radius=_SPREAD, balls=balls, boxes=boxes)
    network = Siren(lift.out_dim, out_dim, width=width, depth=1, omega_0=1.0, generator=generator)
    angle = 2 * math.pi * torch.rand(width, generator=generator)
    size = BANDWIDTH * wavenumber * torch.rand(width, generator=generator).sqrt()
    straight = size[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    # Each unit feels one source: felt all at once, five leave thirty times the error.
    felt = torch.randint(len(sources), (width, 1), generator=generator) == torch.arange(
        len(sources)
    )
    logs = 2 * torch.randn(width, len(sources), generator=generator) * felt
    # Half of the units do not feel the jumps, for waves far away from them.
    shapes = (width, len(balls) + len(boxes))
    ramps = wavenumber**2 * (2 * torch.rand(shapes, generator=generator) - 1)
    ramps *= torch.rand(shapes, generator=generator) < 0.5
    first = cast(nn.Linear, network.layers[0])
    with torch.no_grad():
        first.weight.copy_(torch.cat([straight, logs, ramps], dim=1))
        first.bias.copy_(2 * math.pi * torch.rand(width, generator=generator))
    return Field(network, encoding=lift)


def constraints(
    equation: Equation, at: Sequence[float], num_points: int, dense: Sequence[Ball | Box] = ()
) -> list[Constraint]:
    """The equation everywhere and more densely at the source; no wave at the outer walls.

    Weights are areas, so that each term is an integral.

    Args:
        equation: Its left side.
        at: The source.
        num_points: In the whole square; half as many in each of `dense`, fewer at the source.
        dense: Where the medium changes.
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
    # k^2 u is what the equation compares with.
    return [*terms, Constraint(signal=walls, weight=equation.wavenumber**4, name="walls")]


def discs(at: Sequence[float], num_points: int) -> list[tuple[Ball | Box, int]]:
    """Two around a source, ten and three spreads wide, and how many points each gets."""
    return [
        (Ball(tuple(at), 10 * _SPREAD), max(1, num_points // 20)),
        (Ball(tuple(at), 3 * _SPREAD), max(1, num_points // 30)),
    ]


def area(part: Ball | Box) -> float:
    """Of a disc or a rectangle."""
    if isinstance(part, Ball):
        return math.pi * part.radius**2
    low, high = part.bounds
    return (high[0] - low[0]) * (high[1] - low[1])


def exact(field: Field) -> Field:
    """The field in float64, for equations."""
    return copy.deepcopy(field).double().requires_grad_(False)


def needed_width(wavenumber: float, *, jumps: bool = False) -> int:
    """Hidden units that carry a wave number; half as many again where the medium jumps."""
    units = ENOUGH_UNITS * square_waves(wavenumber) * (1.5 if jumps else 1.0)
    return min(MAX_WIDTH, max(1000, round(units)))


def square_waves(wavenumber: float) -> float:
    """Square wavelengths in the domain."""
    return (2 * wavenumber / (2 * math.pi)) ** 2


def check_settings(owner: str, wavenumber: float, pml: float, width: int, num_points: int) -> None:
    """Refuse settings out of range; say which are bad, and which number would do."""
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
    # As from the line that called the owner.
    warnings.warn(message, SamplingNotice, stacklevel=4)
