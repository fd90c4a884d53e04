"""Side-by-side timing: contenders alternate in one run, and ratios of medians are compared.

Other load on the machine then affects all of them alike.
"""

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurafield import system
from neurafield.kernels import dispatch

RESULTS = Path(__file__).parent / "results"


def alternate(
    contenders: dict[str, Callable[[], object]],
    *,
    rounds: int = 7,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Time functions alternately.

    Args:
        contenders: Functions by name; the first is the baseline.
        rounds: Timed calls of each.
        warm_up: Calls before them that are not timed.
        clock: Clock in seconds; `time.process_time` measures CPU time.

    Returns:
        Median, smallest and largest time of each in milliseconds, and `ratio`, its median divided
        by that of the first.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm_up + rounds):
        for name, function in contenders.items():
            begun = clock()
            function()
            if turn >= warm_up:
                times[name].append(1e3 * (clock() - begun))
    return compare(times)


def compare(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Medians, ranges and ratios to the first, for times in milliseconds."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = next(iter(medians.values()))
    return {
        name: {
            "median_ms": round(medians[name], 3),
            "min_ms": round(min(values), 3),
            "max_ms": round(max(values), 3),
            "runs": len(values),
            "ratio": round(medians[name] / first, 3),
        }
        for name, values in times.items()
    }


def on_reference(run: Callable[[], object]) -> Callable[[], object]:
    """The same function with the compiled kernels disabled."""

    def reference() -> None:
        os.environ[dispatch.VARIABLE] = "reference"
        try:
            run()
        finally:
            del os.environ[dispatch.VARIABLE]

    return reference


def write_result(name: str, figures: dict[str, Any]) -> None:
    """Write `results/NAME.json` with a description of the hardware, and print one line per
    contender.
    """
    RESULTS.mkdir(exist_ok=True)
    report = {"benchmark": name, "figures": figures, "machine": system.describe()}
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(name)
    for contender, row in figures.items():
        print(f"  {contender:<42} {json.dumps(row)}")
