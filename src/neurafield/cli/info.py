"""`neurafield info`: what a field file holds."""

import argparse
import json
from typing import Any

from ..field_file import FieldFile, architecture_spec, load
from .main import DONE


def run(arguments: argparse.Namespace) -> int:
    """Read, verify, print."""
    file = load(arguments.field)
    facts = describe(file)
    facts = {"file": str(arguments.field), "bytes": arguments.field.stat().st_size, **facts}
    print(json.dumps(facts) if arguments.json else "\n".join(_lines(facts)))
    return DONE


def describe(file: FieldFile) -> dict[str, Any]:
    """The architecture, the signal and the fit, as JSON values."""
    return {
        "params": file.field.num_parameters,
        "in_dim": file.field.in_dim,
        "out_dim": file.field.out_dim,
        "num_lods": file.field.num_lods,
        **architecture_spec(file.field),
        "signal": file.signal,
        "fit": file.fit,
    }


def _lines(facts: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}:", *_lines(value, indent + "  ")]
        elif value not in (None, "", []):
            if isinstance(value, float):
                value = f"{value:.6g}"
            text = f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
            lines.append(f"{indent}{name}: {text if len(text) <= 80 else text[:77] + '...'}")
    return lines
