"""Points in space and time, most of them near a moving surface."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._blocks import in_blocks
from ..derivatives.operators import Function
from ..errors import ArgumentError
from ._base import AbstractSignal
from .samples import Samples
from .sampling import Purpose, choose, quasi_random

_CANDIDATES = 6
"""Candidates per point that is kept."""
_FAR = 0.03
"""Weight of points far from the surface, where the field must not cross zero unseen."""
_KNOWN = 40_000
"""Number of points at which a given shape is sampled, once."""


@dataclass
class NearSurface(AbstractSignal):
    r"""Samples of a signal, most of them near the zero level of a field in training.

    Six candidates are drawn per sample. The samples are chosen among them at random, without
    replacement, with weights $e^{-(f / \sigma)^2} + 0.03$. The choice is repeated every `hold`
    steps, so that the samples follow the surface.

    Args:
        signal: Signal that draws the candidates.
        field: Field f, negative inside.
        spread: Width $\sigma$ of the layer around the surface, in units of f.
        hold: Number of steps that share a batch.

    Example:
        >>> from neurafield.domains import Box
        >>> from neurafield.signals import Interior
        >>> ball = lambda x: x.norm(dim=1, keepdim=True) - 0.5
        >>> near = NearSurface(Interior(Box.cube(2)), ball, spread=0.1, hold=1)
        >>> x, _ = near.batch(100, seed=0, step=0)
        >>> bool(ball(x).abs().median() < 0.1)
        True
    """

    signal: AbstractSignal
    field: Function
    spread: float
    hold: int

    def __post_init__(self) -> None:
        self.in_dim, self.out_dim = self.signal.in_dim, self.signal.out_dim
        self._held: tuple[tuple[int, ...], tuple[Tensor, Tensor]] | None = None

    def batch(
        self, size: int | None, *, seed: int, step: int, stream: int = 0
    ) -> tuple[Float[Tensor, "n in_dim"], Float[Tensor, "n out_dim"]]:
        """Draw a batch.

        Raises:
            ValueError: If there is no size, because the points change with the field.
        """
        if size is None:
            raise ArgumentError(
                "NearSurface: expected a number of samples, got None. Give the constraint a "
                "batch_size."
            )
        turn = step // self.hold
        key = (size, seed, turn, stream)
        if self._held is None or self._held[0] != key:
            x, target = self.signal.batch(size * _CANDIDATES, seed=seed, step=turn, stream=stream)
            kept = choose(
                near_weights(values(self.field, x), self.spread),
                size,
                purpose=Purpose.NEAR_SURFACE,
                seed=seed,
                step=turn,
                stream=stream,
            )
            self._held = key, (x[kept], target[kept])
        return self._held[1]

    def fingerprint(self) -> str:
        return f"{self.signal.fingerprint()} {self.spread} {self.hold}"


def near_shape(
    shape: Function, dim: int, *, spread: float, at: float = -1.0, count: int | None = None
) -> Samples:
    """Values of an implicit function at points of one time, most of them near its surface.

    Args:
        shape: Function from points `(n, dim)` to values `(n, 1)`, negative inside.
        dim: Number of coordinates of the shape.
        spread: Width of the layer around the surface, in units of the function.
        at: Time, the last coordinate of the samples.
        count: Number of samples (default: 40,000).

    Example:
        >>> x, value = near_shape(lambda x: x[:, :1], 2, spread=0.1, count=5).batch(
        ...     None, seed=0, step=0
        ... )
        >>> x.shape, bool((value == x[:, :1]).all())
        (torch.Size([5, 3]), True)
    """
    count = count or _KNOWN
    x = 2 * quasi_random(seed=0, stream=0)(_CANDIDATES * count, dim) - 1
    value = values(shape, x)
    kept = _choose_once(near_weights(value, spread), count, step=0)
    coords = torch.cat([x[kept], torch.full((count, 1), at, dtype=x.dtype)], dim=1)
    return Samples(coords.float(), value[kept, None].float())


def near_blend(
    first: Function, second: Function, dim: int, *, spread: float, count: int | None = None
) -> Samples:
    r"""Points in space and time, most of them near the zero level of $(1 - s) f + s g$.

    Args:
        first: Signed distance f to the first shape.
        second: Signed distance g to the second shape.
        dim: Number of coordinates of the shapes.
        spread: Width of the layer around the zero level, in units of distance.
        count: Number of samples (default: 40,000).

    Returns:
        Queries $(x, t, g(x))$ with targets 0, for a map that reads g there.
    """
    count = count or _KNOWN
    x = 2 * quasi_random(seed=0, stream=1)(_CANDIDATES * count, dim + 1) - 1
    goal, done = values(second, x[:, :-1]), (x[:, -1] + 1) / 2
    blend = (1 - done) * values(first, x[:, :-1]) + done * goal
    kept = _choose_once(near_weights(blend, spread), count, step=1)
    coords = torch.cat([x[kept], goal[kept, None]], dim=1).float()
    return Samples(coords, torch.zeros(count, 1))


def values(function: Function, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """Values of a function of one channel in float64; it is evaluated in float32."""
    return in_blocks(lambda block: function(block.float())[:, 0].double(), x)


def near_weights(value: Float[Tensor, " n"], spread: float) -> Float[Tensor, " n"]:
    """Weights that are large where a value is near zero."""
    return (-(value / spread).square()).exp() + _FAR


def _choose_once(weights: Tensor, count: int, *, step: int) -> Tensor:
    return choose(weights, count, purpose=Purpose.SAMPLES, seed=0, step=step, stream=0)
