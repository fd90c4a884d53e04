"""Collocation points of differential equations: inside a domain, on its boundary, on a slice."""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor

from .._checks import check_count
from .._fingerprint import function_fingerprint
from ..domains import AbstractDomain, Uniform
from ._base import AbstractSignal
from .sampling import quasi_random, uniform

Target = float | Sequence[float] | Callable[[Float[Tensor, "n dim"]], Float[Tensor, "n out_dim"]]
"""Target at points: one number, one number per channel, or a function of the points."""

_PROBES = 1024


class AbstractCollocation(AbstractSignal):
    """Points of a domain, drawn anew for each batch, with targets.

    Batch `k` depends on the seed, `k` and the stream alone. Points are float64; the loop converts
    them to the field's type.
    """

    domain: AbstractDomain
    target: Target
    num_points: int | None
    resample_every: int

    @abstractmethod
    def points(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        """Points of the domain, made from points of a unit cube."""

    @abstractmethod
    def description(self) -> str:
        """A text that differs for signals with different points."""

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n in_dim"], Float[Tensor, "n out_dim"]]:
        if size is None:
            if self.num_points is None:
                raise ValueError(
                    f"{type(self).__name__}: expected a number of points, got none. Give the "
                    "constraint a batch_size, or this signal num_points for a fixed set."
                )
            x = self.points(self.num_points, quasi_random(seed=seed, stream=stream))
        else:
            turn = step // self.resample_every
            x = self.points(size, uniform(seed=seed, step=turn, stream=stream))
        return x, self.target_at(x)

    def target_at(self, x: Float[Tensor, "n dim"]) -> Float[Tensor, "n out_dim"]:
        """Targets at points.

        Raises:
            ValueError: If the target function returns another shape.
        """
        if not callable(self.target):
            return x.new_tensor(self.target).expand(len(x), self.out_dim)
        values = self.target(x)
        if values.shape != (len(x), self.out_dim):
            raise ValueError(
                f"{type(self).__name__}: expected a target of shape ({len(x)}, {self.out_dim}) "
                f"from {getattr(self.target, '__name__', 'the function')}, got "
                f"{tuple(values.shape)}. Keep the last axis: `x[:, :1]`, not `x[:, 0]`."
            )
        return values.to(x)

    def fingerprint(self) -> str:
        """A hash of the points and the targets; a function contributes its code and many values."""
        digest = hashlib.sha256(self.description().encode())
        digest.update(f"{self.num_points} {self.resample_every} {self.out_dim}".encode())
        x = self.points(_PROBES, quasi_random(seed=0))
        digest.update(x.numpy().tobytes())
        digest.update(self.target_at(x).contiguous().numpy().tobytes())
        digest.update(function_fingerprint(self.target).encode())
        return digest.hexdigest()

    def _settle(
        self,
        domain: AbstractDomain,
        target: Target,
        out_dim: int,
        num_points: int | None,
        resample_every: int,
    ) -> None:
        """Check and keep the arguments, so that errors occur here and not in the loop."""
        check_count(self, out_dim=out_dim, resample_every=resample_every, high=2**32)
        if num_points is not None:
            check_count(self, num_points=num_points, high=2**32)
        if not callable(target):
            values = [float(v) for v in (target if isinstance(target, Sequence) else [target])]
            if len(values) not in (1, out_dim):
                raise ValueError(
                    f"{type(self).__name__}: expected a target of {out_dim} numbers, got {target}."
                )
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"{type(self).__name__}: expected a finite target, got {target}.")
            target = values
        self.domain, self.target = domain, target
        self.num_points, self.resample_every = num_points, resample_every
        self.in_dim, self.out_dim = domain.dim, out_dim
        self.target_at(self.points(2, quasi_random(seed=0)))


class Interior(AbstractCollocation):
    """Points inside a domain, where the residual of an equation should have a value.

    Args:
        domain: Domain of the points.
        target: Target of the map's prediction at the points.
        out_dim: Channels of the target.
        num_points: Size of the fixed quasi-random set, which a constraint without `batch_size`
            takes; optimizers that compare losses of several steps need it.
        resample_every: Number of steps that share a random batch.

    Raises:
        ValueError: If the domain has no interior, or the target has another shape or is not finite.

    Example:
        >>> square = Interior(Box.cube(2), lambda x: x[:, :1] + x[:, 1:])
        >>> x, target = square.batch(5, seed=0, step=0)
        >>> x.shape, target.shape
        (torch.Size([5, 2]), torch.Size([5, 1]))
    """

    def __init__(
        self,
        domain: AbstractDomain,
        target: Target = 0.0,
        *,
        out_dim: int = 1,
        num_points: int | None = None,
        resample_every: int = 1,
    ) -> None:
        self._settle(domain, target, out_dim, num_points, resample_every)

    def points(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        return self.domain.interior(count, uniform)

    def description(self) -> str:
        return f"interior of {self.domain}"


class Boundary(AbstractCollocation):
    """Points on the boundary of a domain, or on a part of it.

    Conditions on the normal derivative get the normals from `domain.normal(x)`.

    Args:
        domain: Domain of the boundary.
        target: Target of the map's prediction at the points.
        where: Function from points `(n, dim)` to booleans that are True for points to keep; None
            keeps all.
        out_dim: Channels of the target.
        num_points: Size of the fixed quasi-random set, as in `Interior`.
        resample_every: Number of steps that share a random batch.

    Raises:
        ValueError: If `where` keeps no point or returns no booleans, or the target has another
            shape or is not finite.

    Example:
        >>> ends = Boundary(Box((0.0, -1.0), (1.0, 1.0)), where=lambda x: x[:, 1].abs() == 1)
        >>> ends.batch(3, seed=0, step=0)[0][:, 1].abs().tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        domain: AbstractDomain,
        target: Target = 0.0,
        *,
        where: Callable[[Tensor], Tensor] | None = None,
        out_dim: int = 1,
        num_points: int | None = None,
        resample_every: int = 1,
    ) -> None:
        self.where = where
        self._settle(domain, target, out_dim, num_points, resample_every)

    def points(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        return self.domain.boundary(count, uniform, self.where)

    def description(self) -> str:
        return f"boundary of {self.domain} where {function_fingerprint(self.where)}"


class Slice(AbstractCollocation):
    """Points of a domain where one coordinate has a fixed value, such as the initial time.

    Args:
        domain: Domain of the points.
        axis: Axis of the fixed coordinate.
        at: Value of the fixed coordinate.
        target: Target of the map's prediction at the points.
        out_dim: Channels of the target.
        num_points: Size of the fixed quasi-random set, as in `Interior`.
        resample_every: Number of steps that share a random batch.

    Raises:
        ValueError: If the slice is empty, or the target has another shape.

    Example:
        >>> start = Slice(Box((0.0, -1.0), (1.0, 1.0)), axis=0, at=0.0, target=lambda x: x[:, 1:])
        >>> start.batch(2, seed=0, step=0)[0][:, 0].tolist()
        [0.0, 0.0]
    """

    def __init__(
        self,
        domain: AbstractDomain,
        axis: int,
        at: float,
        target: Target = 0.0,
        *,
        out_dim: int = 1,
        num_points: int | None = None,
        resample_every: int = 1,
    ) -> None:
        check_count(self, axis=axis, low=0, high=domain.dim - 1)
        self.axis, self.at = axis, float(at)
        self._settle(domain, target, out_dim, num_points, resample_every)

    def points(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        return self.domain.slice(self.axis, self.at, count, uniform)

    def description(self) -> str:
        return f"slice of {self.domain} at {self.axis}, {self.at!r}"
