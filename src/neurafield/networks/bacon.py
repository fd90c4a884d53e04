"""Band-limited coordinate networks: products of sines, read at several bandwidths."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from ..derivatives import Jet, rules
from ._base import AbstractNetwork

MAX_BANDWIDTH = 2**20


class Bacon(AbstractNetwork):
    r"""A multiplicative filter network whose outputs have a known highest frequency.

    $z_0 = g_0(x),\ z_i = g_i(x) \odot (W_i z_{i-1} + b_i),\ y_i = W^{\mathrm{out}}_i z_i +
    b^{\mathrm{out}}_i$ with filters $g_i(x) = \sin(\pi \Omega_i x + \varphi_i)$. The entries of
    $\Omega_i$ are integers, drawn uniformly from $-B_i$ to $B_i$ and never trained, in cycles
    across the box [-1, 1]. The product of two sines is a sum of sines of the sum and difference
    frequencies, so $y_i$ has no frequency above $B_0 + \dots + B_i$ on any axis, for any
    parameters. Level of detail $l$ is $y_{l+1}$, so there is one level less than filters.

    Use when coarse versions should be smooth and free of aliasing: train all levels, with one
    `maps.LevelOfDetail` each. Fails when the signal is not periodic: opposite ends of the box have
    the same value, which causes ringing at the border; leave a margin, or use half the box.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]. Outside, the field repeats.
        out_dim: Number of values.
        bandwidths: Bandwidth $B_i$ of each of at least two filters: one integer for all axes, or
            one per axis. A signal of n samples along an axis determines n / 2 cycles in total.
        width: Channels of each filter.
        generator: Source of frequencies and initial parameters; None takes torch's global one.

    Raises:
        ValueError: If a size is out of range, or there are too few bandwidths.
        TypeError: If a bandwidth is not an integer or a sequence of integers.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> network = Bacon(2, 3, bandwidths=[8, 8, 16], width=64, generator=g)
        >>> network(torch.zeros(5, 2)).shape, network.num_lods, network.level_bandwidths()
        (torch.Size([5, 3]), 2, [(16, 16), (32, 32)])

    Reference:
        Lindell et al., BACON: Band-limited Coordinate Networks for Multiscale Scene Representation,
        CVPR 2022, equations 1 to 5, which build on Fathony et al., Multiplicative Filter Networks,
        ICLR 2021. As theirs, all weights are uniform in $\pm\sqrt{6/\mathrm{width}}$ and phases in
        $\pm\pi$. We differ in one thing: their box is [-0.5, 0.5], so their `frequency` is twice
        our bandwidth.
    """

    frequencies: Tensor

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        bandwidths: Sequence[int | Sequence[int]],
        width: int = 256,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_count(self, in_dim=in_dim, out_dim=out_dim, width=width, high=2**16)
        if not isinstance(bandwidths, list | tuple):
            raise TypeError(f"Bacon: expected a list of bandwidths, got {bandwidths!r}.")
        if not 2 <= len(bandwidths) <= 257:
            raise ValueError(f"Bacon: expected 2 to 257 bandwidths, got {len(bandwidths)}.")
        self.in_dim, self.out_dim, self.width = in_dim, out_dim, width
        self.bandwidths = [_per_axis(bandwidth, in_dim) for bandwidth in bandwidths]
        depth = len(bandwidths) - 1
        frequencies = [
            torch.randint(-bandwidth, bandwidth + 1, (width,), generator=generator)
            for along_axes in self.bandwidths
            for bandwidth in along_axes
        ]
        # Integers, stored as floats because they are multiplied with coordinates.
        self.register_buffer(
            "frequencies",
            torch.stack(frequencies).unflatten(0, (-1, in_dim)).mT.contiguous().float(),
        )
        bound, bias_bound = math.sqrt(6 / width), 1 / math.sqrt(width)
        self.phases = _uniform(depth + 1, width, bound=math.pi, generator=generator)
        self.weights = _uniform(depth, width, width, bound=bound, generator=generator)
        self.biases = _uniform(depth, width, bound=bias_bound, generator=generator)
        self.out_weights = _uniform(depth, out_dim, width, bound=bound, generator=generator)
        self.out_biases = _uniform(depth, out_dim, bound=bias_bound, generator=generator)

    @property
    def num_lods(self) -> int:
        return len(self.bandwidths) - 1

    def level_bandwidths(self) -> list[tuple[int, ...]]:
        """Highest frequency of each level, in cycles across the box on each axis."""
        sums = itertools.accumulate(
            self.bandwidths, lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))
        )
        return list(sums)[1:]

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        first, *filters = zip(math.pi * self.frequencies, self.phases, strict=True)
        z = F.linear(x, *first).sin()
        layers = zip(filters, self.weights, self.biases, strict=True)
        for filter_, weight, bias in itertools.islice(layers, self.lod + 1):
            z = F.linear(x, *filter_).sin() * F.linear(z, weight, bias)
        return F.linear(z, self.out_weights[self.lod], self.out_biases[self.lod])

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        first, *filters = zip(math.pi * self.frequencies, self.phases, strict=True)
        z = rules.sin(rules.linear(x, *first))
        layers = zip(filters, self.weights, self.biases, strict=True)
        for filter_, weight, bias in itertools.islice(layers, self.lod + 1):
            z = rules.product(rules.sin(rules.linear(x, *filter_)), rules.linear(z, weight, bias))
        return rules.linear(z, self.out_weights[self.lod], self.out_biases[self.lod])

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "out_dim": self.out_dim,
            "bandwidths": [list(along_axes) for along_axes in self.bandwidths],
            "width": self.width,
        }


def _per_axis(bandwidth: int | Sequence[int], in_dim: int) -> tuple[int, ...]:
    if isinstance(bandwidth, int):
        bandwidth = [bandwidth] * in_dim
    if not isinstance(bandwidth, list | tuple):
        raise TypeError(
            f"Bacon: expected bandwidths to be ints or {in_dim} of them each, got {bandwidth!r}."
        )
    if len(bandwidth) != in_dim:
        raise ValueError(
            f"Bacon: expected bandwidths of {in_dim} values, one per axis, got {len(bandwidth)}."
        )
    for each in bandwidth:
        check_count("Bacon", low=0, high=MAX_BANDWIDTH, bandwidths=each)
    return tuple(bandwidth)


def _uniform(*shape: int, bound: float, generator: torch.Generator | None) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound, generator=generator))
