"""The base classes of domains, and the sampling of points from them."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import check_last_axis

_MAX_CANDIDATES = 2**22

Uniform = Callable[[int, int], Float[Tensor, "n k"]]
"""Function that returns the next n points of the k-dimensional unit cube, in float64: random or
quasi-random."""


class AbstractDomain(ABC):
    """A closed set of points with an inside, a boundary and outward normals.

    Domains are joined by `a | b`, intersected by `a & b`, and cut by `a - b`.
    """

    @property
    @abstractmethod
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lowest and highest corner of a bounding box."""

    @property
    @abstractmethod
    def solids(self) -> "tuple[AbstractSolid, ...]":
        """Boxes and balls from which the domain is composed."""

    @abstractmethod
    def contains(self, x: Float[Tensor, "*batch dim"]) -> Bool[Tensor, "*batch"]:
        """Tests whether points lie in the domain."""

    @abstractmethod
    def signed_distance(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """Distance to the boundary, negative inside.

        Exact for a box and a ball. For set operations the sign is exact and the magnitude a lower
        bound (surfaces of parts that are not on the boundary may be nearer).
        """

    @abstractmethod
    def distance_factor(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch"]:
        """A function that is 0 on the boundary, positive inside and negative outside.

        Smooth inside, so that `factor * field` is a smooth field with the value 0 on the boundary.
        Its slope jumps at corners.

        Reference:
            Sukumar and Srivastava, Exact imposition of boundary conditions with distance
            functions in physics-informed deep neural networks, CMAME 2022, section 3.1 (the
            R-functions a + b +- sqrt(a^2 + b^2)). We do not normalise it to a slope of 1.
        """

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.bounds[0])

    def __or__(self, other: "AbstractDomain") -> "AbstractDomain":
        from .pairs import Union

        return Union(self, other)

    def __and__(self, other: "AbstractDomain") -> "AbstractDomain":
        from .pairs import Intersection

        return Intersection(self, other)

    def __sub__(self, other: "AbstractDomain") -> "AbstractDomain":
        from .pairs import Difference

        return Difference(self, other)

    def normal(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Outward unit normals at points of the boundary, which may be off it by rounding."""
        check_last_axis(self, x, self.dim)
        distances = torch.stack([solid.signed_distance(x).abs() for solid in self.solids])
        normals = torch.stack([solid.outward(x) for solid in self.solids])
        nearest = distances.argmin(0)[None, ..., None].expand_as(normals[:1])
        found = normals.gather(0, nearest)[0]
        # The normals of solids that were cut away point into the domain.
        inwards = self.contains(x + self._nudge(x.dtype) * found)
        return torch.where(inwards[..., None], -found, found)

    def interior(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        """Points distributed uniformly over the inside.

        Raises:
            ValueError: If the domain has no interior.
        """
        return self._collect(count, lambda n: self._in_bounds(uniform(n, self.dim)), "an interior")

    def slice(
        self, axis: int, at: float, count: int, uniform: Uniform
    ) -> Float[Tensor, "count dim"]:
        """Points distributed uniformly over the part where one coordinate has a given value.

        Raises:
            ValueError: If the domain has no such part.
        """
        low, high = self.bounds[0][axis], self.bounds[1][axis]
        if not low <= at <= high:
            raise ValueError(
                f"{type(self).__name__}: expected a domain with a part where coordinate {axis} is "
                f"{at:g}, got one between {low:g} and {high:g} there."
            )

        def candidates(n: int) -> Tensor:
            u = uniform(n, self.dim - 1)
            u = torch.cat([u[:, :axis], torch.zeros(n, 1, dtype=u.dtype), u[:, axis:]], dim=1)
            return self._in_bounds(u, {axis: at})

        return self._collect(count, candidates, f"a part where coordinate {axis} is {at:g}")

    def boundary(
        self,
        count: int,
        uniform: Uniform,
        where: Callable[[Tensor], Tensor] | None = None,
    ) -> Float[Tensor, "count dim"]:
        """Points distributed uniformly over the boundary, or its part where `where(x)` is true.

        Raises:
            ValueError: If the domain has no such part, or `where` does not return booleans.
        """
        areas = torch.tensor([solid.area for solid in self.solids], dtype=torch.float64)
        shares = areas.cumsum(0) / areas.sum()
        nudge = self._nudge(torch.float64)

        def candidates(n: int) -> Tensor:
            u = uniform(n, self.dim + 2)
            solid = torch.searchsorted(shares, u[:, -1].contiguous()).clamp(max=len(areas) - 1)
            points = torch.stack([s.surface(u[:, : self.dim]) for s in self.solids])
            x = points.gather(0, solid[None, :, None].expand_as(points[:1]))[0]
            # Where the surfaces of several solids coincide, each proposes the same points.
            offers = sum((s.signed_distance(x).abs() < nudge).long() for s in self.solids)
            x = x[u[:, self.dim] * offers < 1]
            step = nudge * self.normal(x)
            x = x[self.contains(x - step) & ~self.contains(x + step)]
            return x if where is None else x[self._chosen(where, x)]

        part = "a boundary" if where is None else "a boundary where `where(x)` is true"
        return self._collect(count, candidates, part)

    def _chosen(
        self, where: Callable[[Tensor], Tensor], x: Float[Tensor, "n dim"]
    ) -> Bool[Tensor, " n"]:
        chosen = where(x)
        if not isinstance(chosen, Tensor) or chosen.dtype != torch.bool or chosen.numel() != len(x):
            got = (
                f"{chosen.dtype} of shape {tuple(chosen.shape)}"
                if isinstance(chosen, Tensor)
                else repr(chosen)
            )
            raise ValueError(
                f"{type(self).__name__}: expected where(x) to give {len(x)} booleans, one per "
                f"point, got {got}. Compare, as in `x[:, 0] == 0`."
            )
        return chosen.reshape(len(x))

    def _nudge(self, dtype: torch.dtype) -> float:
        """A step well above rounding errors and well below any other length."""
        sizes = [high - low for low, high in zip(*self.bounds, strict=True)]
        return 64 * max(torch.finfo(dtype).eps, 1e-9) * max(sizes)

    def _in_bounds(
        self, u: Float[Tensor, "n dim"], fixed: dict[int, float] | None = None
    ) -> Float[Tensor, "kept dim"]:
        low, high = (torch.tensor(corner, dtype=torch.float64) for corner in self.bounds)
        x = low + (high - low) * u
        for axis, value in (fixed or {}).items():
            x[:, axis] = value
        return x[self.contains(x)]

    def _collect(
        self, count: int, candidates: Callable[[int], Tensor], part: str
    ) -> Float[Tensor, "count dim"]:
        """Rejection sampling: `candidates(n)` returns the accepted ones of n proposals."""
        found, total, tried = [torch.zeros(0, self.dim, dtype=torch.float64)], 0, 0
        while total < count:
            # Missing points divided by the acceptance rate so far, and a few more.
            size = int(1.1 * (count - total) * (tried + 1) / (total + 1)) + 16
            size = min(size, 2**16) if total or not tried else 2**16
            found.append(candidates(size))
            total, tried = total + len(found[-1]), tried + size
            if total == 0 and tried >= _MAX_CANDIDATES:
                raise ValueError(
                    f"{type(self).__name__}: expected a domain with {part}, found no point there "
                    f"among {tried:,} of {self}. Does one part cover or miss the other?"
                )
        return torch.cat(found)[:count]


class AbstractSolid(AbstractDomain):
    """A domain with direct sampling of its surface."""

    @property
    @abstractmethod
    def area(self) -> float:
        """Measure of the surface: number of ends in 1-D, length in 2-D, area in 3-D."""

    @abstractmethod
    def surface(self, u: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        """Map the unit cube to the surface, preserving measure."""

    @abstractmethod
    def outward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Outward direction at points of the surface."""

    @property
    def solids(self) -> "tuple[AbstractSolid, ...]":
        return (self,)
