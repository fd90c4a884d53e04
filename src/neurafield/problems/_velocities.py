r"""Velocities that carry shapes along, with their flow maps.

Notation: s from 0 to 1 the elapsed part of the time; velocities are per whole time.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 64
"""Steps of the Runge-Kutta method over the whole time."""


class AbstractVelocity(ABC):
    """Velocities in space and time."""

    @abstractmethod
    def __call__(self, x: Float[Tensor, "n d"], s: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
        """The velocity at points `x` at times `s`."""

    @abstractmethod
    def origin(self, x: Float[Tensor, "n d"], s: float) -> Float[Tensor, "n d"]:
        """The inverse flow map: positions at the start of the material at `x` at time `s`."""


@dataclass(frozen=True)
class Rotation(AbstractVelocity):
    """A rotation around the origin at constant speed.

    Args:
        turns: Number of turns in the whole time; positive from the first axis to the second.
        axes: Axes of the plane of rotation.
    """

    turns: float = 0.25
    axes: tuple[int, int] = (0, 1)

    def __call__(self, x: Float[Tensor, "n d"], s: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
        i, j = self.axes
        speed = 2 * math.pi * self.turns
        return _in_plane(x, self.axes, -speed * x[:, j], speed * x[:, i])

    def origin(self, x: Float[Tensor, "n d"], s: float) -> Float[Tensor, "n d"]:
        i, j = self.axes
        angle = 2 * math.pi * self.turns * s
        cos, sin = math.cos(angle), math.sin(angle)
        found = x.clone()
        found[:, i] = cos * x[:, i] + sin * x[:, j]
        found[:, j] = cos * x[:, j] - sin * x[:, i]
        return found


@dataclass(frozen=True)
class Vortex(AbstractVelocity):
    r"""A vortex in the square that reverses at half of the time, so that the end is the start.

    $v = 2a \cos(\pi s)\,(-\sin^2(\pi X) \sin(2\pi Y),\ \sin^2(\pi Y) \sin(2\pi X))$ with
    $X, Y \in [0, 1]$ across the square: without divergence, and zero on the sides.

    Args:
        strength: Strength a.
        axes: Axes of the plane of the vortex.

    Reference:
        LeVeque, High-Resolution Conservative Algorithms for Advection in Incompressible Flow, SIAM
        Journal on Numerical Analysis 1996, section 9.5, for a square of side 1.
    """

    strength: float = 1.0
    axes: tuple[int, int] = (0, 1)

    def __call__(self, x: Float[Tensor, "n d"], s: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
        a, b = (math.pi * (x[:, axis] + 1) / 2 for axis in self.axes)
        speed = 2 * self.strength * (math.pi * s[:, 0]).cos()
        along = -speed * a.sin().square() * (2 * b).sin()
        across = speed * b.sin().square() * (2 * a).sin()
        return _in_plane(x, self.axes, along, across)

    def origin(self, x: Float[Tensor, "n d"], s: float) -> Float[Tensor, "n d"]:
        step = s / _STEPS
        for index in range(_STEPS):
            now = torch.full_like(x[:, :1], s - index * step)
            a = self(x, now)
            b = self(x - step / 2 * a, now - step / 2)
            c = self(x - step / 2 * b, now - step / 2)
            d = self(x - step * c, now - step)
            x = x - step / 6 * (a + 2 * b + 2 * c + d)
        return x


def _in_plane(x: Tensor, axes: tuple[int, int], first: Tensor, second: Tensor) -> Tensor:
    parts = list(torch.zeros_like(x).unbind(1))
    parts[axes[0]], parts[axes[1]] = first, second
    return torch.stack(parts, dim=1)
