r"""Waves of all sources in any medium by one factorisation, and a model of the medium.

Notation: m = 1 + c the squared slowness, c the contrast; A(c) the Helmholtz equation applied to the
hidden units, each row weighted by the root of its area, so that a wave's coefficients are
$z = A(c)^+ f$; P the hidden units at the receivers.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from .._blocks import in_blocks
from ..domains import Ball, Box
from ..fields.field import Field
from ..fit.last_layer import design, last_layer
from ..maps import HelmholtzEquation, Identity, Residual
from ..maps.helmholtz import LAYER, as_complex
from ..signals import Boundary, Interior, Recording
from . import _waves

MODEL_UNITS = 300
"""Hidden units of the contrast: sines of up to twice the wave number."""

_RIDGE = 1e-12
_BLOCK = 1024
_OUTSIDE = 1e3


@dataclass(frozen=True)
class Waves:
    """Waves of all sources in one medium.

    Args:
        coefficients: Coefficients z of the hidden units and the bias, one column per source.
        recorded: Values $P z$ at the receivers.
        waves: Values at the inner points, where the medium is unknown.
        back: Matrix $(P A^+)$ at the inner points, one column per receiver.
        square: Squared wave number $k^2$.
    """

    coefficients: Complex[Tensor, "w s"]
    recorded: Complex[Tensor, "r s"]
    waves: Complex[Tensor, "n s"]
    back: Complex[Tensor, "n r"]
    square: float

    def slope(self, units: Float[Tensor, "n u"]) -> Complex[Tensor, "r s u"]:
        """Derivative of the recorded values with respect to the weights of the contrast."""
        products = [self.back.mT @ (wave[:, None] * units) for wave in self.waves.to(self.back).mT]
        return -self.square * torch.stack(products, dim=1)


class WaveSolver:
    """Solver for the waves of all sources in any medium that differs from 1 at inner points.

    Whatever does not depend on the medium is computed once.

    Args:
        field: Field of two channels with the hidden units for all waves.
        recording: Sources and receivers.
        equation: Equation in the uniform medium.
        num_points: Number of points; see `_waves.constraints`.
        seed: Seed of the points.
    """

    def __init__(
        self,
        field: Field,
        recording: Recording,
        equation: HelmholtzEquation,
        num_points: int,
        seed: int,
    ) -> None:
        exact = _waves.exact(field)
        self.square = equation.wavenumber**2
        x, weight = self._points(recording, num_points, seed)
        is_inner = x.abs().amax(1) < LAYER
        self.inner, self.weight = x[is_inner], weight[is_inner]
        right = [as_complex(_waves.source(x, at))[:, 0] for at in recording.sources.tolist()]
        forces = torch.stack(right, dim=1)
        self.inner_forces = forces[is_inner]
        width = last_layer(field).in_features + 1
        self.gram = torch.zeros(width, width, dtype=torch.complex128)
        self.right = torch.zeros(width, forces.shape[1], dtype=torch.complex128)

        def operator(points: Tensor) -> Tensor:
            rows, _ = design(exact, Residual(equation), points, name="equation")
            # The response of both channels to the first: a complex operator on real units.
            return torch.complex(rows[:, 0, 0], rows[:, 1, 0])

        def units(points: Tensor) -> Tensor:
            return design(exact, Identity(), points, name="units")[0][:, 0, 0]

        outer = ~is_inner
        for points, weights, force in zip(
            x[outer].split(_BLOCK), weight[outer].split(_BLOCK), forces[outer].split(_BLOCK),
            strict=True,
        ):  # fmt: skip
            rows = operator(points)
            weighted = rows.mH * weights
            self.gram += weighted @ rows
            self.right += weighted @ force
        self.operator = in_blocks(operator, self.inner, size=_BLOCK)
        self.units = in_blocks(units, self.inner, size=_BLOCK)
        walls = Boundary(Box.cube(2), 0.0, out_dim=2, num_points=400)
        rows = units(walls.batch(None, seed=seed, step=0)[0])
        self.gram += equation.wavenumber**4 / len(rows) * (rows.mT @ rows)
        self.receivers = units(torch.from_numpy(recording.receivers).double())
        self.receivers = self.receivers.to(torch.complex128)

    def solve(self, contrast: Float[Tensor, " n"]) -> Waves:
        """Waves in the medium with this contrast at the inner points."""
        rows = self.operator + (self.square * contrast)[:, None] * self.units
        weighted = rows.mH * self.weight
        gram = self.gram + weighted @ rows
        scale = gram.diagonal().real.rsqrt()
        gram *= scale * scale[:, None]
        gram.diagonal().add_(_RIDGE)
        factor = torch.linalg.cholesky(gram)

        def invert(right: Tensor) -> Tensor:
            return scale[:, None] * torch.cholesky_solve(scale[:, None] * right, factor)

        z = invert(self.right + weighted @ self.inner_forces)
        back = (rows @ invert(self.receivers.mH)).conj() * self.weight[:, None]
        waves = self.units.to(z) @ z
        return Waves(z, self.receivers @ z, waves, back, self.square)

    @staticmethod
    def _points(
        recording: Recording, num_points: int, seed: int
    ) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
        """Points everywhere, more inside and more at each source; weights are areas."""
        parts: list[tuple[Ball | Box, int]] = [(Box.cube(2), num_points)]
        inside = Box((-LAYER,) * 2, (LAYER,) * 2)
        parts.append((inside, max(1, num_points // 4)))
        for at in recording.sources.tolist():
            parts += _waves.discs(at, num_points)
        x, weight = [], []
        for stream, (part, count) in enumerate(parts):
            signal = Interior(part, num_points=count)
            x.append(signal.batch(None, seed=seed, step=0, stream=stream)[0])
            weight.append(torch.full((count,), _waves.area(part) / count, dtype=torch.float64))
        return torch.cat(x), torch.cat(weight)


class ContrastModel:
    """The contrast as a sum of sines, with a penalty on its roughness.

    Args:
        bandwidth: Largest frequency of the sines, in radians per unit of coordinate.
        region: Half-side of the square outside which the contrast should be 0.
        generator: Source of the sines.
    """

    def __init__(self, bandwidth: float, region: float, generator: torch.Generator) -> None:
        angle = 2 * math.pi * torch.rand(MODEL_UNITS, generator=generator)
        size = bandwidth * torch.rand(MODEL_UNITS, generator=generator).sqrt()
        self.frequencies = size[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
        self.phases = 2 * math.pi * torch.rand(MODEL_UNITS, generator=generator)
        axis = torch.linspace(-LAYER, LAYER, 61, dtype=torch.float64)
        x = torch.cartesian_prod(axis, axis)
        values = self.units(x)
        slopes = self._phase(x).cos()
        outside = values[x.abs().amax(1) > region]
        penalty = _OUTSIDE * outside.mT @ outside
        for frequency in self.frequencies.double().unbind(1):
            penalty += (slopes * frequency).mT @ (slopes * frequency)
        cell = (2 * LAYER / 60) ** 2
        self.penalty = cell * penalty + 1e-6 * torch.eye(MODEL_UNITS, dtype=torch.float64)

    def units(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n u"]:
        """Values of the sines at points."""
        return self._phase(x).sin()

    def _phase(self, x: Tensor) -> Tensor:
        return x @ self.frequencies.double().mT + self.phases.double()
