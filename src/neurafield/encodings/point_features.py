"""Features at scattered points, interpolated by a kernel over the nearest ones."""

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
    r"""Average the trained features of the nearest points, with weights that fall with distance.

    $y(x) = \sum_i w_i f_i / \sum_i w_i$ over the $K + 1$ points nearest to $x$, with $w_i =
    \frac{(1 - u_i)^2 + 10^{-6}}{u_i + 0.01}$, $u_i = r_i^2 / R^2$, $r_i$ the distance to point $i$
    and $R$ that to the last of them, whose weight is nearly zero. Weights thus adapt to the density
    of the points, and a point enters or leaves with a weight of about 1e-6; up to such jumps $y$ is
    continuous. Points that coincide, or all $K + 1$ if within 1e-6, have equal weights. Far from
    all points $y$ approaches the mean of the nearest. Outside [-1, 1] the border value is repeated;
    a NaN coordinate gives NaN features. The gradient is finite everywhere, also at the points,
    except at the jumps.

    Where all $K + 1$ are equally near they have equal weights, and $y$ is steep: it changes within
    a thousandth of their distance. Where more than $K + 1$ points tie for nearest, the choice is
    arbitrary and $y$ jumps by order $1 / K$. So use $K + 1 \ge 2^d$ for points on a lattice, and $K
    \ge d$ for any points: with $K = 1$ the feature of the nearest point holds up to a steep step to
    the next.

    Use when points mark where detail is, such as those of a scan. Fails when speed matters: finding
    the nearest points takes longer than reading a grid.

    Cost: $f + d$ values per point. A query reads $K + 1$ rows. The search tests one box per block
        of 32 neighbours ($\sqrt{n} / 4$ for more than 16,000 points), then the points in the
        nearest blocks. On one core, a query takes 20 microseconds for 10,000 points in two
        dimensions, 40 in three, and 330 for a million in three. In the worst case, very many points
        equally near, all are tested.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_points: Number of points. Initially they fill the box evenly, by a low-discrepancy
            sequence with a random shift; `from_points` sets them. They are a buffer: saved, never
            trained.
        features: Channels.
        num_neighbours: Number of neighbours $K$, less than `num_points`.
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
        differ in three ways: their weight is $1 / r_i$, which has a kink at each point and jumps
        where neighbours change; features are averaged without a network or confidence in between;
        and points are neither added nor removed. The window is that of Franke and Nielson, Smooth
        Interpolation of Large Sets of Scattered Data, 1980. The initial points: Roberts, The
        Unreasonable Effectiveness of Quasirandom Sequences, 2018.
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
        self.register_buffer("points", _even_points(num_points, shift))
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
        """Build the encoding of given points, stored in another order.

        Args:
            points: Points as rows of a tensor or array. They should lie in [-1, 1], like queries; a
                point outside is only read from the border.
            features: Channels.
            num_neighbours: Number of neighbours $K$, less than the number of points.
            generator: Source of the initial features. None uses torch's global one.

        Raises:
            ValueError: If points are not finite, not of shape `(n, d)`, or all outside [-1, 1], or
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
        # The first stream of the jet, so that the formula is written once.
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
        simplices = torch.arange(self.num_points, device=x.value.device)[:, None]
        found = nearest(inside, self.points, simplices, self.num_neighbours + 1)
        # Neighbours are fixed, on a new second-to-last axis. In float64, because of cancellation
        # where points nearly coincide.
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
    """Weight of a point at squared distance `u`, in units of the squared radius."""
    window = rules.elementwise(
        u, lambda v: (1 - v) ** 2 + _REST, lambda v: 2 * v - 2, lambda v: 2 + 0 * v
    )
    return rules.product(window, _inverse(u, _SOFTNESS))


def _inverse(x: Jet, offset: float = 0.0) -> Jet:
    """Reciprocal of `x + offset`."""
    return rules.elementwise(
        x,
        lambda v: 1 / (v + offset),
        lambda v: -1 / (v + offset) ** 2,
        lambda v: 2 / (v + offset) ** 3,
    )


def _even_points(count: int, shift: Float[Tensor, " d"]) -> Float[Tensor, "n d"]:
    """Low-discrepancy points in the box: multiples of powers of a generalised golden ratio."""
    dim = len(shift)
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (dim + 1))
    steps = ratio ** -torch.arange(1, dim + 1, dtype=torch.float64)
    sequence = shift + torch.arange(count, dtype=torch.float64)[:, None] * steps
    points = (2 * (sequence % 1) - 1).float()
    return points if points.is_meta else points[spatial_order(points)]
