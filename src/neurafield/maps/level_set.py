r"""Residuals of level-set equations, for fields over space and time.

Notation: $f(x, \tau)$ is the field; its last coordinate $\tau$ in [-1, 1] is the time, which runs
from `begin` to `end`; $f_t$ is its derivative with respect to the time itself; s in [0, 1] is the
elapsed fraction of the time.

`neurafield.maps` does not export these functions: they fix the scales of time and of space that
`problems` trains with, so only `problems` uses them.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ..derivatives import Derivatives, Jet, operators
from ._base import AbstractMap

Function = Callable[[Tensor], Tensor]
Velocity = Callable[[Float[Tensor, "n d"], Float[Tensor, "n 1"]], Float[Tensor, "n d"]]
"""Function from points and elapsed fractions of the time to velocities, for a duration of 1."""

_FLAT = 1e-4
"""Term added to the squared slope, since curvature is undefined where a field is flat."""


def mean_curvature_residual(duration: float) -> Callable[[Derivatives, Tensor], Tensor]:
    r"""$f_t - |\nabla f| \operatorname{div}(\nabla f / |\nabla f|)$, times the duration.

    The second term is $\Delta f - n^\top H n$ with $n = \nabla f / |\nabla f|$: the sum of all
    principal curvatures of the level set, times the slope.
    """

    def residual(u: Derivatives, x: Tensor) -> Tensor:
        dim = x.shape[1] - 1
        found = _jet(u.field, x)
        slope, along = found.first, found.second
        change = 2 * slope[-1]
        squared = slope[:dim].square()
        bend = (squared * along[:dim]).sum(0)
        row = dim
        for i in range(dim):
            for j in range(i):
                # Along e_i + e_j, minus those along e_i and e_j: twice the mixed derivative.
                twice_mixed = along[row] - along[i] - along[j]
                bend = bend + slope[i] * slope[j] * twice_mixed
                row += 1
        curvature = along[:dim].sum(0) - bend / (squared.sum(0) + _FLAT)
        return change - duration * curvature

    return residual


def transport_residual(velocity: Velocity) -> Callable[[Derivatives, Tensor], Tensor]:
    r"""$f_t + v \cdot \nabla f$, for a duration of 1."""

    def residual(u: Derivatives, x: Tensor) -> Tensor:
        slope = u.gradient
        v = velocity(x[:, :-1], (x[:, -1:] + 1) / 2)
        return 2 * slope[:, -1:] + (v * slope[:, :-1]).sum(1, keepdim=True)

    return residual


class Towards(AbstractMap):
    r"""$(1 - s) f_s - |\nabla f| (g - f)$ at queries (x, time, g): a shape that morphs to g's."""

    def __call__(self, field: Function, query: Float[Tensor, "n k"]) -> Float[Tensor, "n 1"]:
        x, goal = query[:, :-1], query[:, -1:]
        u = Derivatives(field, x)
        slope = u.gradient
        steepness = (slope[:, :-1].square().sum(1, keepdim=True) + _FLAT).sqrt()
        # For t from -1 to 1, 1 - s is (1 - t) / 2, and the derivative by s is twice that by t.
        return (1 - x[:, -1:]) * slope[:, -1:] - steepness * (goal - u.value)


def _jet(field: Function, x: Float[Tensor, "n d"]) -> Jet:
    """First derivatives along all axes; second ones along space axes and their pairwise sums."""
    dim = x.shape[1] - 1
    unit = torch.eye(dim + 1, dtype=x.dtype, device=x.device)
    pairs = [unit[i] + unit[j] for i in range(dim) for j in range(i)]
    directions = torch.stack([*unit[:dim], *pairs, unit[dim]])
    count = len(directions)
    slopes = directions[:, None].expand(count, *x.shape)
    sums = x.new_zeros(count - 1, *x.shape)
    weights = torch.eye(count, dtype=x.dtype, device=x.device)[:-1]
    return operators.jet(field, Jet(torch.cat([x[None], slopes, sums]), weights))
