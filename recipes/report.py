"""Reports of recipes: JSON files that also describe the machine."""

import json
from pathlib import Path
from typing import Any

from neurafield import system

RESULTS = Path(__file__).parent / "results"


def write_report(name: str, figures: dict[str, Any]) -> Path:
    """Write figures to `results/NAME.json` and print them."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    text = json.dumps({**figures, "machine": system.describe()}, indent=2)
    path.write_text(text + "\n")
    print(text)
    return path
