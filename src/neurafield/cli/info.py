"""`neurafield info`: contents of a field file."""

import argparse
import itertools
import json
from typing import TYPE_CHECKING, Any

from .._text import printable
from .shared import options
from .shared.command import DONE, Command

if TYPE_CHECKING:
    from ..field_file import FieldFile

LABELS = {"levels": "every level trained", "measured": "share that was measured"}
"""Clearer words for some names in the file."""
MAX_ITEMS = 4
"""Largest number of parts of a field that are printed, such as the fields of a scene."""
WIDTH = 80
"""Largest number of characters of a value."""


def _add_options(parser: argparse.ArgumentParser) -> None:
    options.add_field(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


COMMAND = Command(
    name="info",
    summary="show what a field file contains",
    details="Size and architecture of the field, unknowns that were trained with it, the signal "
    "that it was fitted to, and settings and figures of the fit.",
    add_options=_add_options,
    module=__name__,
)


def run(arguments: argparse.Namespace) -> int:
    """Read, verify, print."""
    from .shared.inputs import load_field

    file = load_field(arguments.field)
    facts = {"file": str(arguments.field), "bytes": arguments.field.stat().st_size}
    facts |= describe(file)
    print(json.dumps(facts) if arguments.json else "\n".join(lines(_without_unused(facts))))
    return DONE


def _without_unused(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without a truncation that has no meaning for the quantity."""
    signal = facts["signal"] or {}
    kept = {k: v for k, v in signal.items() if k != "truncation" or v is not None}
    return {**facts, "signal": kept}


def describe(file: "FieldFile") -> dict[str, Any]:
    """Field, unknowns, signal and fit as JSON values."""
    from ..field_file import field_spec

    return {
        "params": file.field.num_parameters,
        "in_dim": file.field.in_dim,
        "out_dim": file.field.out_dim,
        "num_lods": file.field.num_lods,
        "lipschitz_bound": file.field.lipschitz_bound(),
        "field": field_spec(file.field),
        "unknowns": {name: tensor.tolist() for name, tensor in sorted(file.unknowns.items())},
        "signal": file.signal,
        "fit": file.fit,
    }


def lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    """Facts as indented lines `name: value`; empty ones are left out."""
    found = []
    for name, value in facts.items():
        if value is None or value in ("", [], {}):
            continue
        start, deeper = f"{indent}{printable(LABELS.get(name, name), WIDTH)}:", indent + "  "
        if isinstance(value, dict) and {"type", "hyperparams"} <= set(value):
            inside = {**_parts_last(value["hyperparams"]), "part": value.get("parts")}
            found += [f"{start} {printable(str(value['type']), WIDTH)}", *lines(inside, deeper)]
        elif isinstance(value, dict):
            found += [start, *lines(value, deeper)]
        elif isinstance(value, list) and isinstance(value[0], dict):
            shown = {f"{name} {number}": item for number, item in enumerate(value[:MAX_ITEMS])}
            found += lines(shown, indent)
            if len(value) > MAX_ITEMS:
                found.append(f"{indent}{name}: {len(value):,} in all; --json prints all of them")
        else:
            text = str(value) if name == "seed" else _text(value)
            found.append(f"{start} {printable(text, WIDTH)}")
    return found


def _parts_last(hyperparams: dict[str, Any]) -> dict[str, Any]:
    """Plain values first, then components: the encoding, then the network."""
    parts = {name: value for name, value in hyperparams.items() if isinstance(value, dict)}
    plain = {name: value for name, value in hyperparams.items() if name not in parts}
    return {**plain, **dict(sorted(parts.items()))}


def _text(value: Any) -> str:
    """A value for people; of a long list the beginning and the length."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if not isinstance(value, list):
        return str(value)
    parts = [f"({_text(part)})" if isinstance(part, list) else _text(part) for part in value]
    if len(whole := ", ".join(parts)) <= WIDTH:
        return whole
    ends = itertools.accumulate(len(part) + 2 for part in parts)
    fitting = sum(end <= WIDTH - len(", ... (1,000 in all)") for end in ends)
    return ", ".join([*parts[:fitting], f"... ({len(parts):,} in all)"])
