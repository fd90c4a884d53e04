"""Features anchored at points, read by a kernel over the nearest ones."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding
from ._nearest import nearest, spatial_order

_SOFTNESS = 0.01
_REST = 1e-6
_SMALLEST = 1e-12


class PointFeatures(AbstractEncoding):
    r"""Average the trained features of the nearest points, by weights that fall with distance.

    $y(x) = \sum_i w_i f_i / \sum_i w_i$ over the $K + 1$ points nearest to $x$, with
    $w_i = \frac{(1 - u_i)^2 + 10^{-6}}{u_i + 0.01}$, $u_i = r_i^2 / R^2$, $r_i$ the distance to
    point $i$ and $R$ that to the last of them, which so has next to no weight. So weights follow
    the density of the points by themselves, and a point comes in and goes out at a part in a
    million: but for that $y$ is continuous. Where points coincide, or all $K + 1$ are within
    1e-6, they share equally. Far from all points $y$ goes to the mean of the nearest. Outside
    [-1, 1] the border's value goes on; a NaN coordinate gives NaN features. The gradient is finite
    everywhere, at a point as well, except for the jumps where another point comes in.

    Where all $K + 1$ are equally near they share equally, and $y$ is steep: it changes within a
    thousandth of their distance. Where more than $K + 1$ are, and none is nearer, chance picks
    among them and $y$ jumps by order $1 / K$. So give points on a lattice $K + 1 \ge 2^d$, and any
    points $K \ge d$: with $K = 1$ the nearest point's feature goes on up to a steep step at the
    next.

    Use when there are points where detail is, such as a scan's. Fails when speed matters: finding
    the nearest points takes longer than reading a grid.

    Cost: $f + d$ numbers a point. A query reads $K + 1$ rows. The search for them looks at a box
    for each block of neighbours (32, of more than 16,000 points a quarter of the root of their
    number), then at the points in the nearest ones: of 10,000 points 20 microseconds on one core in
    two dimensions, 40 in three; of a million 330 in three. At worst, where very many are equally
    near, it looks at all.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_points: Points. Initially they fill the box evenly, by a sequence with a random shift;
            `from_points` places them. They are a buffer: saved, never trained.
        features: Channels.
        num_neighbours: $K$, less than `num_points`.
        generator: Source of the shift and the first features, U(-1e-4, 1e-4). None takes torch's
            global one.

    Raises:
        ValueError: If a size is out of range.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = PointFeatures(3, num_points=500, features=4, generator=g)
        >>> encoding(torch.zeros(7, 3)).shape
        torch.Size([7, 4])

    Reference:
        Xu et al., Point-NeRF: Point-based Neural Radiance Fields, CVPR 2022, equations 2 to 4. We
        differ in three things: their weight is $1 / r_i$, which has a kink at each point and jumps
        where neighbours change; no network or confidence stands between a point's feature and the
        average; and points are neither added nor removed. The window is that of Franke and
        Nielson, Smooth Interpolation of Large Sets of Scattered Data, 1980. The first places:
        Roberts, The Unreasonable Effectiveness of Quasirandom Sequences, 2018.
    """

    points: Tensor

    def __init__(
        self,
        in_dim: int,
        *,
        num_points: int,
        features: int = 4,
        num_neighbours: int = 8,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_points=num_points, low=2, high=2**31)
        check_count(self, features=features, high=2**16)
        check_count(self, num_neighbours=num_neighbours, high=min(256, num_points - 1))
        self.in_dim, self.out_dim = in_dim, features
        self.num_points, self.num_neighbours = num_points, num_neighbours
        shift = torch.rand(in_dim, generator=generator)
        self.register_buffer("points", _even_places(num_points, shift))
        first = torch.empty(num_points, features)
        self.table = nn.Parameter(first.uniform_(-1e-4, 1e-4, generator=generator))

    @classmethod
    def from_points(
        cls,
        points: Float[Tensor, "n d"] | Float[np.ndarray, "n d"],
        *,
        features: int = 4,
        num_neighbours: int = 8,
        generator: torch.Generator | None = None,
    ) -> "PointFeatures":
        """Anchors at given points, in another order.

        Args:
            points: A row each; an array will do. They belong in [-1, 1], where queries are: a point
                beyond is read, but from the border only.
            features: Channels.
            num_neighbours: $K$, less than the number of points.
            generator: Source of the first features. None takes torch's global one.

        Raises:
            ValueError: If points are not finite, not of shape `(n, d)`, or all beyond [-1, 1]; or
                a size is out of range.

        Example:
            >>> scan = torch.rand(500, 3) * 2 - 1
            >>> PointFeatures.from_points(scan, features=8)(torch.zeros(7, 3)).shape
            torch.Size([7, 8])
        """
        points = torch.as_tensor(points)
        if points.ndim != 2 or not bool(points.isfinite().all()):
            raise ValueError(
                f"PointFeatures: expected finite points of shape (n, d), got {tuple(points.shape)}."
            )
        if len(points) and not bool((points.abs() <= 1).all(-1).any()):
            raise ValueError(
                f"PointFeatures: expected points in [-1, 1] on every axis, got {len(points)} and "
                "none there. Shift and scale them to the box."
            )
        made = cls(
            points.shape[1],
            num_points=points.shape[0],
            features=features,
            num_neighbours=num_neighbours,
            generator=generator,
        )
        made.points = points[spatial_order(points)].to(made.points)
        return made

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        # The jet's first stream, so that the formula stands here once.
        check_last_axis(self, x, self.in_dim)
        return self._read(Jet.of_value(x)).value

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        return self._read(x)

    def _read(self, x: Jet) -> Jet:
        dtype = torch.promote_types(x.value.dtype, self.table.dtype)
        nan = x.value.isnan()
        known = torch.where(nan, 0, x.value)
        moving = torch.where((known.abs() <= 1) & ~nan, x.streams[1:], 0)
        inside = known.clamp(-1, 1)
        numbers = torch.arange(self.num_points, device=x.value.device)[:, None]
        found = nearest(inside, self.points, numbers, self.num_neighbours + 1)
        # Neighbours are a new last axis but one, and held fixed. In 64-bit numbers, since much
        # cancels where points nearly coincide.
        away = inside.double()[..., None, :] - self.points[found].double()
        slopes = moving.double()[..., None, :].expand(-1, *away.shape)
        away_jet = Jet(torch.cat([away[None], slopes]), x.weights.double())
        squares = rules.product(away_jet, away_jet).streams.sum(-1)
        together = squares[0, ..., -1:] <= _SMALLEST
        equal = torch.cat([torch.ones_like(squares[:1]), torch.zeros_like(squares[1:])])
        near = Jet(torch.where(together, equal, squares), away_jet.weights)
        reach = Jet(near.streams[..., -1:], near.weights)
        weights = _kernel(rules.product(near, _inverse(reach)))
        total = Jet(weights.streams.sum(-1, keepdim=True), near.weights)
        weights = rules.product(weights, _inverse(total))
        rows = self.table[found].double()
        streams = torch.einsum("p...k,...kf->p...f", weights.streams, rows).to(dtype)
        return Jet(torch.where(nan.any(-1, keepdim=True), torch.nan, streams), x.weights)

    def tables(self) -> list[Tensor]:
        return [self.table]

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "num_points": self.num_points,
            "features": self.out_dim,
            "num_neighbours": self.num_neighbours,
        }


def _kernel(u: Jet) -> Jet:
    """The weight of a point at a squared distance `u`, in units of the reach."""
    window = rules.elementwise(
        u, lambda v: (1 - v) ** 2 + _REST, lambda v: 2 * v - 2, lambda v: 2 + 0 * v
    )
    return rules.product(window, _inverse(u, _SOFTNESS))


def _inverse(x: Jet, offset: float = 0.0) -> Jet:
    """One over what is offset from zero."""
    return rules.elementwise(
        x,
        lambda v: 1 / (v + offset),
        lambda v: -1 / (v + offset) ** 2,
        lambda v: 2 / (v + offset) ** 3,
    )


def _even_places(count: int, shift: Float[Tensor, " d"]) -> Float[Tensor, "n d"]:
    """Points that fill the box evenly: multiples of powers of a generalised golden ratio."""
    dim = len(shift)
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (dim + 1))
    steps = ratio ** -torch.arange(1, dim + 1, dtype=torch.float64)
    places = shift + torch.arange(count, dtype=torch.float64)[:, None] * steps
    points = (2 * (places % 1) - 1).float()
    return points if points.is_meta else points[spatial_order(points)]
