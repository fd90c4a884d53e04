"""Triangle-wave encoding: triangle waves of the coordinates in octaves."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractEncoding


class TriangleWave(AbstractEncoding):
    r"""Encode each coordinate with triangle waves of doubling frequency.

    $\gamma_k(x) = 4\,|t - \lfloor t \rfloor - \tfrac12| - 1$ with $t = 2^k\,\tfrac{x + 1}{4} +
    \tfrac{k}{4}$ for octaves $k = 0, \dots, L - 1$ and every coordinate: from -1 to 1 and back,
    half a period across [-1, 1] in octave 0. Channels: octave 0 of all coordinates, then octave 1.
    The shift by a quarter of a period per octave keeps the kinks of different octaves apart.
    Outside the box the waves continue.

    Use when `Positional` would do but costs too much: half the channels, no sine. Fails when
    derivatives of the field matter: the first jumps at every kink, the second is zero elsewhere.

    Args:
        in_dim: Number of coordinates, each in [-1, 1].
        num_octaves: Number of octaves $L$. The highest frequency is `2**(L-1) / 2` periods across
            [-1, 1].

    Raises:
        ValueError: If a size is not positive, or `num_octaves` exceeds 24, beyond which float32
            coordinates no longer resolve the phase.

    Example:
        >>> TriangleWave(1, 2)(torch.tensor([[-1.0], [0.0], [1.0]]))
        tensor([[ 1.,  0.],
                [ 0.,  0.],
                [-1.,  0.]])

    Reference:
        Müller et al., Real-time Neural Radiance Caching for Path Tracing, SIGGRAPH 2021, section
        on the input encoding; `TriangleWave` of tiny-cuda-nn for the shift, with coordinates in
        [0, 1] there and the channels of a coordinate side by side.
    """

    def __init__(self, in_dim: int, num_octaves: int) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, high=64)
        check_count(self, num_octaves=num_octaves, high=24)
        self.in_dim = in_dim
        self.num_octaves = num_octaves
        self.out_dim = in_dim * num_octaves

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return _triangle(torch.cat([self._phase(x, k) for k in range(self.num_octaves)], dim=-1))

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        phases = []
        for k in range(self.num_octaves):
            derivatives = 2.0 ** (k - 2) * x.streams[1:]
            phases.append(torch.cat([self._phase(x.value, k)[None], derivatives]))
        return rules.elementwise(
            Jet(torch.cat(phases, dim=-1), x.weights),
            _triangle,
            lambda t: 4 * (t - t.floor() - 0.5).sign(),
            torch.zeros_like,
        )

    @staticmethod
    def _phase(x: Tensor, octave: int) -> Tensor:
        # Whole periods are dropped, so that coordinates near 0 keep their full precision.
        shift = (2.0 ** (octave - 2) + octave / 4) % 1
        return 2.0 ** (octave - 2) * x + shift

    def hyperparams(self) -> dict[str, Any]:
        return {"in_dim": self.in_dim, "num_octaves": self.num_octaves}


def _triangle(t: Tensor) -> Tensor:
    return 4 * (t - t.floor() - 0.5).abs() - 1
