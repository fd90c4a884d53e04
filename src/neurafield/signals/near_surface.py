"""Points of space and time, most of them where a surface is that moves."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ..derivatives.operators import Function
from . import AbstractSignal, Samples
from .domain import quasi_random, random

_CANDIDATES = 6
"""For each point that is kept."""
_FAR = 0.03
"""Weight of the points far away, where the field must not cross zero unseen."""
_KNOWN = 40_000
"""Points at which a shape given from outside is asked, once."""
_BLOCK = 8192


@dataclass
class Near(AbstractSignal):
    r"""Samples of a signal, most of them near the zero level of a field in training.

    Of six candidates for each, kept are some by chance with weights $e^{-(f / \sigma)^2}$ + 0.03.
    They are chosen anew every so many steps, so that they follow the surface.

    Args:
        signal: Draws the candidates.
        field: f.
        spread: $\sigma$, in units of f.
        hold: Steps that share a batch.
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
        assert size is not None
        turn = step // self.hold
        key = (size, seed, turn, stream)
        if self._held is None or self._held[0] != key:
            x, target = self.signal.batch(size * _CANDIDATES, seed=seed, step=turn, stream=stream)
            # Beyond all numbers that the candidates were drawn with.
            bits = np.random.Philox(key=seed, counter=[0, 2, stream, turn])
            u = torch.from_numpy(np.random.Generator(bits).random(len(x)))
            kept = choose_near(levels(self.field, x), u, size, self.spread)
            self._held = key, (x[kept], target[kept])
        return self._held[1]

    def fingerprint(self) -> str:
        return f"{self.signal.fingerprint()} {self.spread} {self.hold}"


def near_start(
    start: Function, dim: int, *, spread: float, at: float = -1.0, count: int | None = None
) -> Samples:
    """Where a shape's distance is known, most of it near the surface, as samples of one time."""
    count = count or _KNOWN
    uniform = quasi_random(0, 0)
    x = 2 * uniform(_CANDIDATES * count, dim) - 1
    level = levels(start, x)
    kept = choose_near(level, random(0, 0, 0)(len(x), 1)[:, 0], count, spread)
    coords = torch.cat([x[kept], torch.full((count, 1), at, dtype=x.dtype)], dim=1)
    return Samples(coords.float(), level[kept, None].float())


def near_blend(
    first: Function, second: Function, dim: int, *, spread: float, count: int | None = None
) -> Samples:
    """Places and times with the second shape's distance, most of them where the blend is small.

    The queries are (x, time, g); what is wanted there is 0.
    """
    count = count or _KNOWN
    uniform = quasi_random(0, 1)
    x = 2 * uniform(_CANDIDATES * count, dim + 1) - 1
    goal, done = levels(second, x[:, :-1]), (x[:, -1] + 1) / 2
    blend = (1 - done) * levels(first, x[:, :-1]) + done * goal
    kept = choose_near(blend, random(0, 1, 0)(len(x), 1)[:, 0], count, spread)
    coords = torch.cat([x[kept], goal[kept, None]], dim=1).float()
    return Samples(coords, torch.zeros(count, 1))


def levels(function: Function, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    """A function's values in float64, without a trace, in parts."""
    with torch.no_grad():
        return torch.cat([function(part.float())[:, 0].double() for part in x.split(_BLOCK)])


def choose_near(
    level: Float[Tensor, " n"], u: Float[Tensor, " n"], count: int, spread: float
) -> Int64[Tensor, " count"]:
    """Some by chance without replacement, most of them where the level is small.

    Reference:
        Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006.
    """
    weight = (-(level / spread).square()).exp() + _FAR
    return (-u.log() / weight).topk(count, largest=False, sorted=False).indices
