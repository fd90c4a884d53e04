"""Several encodings side by side, each of its own coordinates."""

import itertools
from collections.abc import Sequence
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .. import encodings
from .._checks import check_count, check_last_axis
from .._component import build, spec_of
from ..derivatives import Jet, rules
from ._base import AbstractEncoding

Description = dict[str, Any]


class Composite(AbstractEncoding):
    r"""Encode different coordinates with different encodings.

    $\gamma(x) = (\gamma_1(x_{a_1}), \gamma_2(x_{a_2}), \dots)$: each part reads its own
    coordinates, and the features of the parts are concatenated.

    Use when coordinates mean different things, such as position, time and direction, or when the
    same position should be encoded in two ways. Fails when coordinates that belong together are
    split: the network alone must then model what depends on several parts.

    Cost: the sum of the parts' memory and reads. Parts with several levels of detail are read at
        the same level, or at their finest if they have fewer.

    Args:
        parts: Encodings, or their descriptions as in `hyperparams` of a composite.
        axes: Indices of the coordinates that each part reads, in its order; several parts may read
            the same coordinate. None gives each part the coordinates that follow those of the part
            before.

    Raises:
        ValueError: If there is no part, axes do not match the parts' `in_dim`, or no part reads a
            coordinate.

    Example:
        >>> position, view = encodings.Positional(3, 4), encodings.SphericalHarmonics(3)
        >>> Composite([position, view])(torch.zeros(5, 6)).shape
        torch.Size([5, 43])
        >>> parts = [encodings.Identity(2), encodings.OneBlob(2, 8)]
        >>> Composite(parts, axes=[[0, 1], [0, 1]])(torch.zeros(5, 2)).shape
        torch.Size([5, 18])

    Reference:
        `Composite` of tiny-cuda-nn, as in Müller et al., Real-time Neural Radiance Caching for Path
        Tracing, SIGGRAPH 2021, where each part reads the next coordinates; here parts may share
        coordinates.
    """

    def __init__(
        self,
        parts: Sequence[AbstractEncoding | Description],
        *,
        axes: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        built = [build(encodings, AbstractEncoding, part) for part in parts]
        if not built:
            raise ValueError("Composite: expected at least one part, got none.")
        if axes is None:
            ends = itertools.accumulate((part.in_dim for part in built), initial=0)
            axes = [range(start, end) for start, end in itertools.pairwise(ends)]
        self.axes = _checked_axes(axes, [part.in_dim for part in built])
        self.parts = nn.ModuleList(built)
        self.in_dim = 1 + max(axis for group in self.axes for axis in group)
        self.out_dim = sum(part.out_dim for part in built)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        check_last_axis(self, x, self.in_dim)
        return torch.cat(
            [part(_take(x, group)) for part, group in zip(self.parts, self.axes, strict=True)],
            dim=-1,
        )

    def jet(self, x: Jet) -> Jet:
        check_last_axis(self, x.value, self.in_dim)
        parts = cast(Sequence[AbstractEncoding], self.parts)
        return rules.concat(
            [
                part.jet(Jet(_take(x.streams, group), x.weights))
                for part, group in zip(parts, self.axes, strict=True)
            ]
        )

    @property
    def num_lods(self) -> int:
        """The largest number of levels of any part."""
        return max(part.num_lods for part in cast(Sequence[AbstractEncoding], self.parts))

    def at_lod(self, lod: int) -> "Composite":
        """The same parts, each read at this level of detail or its own finest; see `Composite`."""
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        parts = cast(Sequence[AbstractEncoding], self.parts)
        view = Composite(
            [part.at_lod(min(lod, part.num_lods - 1)) for part in parts], axes=self.axes
        )
        view._lod = lod
        return view

    def tables(self) -> list[Tensor]:
        parts = cast(Sequence[AbstractEncoding], self.parts)
        return [table for part in parts for table in part.tables()]

    def hyperparams(self) -> dict[str, Any]:
        parts = cast(Sequence[AbstractEncoding], self.parts)
        return {"parts": [spec_of(part) for part in parts], "axes": self.axes}


def _checked_axes(axes: Sequence[Sequence[int]], sizes: list[int]) -> list[list[int]]:
    groups = [list(group) for group in axes]
    if [len(group) for group in groups] != sizes:
        raise ValueError(
            f"Composite: expected axes for parts with in_dim {sizes}, got {groups}. A part "
            "needs as many axes as it has coordinates."
        )
    for group in groups:
        for axis in group:
            check_count("Composite", low=0, high=2**16, axis=axis)
    read = {axis for group in groups for axis in group}
    unread = set(range(max(read) + 1)) - read
    if unread:
        raise ValueError(
            "Composite: expected every coordinate to be read by a part, got none for coordinate "
            f"{min(unread)}."
        )
    return groups


def _take(x: Tensor, axes: list[int]) -> Tensor:
    return torch.cat([x[..., axis : axis + 1] for axis in axes], dim=-1)
