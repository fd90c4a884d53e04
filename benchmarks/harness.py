"""Side-by-side timing: contenders take turns in one run, and ratios of medians are what counts.

Whatever else the machine does in a run then falls on all of them alike.
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
    """Time functions in turns.

    Args:
        contenders: By name; the first is the one that the others are compared with.
        rounds: Timed turns of each.
        warm_up: Turns before them that are not timed.
        clock: In seconds; `time.process_time` counts those of the processor.

    Returns:
        For each: the median, smallest and largest time in milliseconds, and `ratio`, how many
        times longer its median is than the first one's.
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
    """Medians, ranges and ratios to the first, of times in milliseconds."""
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
    """The same with the compiled kernels switched off."""

    def reference() -> None:
        os.environ[dispatch.VARIABLE] = "reference"
        try:
            run()
        finally:
            del os.environ[dispatch.VARIABLE]

    return reference


def write_result(name: str, figures: dict[str, Any]) -> None:
    """Write `results/NAME.json` with the hardware named, and print a line a contender."""
    RESULTS.mkdir(exist_ok=True)
    report = {"benchmark": name, "figures": figures, "machine": system.describe()}
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    print(name)
    for contender, row in figures.items():
        print(f"  {contender:<42} {json.dumps(row)}")
