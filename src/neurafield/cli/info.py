"""`neurafield info`: what a field file holds."""

import argparse
import itertools
import json
from typing import Any

from ..field_file import FieldFile, field_spec
from .field_input import load_field
from .main import DONE

LABELS = {"levels": "each level trained"}
"""For names in the file that would be taken for something else."""
MAX_ITEMS = 4
"""Of a scene's fields and places, printed."""
WIDTH = 80
"""Characters of a value."""


def run(arguments: argparse.Namespace) -> int:
    """Read, verify, print."""
    file = load_field(arguments.field)
    facts = describe(file)
    facts = {"file": str(arguments.field), "bytes": arguments.field.stat().st_size, **facts}
    print(json.dumps(facts) if arguments.json else "\n".join(_lines(_without_idle(facts))))
    return DONE


def _without_idle(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts without the truncation of a shape whose values are not truncated."""
    signal = facts["signal"] or {}
    kept = {k: v for k, v in signal.items() if k != "truncation" or v is not None}
    return {**facts, "signal": kept}


def describe(file: FieldFile) -> dict[str, Any]:
    """The architecture, the signal and the fit, as JSON values."""
    return {
        "params": file.field.num_parameters,
        "in_dim": file.field.in_dim,
        "out_dim": file.field.out_dim,
        "num_lods": file.field.num_lods,
        "lipschitz_bound": file.field.lipschitz_bound(),
        "field": field_spec(file.field),
        "signal": file.signal,
        "fit": file.fit,
    }


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in facts.items():
        if value in (None, "", [], {}):
            continue
        start, deeper = f"{indent}{LABELS.get(name, name)}:", indent + "  "
        if isinstance(value, dict) and {"type", "hyperparams"} <= set(value):
            inner = {**value["hyperparams"], "part": value.get("parts")}
            lines += [f"{start} {value['type']}", *_lines(inner, deeper)]
        elif isinstance(value, dict):
            lines += [start, *_lines(value, deeper)]
        elif isinstance(value, list) and isinstance(value[0], dict):
            shown = {f"{name} {number}": item for number, item in enumerate(value[:MAX_ITEMS])}
            lines += _lines(shown, indent)
            if len(value) > MAX_ITEMS:
                lines.append(f"{indent}{name}: {len(value):,} in all; --json tells all of them")
        else:
            text = str(value) if name == "seed" else _text(value)
            lines.append(f"{start} {text if len(text) <= WIDTH else text[: WIDTH - 3] + '...'}")
    return lines


def _text(value: Any) -> str:
    """A value as people write it; of a long list the beginning and the length."""
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
    fit = sum(end <= WIDTH - len(", ... (1,000 in all)") for end in ends)
    return ", ".join([*parts[:fit], f"... ({len(parts):,} in all)"])
