"""A scene: fields with a place each, of which a query visits those that it is in."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from .._checks import check_count, check_last_axis
from .._component import build, spec_of
from .._transforms import follows_no_choice
from ..derivatives import Jet, rules
from ..geometry._box_tree import tree
from . import overlap as overlaps
from ._base import AbstractField, evaluate_after
from .overlap import AbstractOverlap
from .placed import Placed

Answer = tuple[Float[Tensor, "p m c"], Int64[Tensor, " m"], Bool[Tensor, " m"]]
"""Streams of values, the query of each, and whether it is of a field whose box holds the query."""

Function = Callable[[Jet], Jet]


class Scene(AbstractField):
    """Fields in their places, as one field.

    Under a tree of boxes a query visits only the fields whose box holds it; what it gets from
    several, or from none, is for the overlap to say. Compiled, exported or under `torch.func`
    all fields are read everywhere, and the same comes out. A NaN coordinate gives NaN. Places are
    not trained, and saved with the scene.

    Use when a scene has parts of which each is a small field, or one field at many places: its
    parameters are then shared. Fails when parts overlap much: each is visited.

    Args:
        parts: The fields and their places, with equal numbers of coordinates and values. In a
            scene in a scene, what is beyond [-1, 1] of its own coordinates is cut off.
        overlap: `overlap.Minimum` of signed distances, `Sum` or `Mean` of other values.

    Raises:
        TypeError: If a part is not `Placed`, or the overlap is not one.
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
        # A field at several places is one, in memory and in a file.
        own = {id(part.field): part.field for part in parts}
        numbers = {key: number for number, key in enumerate(own)}
        self.fields = nn.ModuleList(own.values())
        self.places = [{"field": numbers[id(part.field)], **part.spec()} for part in parts]
        self.overlap = overlap
        centres = np.array([place["translation"] for place in self.places])
        reach = [place["scale"] * np.abs(place["rotation"]).sum(1) for place in self.places]
        self.tree = tree(centres - reach, centres + reach)

    @property
    def parts(self) -> tuple[AbstractField, ...]:
        """The fields, each once."""
        return tuple(cast(Sequence[AbstractField], self.fields))

    @classmethod
    def from_parts(cls, parts: Sequence[AbstractField], **hyperparams: Any) -> "Scene":
        """Builds a scene from its fields, the overlap, and places that name a field by number."""
        if hyperparams.keys() != {"places", "overlap"}:
            raise ValueError(f"Scene: expected places and overlap, got {sorted(hyperparams)}.")
        placed = []
        for place in hyperparams["places"]:
            check_count("Scene", low=0, high=len(parts) - 1, field=place["field"])
            placed.append(Placed(**{**place, "field": parts[place["field"]]}))
        return cls(placed, build(overlaps, AbstractOverlap, hyperparams["overlap"]))

    def hyperparams(self) -> dict[str, Any]:
        return {"places": self.places, "overlap": spec_of(self.overlap)}

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Values at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        return self.jet_after(Jet.of_value(x)).value

    def jet_after(self, x: Jet) -> Jet:
        flat = Jet(x.streams.reshape(len(x.streams), -1, self.in_dim), x.weights)
        answers, rows, held = self._ask(flat)
        count = flat.value.shape[0]
        streams = self.overlap.join(answers, rows, held, count)
        streams = torch.where(flat.value.isnan().any(-1, keepdim=True), torch.nan, streams)
        shape = (len(x.streams), *x.value.shape[:-1], self.out_dim)
        return Jet(streams.reshape(shape), x.weights)

    def _ask(self, x: Jet) -> Answer:
        """All answers to all queries, those that nobody gave first."""
        everywhere = follows_no_choice()
        distances = self.overlap.distances
        everyone = torch.arange(x.value.shape[0], device=x.value.device)
        nobody = self._nobody(x.streams[..., :1])
        answers = [nobody.expand(-1, -1, self.out_dim)]
        rows, held = [everyone], [torch.zeros_like(everyone, dtype=torch.bool)]
        least = nobody[0, :, 0].detach().clone()
        pending = [(self.tree, everyone)]
        while pending:
            node, asked = pending.pop()
            if not everywhere:
                at = x.value.detach()[asked]
                away = node.distance(at)
                near = away == 0
                if distances:
                    near |= away < least[asked]
                asked = asked[near]
                if not len(asked):
                    continue
            pending += [(child, asked) for child in node.children]
            if node.item is None:
                continue
            own = Jet(x.streams[:, asked], x.weights)
            for answer, which, inside in self._answers(node.item, own, everywhere):
                answers.append(answer)
                rows.append(asked[which])
                held.append(inside)
                if distances and not everywhere:
                    found = answer[0, :, 0].detach()
                    least[asked[which]] = least[asked[which]].minimum(found)
        return torch.cat(answers, dim=1), torch.cat(rows), torch.cat(held)

    def _answers(self, item: int, x: Jet, everywhere: bool) -> list[Answer]:
        """What one of the parts says to queries: inside its box the field, beyond it the distance.

        Everywhere: to each query, with what does not count set to `nobody`.
        """
        place, distances = self.places[item], self.overlap.distances
        scale = place["scale"]
        turn = x.value.new_tensor(place["rotation"]).mT / scale
        y = rules.linear(x, turn, -turn @ x.value.new_tensor(place["translation"]))
        inside = (y.value.abs() <= 1).all(-1)
        inside_and_beyond: list[tuple[Function, Tensor, float]] = [
            (partial(evaluate_after, self.parts[place["field"]]), inside, 0.0)
        ]
        if distances:
            inside_and_beyond.append((_to_box, ~inside, 2.0))
        answers = []
        for function, counts, elsewhere in inside_and_beyond:
            if everywhere:
                rows = torch.arange(counts.shape[0], device=counts.device)
                values = self._ask_all(function, y, counts[:, None], elsewhere)
            elif counts.any():
                rows = counts.nonzero()[:, 0]
                values = function(Jet(y.streams[:, rows], y.weights)).streams
            else:
                continue
            answers.append((scale * values if distances else values, rows, (counts & inside)[rows]))
        return answers

    def _ask_all(
        self, function: Function, y: Jet, counts: Bool[Tensor, "m 1"], elsewhere: float
    ) -> Float[Tensor, "p m c"]:
        """A function at all queries, at `elsewhere` instead where its answer does not count."""
        at = torch.where(counts, y.streams[:1], elsewhere)
        found = function(Jet(torch.cat([at, y.streams[1:]]), y.weights)).streams
        return torch.where(counts, found, self._nobody(found))

    def _nobody(self, like: Float[Tensor, "p m _"]) -> Float[Tensor, "p m _"]:
        """An answer that does not count: infinitely far, or nothing to add."""
        value = torch.full_like(like[:1], torch.inf if self.overlap.distances else 0)
        return torch.cat([value, torch.zeros_like(like[1:])])


def _to_box(y: Jet) -> Jet:
    """The distance to [-1, 1] on every axis, from outside."""
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
