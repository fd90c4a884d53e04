"""Enrichment: additional coordinates with the known singularities of a solution."""

import math
from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis, check_positive
from ..derivatives import Jet, rules
from ._base import AbstractEncoding

Rows = Sequence[Sequence[float]]


class Enrichment(AbstractEncoding):
    r"""Append functions with the known singularities of a solution to the coordinates.

    - For a source at a point $c$: $\tfrac{s}{2}\log(|x - c|^2 + \rho^2)$, linear in the logarithm
      of the distance beyond a few $\rho$.
    - For a ball of another material: $\tfrac{j r^2}{8}\max(0, 1 - |x - c|^2 / r^2)^2$, whose second
      derivative jumps by $j$ across the surface.
    - For a box with centre $c$ and half-sides $h_k$: the product over the axes of
      $\max(0, 1 - (x_k - c_k)^2 / h_k^2)^2$, times $j \min_k h_k^2 / 8$.

    Channels are in this order, after the coordinates themselves.

    Use when the singularities of a solution are known: a point source, a corner, a jump of a
    coefficient. The network that follows then only has to learn smooth functions. Fails when
    singularities move or are many: each costs a channel.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        points: Sources, $d$ coordinates each.
        radius: Radius $\rho$ of the sources, in coordinates; the function is smooth below it.
        scale: Scale $s$: a factor of $e$ in distance counts as much as `scale` in a coordinate.
        balls: Balls as centre and radius, $d + 1$ values each.
        boxes: Boxes as centre and half-sides, $2d$ values each.
        jump: Jump $j$ of the second derivative; for $\Delta u + k^2 u = 0$, about the jump in
            $k^2$.

    Raises:
        ValueError: If there are no points, balls or boxes, a row has another length or a value that
            is not finite, or a size is not positive.

    Example:
        >>> lift = Enrichment(2, points=[[0.0, 0.0]], radius=0.01, balls=[[1.0, 0.0, 0.5]])
        >>> lift(torch.tensor([[1.0, 0.0]])).round(decimals=3)
        tensor([[1.0000, 0.0000, 0.0000, 0.0310]])

    Reference:
        Strang and Fix, An Analysis of the Finite Element Method, 1973, section 8.2: singular
        functions beside smooth ones. Here they are inputs of the network instead of being added to
        its output.
    """

    def __init__(
        self,
        in_dim: int,
        *,
        points: Rows = (),
        radius: float = 0.01,
        scale: float = 1.0,
        balls: Rows = (),
        boxes: Rows = (),
        jump: float = 1.0,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_positive(self, radius=radius, scale=scale, jump=jump)
        self.points = _rows("points", points, in_dim)
        self.balls = _rows("balls", balls, in_dim + 1)
        self.boxes = _rows("boxes", boxes, 2 * in_dim)
        for size in [
            *(ball[-1] for ball in self.balls),
            *(h for b in self.boxes for h in b[in_dim:]),
        ]:
            check_positive(self, size=size)
        number = len(self.points) + len(self.balls) + len(self.boxes)
        if not 1 <= number <= 1024:
            raise ValueError(f"Enrichment: expected 1 to 1024 points and shapes, got {number}.")
        self.in_dim, self.out_dim = in_dim, in_dim + number
        self.radius, self.scale, self.jump = float(radius), float(scale), float(jump)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        # The first stream of the jet, so that each formula is written once.
        check_last_axis(self, x, self.in_dim)
        return self._lift(Jet.of_value(x)).value

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return self._lift(x)

    def _lift(self, x: Jet) -> Jet:
        channels = [x]
        for point in self.points:
            square = _sum(_squares(x, point, [1.0] * self.in_dim))
            channels.append(_log(square, self.scale / 2, self.radius**2))
        for *centre, r in self.balls:
            inside = _ramp(_sum(_squares(x, centre, [r] * self.in_dim)))
            channels.append(_times(inside, self.jump * r**2 / 8))
        for box in self.boxes:
            centre, half = box[: self.in_dim], box[self.in_dim :]
            inside = _ramp(_squares(x, centre, half))
            product = _channel(inside, 0)
            for axis in range(1, self.in_dim):
                product = rules.product(product, _channel(inside, axis))
            channels.append(_times(product, self.jump * min(half) ** 2 / 8))
        return rules.concat(channels)

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "points": self.points,
            "radius": self.radius,
            "scale": self.scale,
            "balls": self.balls,
            "boxes": self.boxes,
            "jump": self.jump,
        }


def _rows(name: str, rows: Rows, length: int) -> list[list[float]]:
    found = [[float(value) for value in row] for row in rows]
    for row in found:
        if len(row) != length or not all(map(math.isfinite, row)):
            raise ValueError(
                f"Enrichment: expected {name} of {length} finite values each, got {row}."
            )
    return found


def _squares(x: Jet, centre: list[float], size: list[float]) -> Jet:
    """Squared distance of each coordinate to a centre, in units of a size."""
    scale = 1 / x.value.new_tensor(size)
    away = rules.linear(x, scale.diag(), -x.value.new_tensor(centre) * scale)
    return rules.product(away, away)


def _sum(x: Jet) -> Jet:
    return rules.linear(x, x.value.new_ones(1, x.value.shape[-1]))


def _channel(x: Jet, index: int) -> Jet:
    return Jet(x.streams[..., index : index + 1], x.weights)


def _times(x: Jet, factor: float) -> Jet:
    return Jet(factor * x.streams, x.weights)


def _log(x: Jet, factor: float, offset: float) -> Jet:
    return rules.elementwise(
        x,
        lambda v: factor * (v + offset).log(),
        lambda v: factor / (v + offset),
        lambda v: -factor / (v + offset).square(),
    )


def _ramp(x: Jet) -> Jet:
    """max(0, 1 - x)^2."""
    return rules.elementwise(
        x,
        lambda v: (1 - v).relu().square(),
        lambda v: -2 * (1 - v).relu(),
        lambda v: 2 * (v < 1).to(v.dtype),
    )
