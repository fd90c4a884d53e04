"""Where a differential equation holds: points inside a domain, on its boundary, on a slice."""

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
"""What is wanted at points: one number or one a channel everywhere, or a function of the points."""

_PROBES = 1024


class AbstractCollocation(AbstractSignal):
    """Points of a domain, drawn afresh, and what is wanted there.

    Batch `k` depends on the seed, `k` and the stream alone. Points come in float64, and the loop
    turns them into the field's type.
    """

    domain: AbstractDomain
    target: Target
    num_points: int | None
    resample_every: int

    @abstractmethod
    def points(self, count: int, uniform: Uniform) -> Float[Tensor, "count dim"]:
        """Points, made from those of a unit cube."""

    @abstractmethod
    def description(self) -> str:
        """What tells the points of two such signals apart."""

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
        """What is wanted at points.

        Raises:
            ValueError: If the target function gives another shape.
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
        """A hash of the points and of the targets; of a function, its code and many values."""
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
        """Keep the arguments, checked; what a domain lacks is found here, not in the loop."""
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
    """Points inside a domain, where the residual of an equation shall have a value.

    Args:
        domain: Where to draw.
        target: What the constraint's map shall give there.
        out_dim: Channels of the target.
        num_points: Size of the fixed quasi-random set that a constraint without `batch_size`
            takes: for optimizers that compare one step's loss with the last one's.
        resample_every: Steps that share a random batch.

    Raises:
        ValueError: If the domain has no interior, or the target another shape or a number that is
            not finite.

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

    A condition on the slope across the boundary finds the normals by `domain.normal(x)`.

    Args:
        domain: Whose boundary.
        target: What the constraint's map shall give there.
        where: Keeps points `x` of shape `(n, dim)` where it is true; None for all.
        out_dim: Channels of the target.
        num_points: As in `Interior`.
        resample_every: As in `Interior`.

    Raises:
        ValueError: If there is no such part, `where` gives no booleans, or the target is none as in
            `Interior`.

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
    """Points of a domain where one coordinate has a value: the beginning of time, for one.

    Args:
        domain: Where to draw.
        axis: Which coordinate.
        at: Its value.
        target: What the constraint's map shall give there.
        out_dim: Channels of the target.
        num_points: As in `Interior`.
        resample_every: As in `Interior`.

    Raises:
        ValueError: If there is no such part, or the target has another shape.

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
