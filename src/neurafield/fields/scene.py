"""Scenes: many placed fields, where a query visits only the fields whose box contains it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from .._component import build, spec_of
from .._text import shortened
from .._transforms import follows_no_choice
from ..derivatives import Jet, rules
from ..geometry._box_tree import tree
from . import overlap as overlaps
from ._base import AbstractField, evaluate_after
from .overlap import AbstractOverlap
from .placed import Placed

Values = tuple[Float[Tensor, "p m c"], Int64[Tensor, " m"], Bool[Tensor, " m"]]
"""Streams of values, indices of their queries, and a mask of fields whose box has the query."""

Function = Callable[[Jet], Jet]


class Scene(AbstractField):
    """Many placed fields as one field.

    A tree of boxes finds the fields whose box contains a query, and only these are evaluated. The
    overlap combines their values, and defines the value outside all boxes. While torch compiles,
    exports or runs a `torch.func` transform, all fields are evaluated everywhere, with equal
    results. A NaN coordinate gives NaN. Poses are saved with the scene, but not trained.

    Use when a scene has parts that are a small field each, or one field in many poses, which then
    share its parameters. Fails when many parts overlap: each is evaluated.

    Args:
        parts: Fields and their poses, with equal numbers of coordinates and values. A scene inside
            a scene is cut off outside [-1, 1] of its own coordinates.
        overlap: Rule for overlaps: `overlap.Minimum` for signed distances, `Sum` or `Mean` for
            other values.

    Raises:
        TypeError: If a part is not `Placed`, or `overlap` not an overlap.
        ValueError: If there is no part, or sizes differ.

    Example:
        >>> from neurafield import Field, networks
        >>> from neurafield.fields.overlap import Mean
        >>> field = Field(networks.Siren(2, 3, width=8, depth=1))
        >>> parts = [Placed(field, (-0.5, 0.0), scale=0.4), Placed(field, (0.5, 0.0), scale=0.4)]
        >>> Scene(parts, Mean(outside=1.0))(torch.zeros(1, 2))
        tensor([[1., 1., 1.]])

    Reference:
        Kay and Kajiya, Ray Tracing Complex Scenes, SIGGRAPH 1986, for points instead of rays.
    """

    def __init__(self, parts: Sequence[Placed], overlap: AbstractOverlap) -> None:
        super().__init__()
        for part in parts:
            if not isinstance(part, Placed):
                raise TypeError(
                    f"Scene: expected parts that are Placed, got {type(part).__name__}. Wrap it: "
                    "Placed(field, translation), with a rotation and a scale if it has them."
                )
        if not isinstance(overlap, AbstractOverlap):
            raise TypeError(f"Scene: expected an overlap such as overlap.Mean(), got {overlap!r}.")
        sizes = {(part.field.in_dim, part.field.out_dim) for part in parts}
        if len(sizes) != 1:
            raise ValueError(
                "Scene: expected fields of equal numbers of coordinates and values, got "
                f"{sorted(map(str, sizes)) or 'none'}."
            )
        ((in_dim, out_dim),) = sizes
        self.in_dim, self.out_dim = int(in_dim), int(out_dim)
        if overlap.distances and self.out_dim != 1:
            raise ValueError(f"Scene: expected one value, a distance, got {self.out_dim}.")
        # A field in several poses is stored once, in memory and in a file.
        own = {id(part.field): part.field for part in parts}
        indices = {key: index for index, key in enumerate(own)}
        self.fields = nn.ModuleList(own.values())
        self.places = [{"field": indices[id(part.field)], **part.spec()} for part in parts]
        self.overlap = overlap
        centres = np.array([place["translation"] for place in self.places])
        reach = [place["scale"] * np.abs(place["rotation"]).sum(1) for place in self.places]
        self.tree = tree(centres - reach, centres + reach)

    @property
    def parts(self) -> tuple[AbstractField, ...]:
        """Fields of the scene, each once."""
        return tuple(cast(Sequence[AbstractField], self.fields))

    @classmethod
    def from_parts(cls, parts: Sequence[AbstractField], **hyperparams: Any) -> "Scene":
        """Builds a scene from its fields, the overlap, and poses with the index of a field."""
        if hyperparams.keys() != {"places", "overlap"}:
            raise ValueError(
                f"Scene: expected places and overlap, got {shortened(sorted(hyperparams))}."
            )
        overlap = build(overlaps, AbstractOverlap, hyperparams["overlap"])
        return cls(_placed(parts, hyperparams["places"]), overlap)

    def hyperparams(self) -> dict[str, Any]:
        return {"places": self.places, "overlap": spec_of(self.overlap)}

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Values at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        return self.jet_after(Jet.of_value(x)).value

    def jet_after(self, x: Jet) -> Jet:
        flat = Jet(x.streams.reshape(len(x.streams), -1, self.in_dim), x.weights)
        values, rows, inside = self._values(flat)
        count = flat.value.shape[0]
        streams = self.overlap.join(values, rows, inside, count)
        streams = torch.where(flat.value.isnan().any(-1, keepdim=True), torch.nan, streams)
        shape = (len(x.streams), *x.value.shape[:-1], self.out_dim)
        return Jet(streams.reshape(shape), x.weights)

    def _values(self, x: Jet) -> Values:
        """Values of all fields at all queries, after one neutral value per query."""
        everywhere = follows_no_choice()
        distances = self.overlap.distances
        all_rows = torch.arange(x.value.shape[0], device=x.value.device)
        neutral = self._neutral(x.streams[..., :1])
        values = [neutral.expand(-1, -1, self.out_dim)]
        rows, inside = [all_rows], [torch.zeros_like(all_rows, dtype=torch.bool)]
        least = neutral[0, :, 0].detach().clone()
        pending = [(self.tree, all_rows)]
        while pending:
            node, visiting = pending.pop()
            if not everywhere:
                at = x.value.detach()[visiting]
                away = node.distance(at)
                near = away == 0
                if distances:
                    near |= away < least[visiting]
                visiting = visiting[near]
                if not len(visiting):
                    continue
            pending += [(child, visiting) for child in node.children]
            if node.item is None:
                continue
            own = Jet(x.streams[:, visiting], x.weights)
            for found, which, in_box in self._values_of(node.item, own, everywhere):
                values.append(found)
                rows.append(visiting[which])
                inside.append(in_box)
                if distances and not everywhere:
                    distance = found[0, :, 0].detach()
                    least[visiting[which]] = least[visiting[which]].minimum(distance)
        return torch.cat(values, dim=1), torch.cat(rows), torch.cat(inside)

    def _values_of(self, item: int, x: Jet, everywhere: bool) -> list[Values]:
        """Values of one part: those of the field inside its box, distances to the box outside.

        If `everywhere`, there is one value per query, neutral where it does not count.
        """
        place, distances = self.places[item], self.overlap.distances
        scale = place["scale"]
        inverse = x.value.new_tensor(place["rotation"]).mT / scale
        y = rules.linear(x, inverse, -inverse @ x.value.new_tensor(place["translation"]))
        inside = (y.value.abs() <= 1).all(-1)
        inside_and_beyond: list[tuple[Function, Tensor, float]] = [
            (partial(evaluate_after, self.parts[place["field"]]), inside, 0.0)
        ]
        if distances:
            inside_and_beyond.append((_to_box, ~inside, 2.0))
        found = []
        for function, counts, elsewhere in inside_and_beyond:
            if everywhere:
                rows = torch.arange(counts.shape[0], device=counts.device)
                values = self._evaluate_everywhere(function, y, counts[:, None], elsewhere)
            elif counts.any():
                rows = counts.nonzero()[:, 0]
                values = function(Jet(y.streams[:, rows], y.weights)).streams
            else:
                continue
            found.append((scale * values if distances else values, rows, (counts & inside)[rows]))
        return found

    def _evaluate_everywhere(
        self, function: Function, y: Jet, counts: Bool[Tensor, "m 1"], elsewhere: float
    ) -> Float[Tensor, "p m c"]:
        """Values of a function at all queries, or at `elsewhere` if its value does not count."""
        at = torch.where(counts, y.streams[:1], elsewhere)
        found = function(Jet(torch.cat([at, y.streams[1:]]), y.weights)).streams
        return torch.where(counts, found, self._neutral(found))

    def _neutral(self, like: Float[Tensor, "p m _"]) -> Float[Tensor, "p m _"]:
        """Values that change no result: infinite distances, or zeros."""
        value = torch.full_like(like[:1], torch.inf if self.overlap.distances else 0)
        return torch.cat([value, torch.zeros_like(like[1:])])


def _placed(parts: Sequence[AbstractField], places: Sequence[dict[str, Any]]) -> list[Placed]:
    """Fields with poses, which refer to them by index."""
    placed = []
    for place in places:
        check_count("Scene", low=0, high=len(parts) - 1, field=place["field"])
        placed.append(Placed(**{**place, "field": parts[place["field"]]}))
    return placed


def _to_box(y: Jet) -> Jet:
    """Distance to the box [-1, 1]^d, from outside."""
    beyond = rules.elementwise(
        y,
        lambda v: v - v.clamp(-1, 1),
        lambda v: (v.abs() > 1).to(v),
        torch.zeros_like,
    )
    square = Jet(rules.product(beyond, beyond).streams.sum(-1, keepdim=True), y.weights)
    return rules.elementwise(
        square, torch.sqrt, lambda v: v.rsqrt() / 2, lambda v: -v.rsqrt() / (4 * v)
    )
