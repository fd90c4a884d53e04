r"""Surfaces that move: fields over space and time that obey the level-set equation.

$f_t + v \cdot \nabla f = 0$ carries every level set of f along a velocity, and
$f_t = |\nabla f| \operatorname{div}(\nabla f / |\nabla f|)$ moves it by its mean curvature.
Coordinates are (x, y, z, time), each in [-1, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..derivatives.operators import Function
from ..domains import Box
from ..field import Field
from ..fit import Constraint
from ..maps import Residual
from ..networks import Siren
from ..signals import Interior
from ._near import Near, near_start

SPREAD = 0.15
"""Of the layer around the surface in which most points lie."""
_START = 300.0
"""Weight of the beginning: an error there is one at all times."""
_SHOWN = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Plan:
    """How a flow is fitted: by Gauss-Newton, whose steps are few.

    Args:
        width: Hidden units in each of two layers of sines.
        num_points: Where the equation is asked for, a step.
        steps: Of the fit.
        omega: Frequency factors of the sines.
    """

    width: int = 40
    num_points: int = 2500
    steps: int = 40
    omega: float = 3.0

    def field(self, dim: int, seed: int) -> Field:
        """Over space and time."""
        generator = torch.Generator().manual_seed(seed)
        return Field(
            Siren(
                dim + 1,
                1,
                width=self.width,
                depth=2,
                omega_0=self.omega,
                omega=self.omega,
                generator=generator,
            )
        )


def constraints(
    field: Field, start: Function, residual: Callable[..., Any], plan: Plan
) -> list[Constraint]:
    """The equation inside, most of all near the surface; the shape at the beginning."""
    dim = field.in_dim - 1
    return [
        Constraint(
            signal=Near(Interior(Box.cube(dim + 1)), field, SPREAD, hold=10),
            map=Residual(residual),
            batch_size=plan.num_points,
            name="equation",
        ),
        Constraint(
            signal=near_start(start, dim, spread=2 * SPREAD),
            weight=_START,
            batch_size=plan.num_points // 2,
            name="start",
        ),
    ]
