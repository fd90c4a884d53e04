"""A limit on the CPU time of each quick test, and the sum that a run reports at its end.

`make test` has to stay short however many tests are added. A test counts as quick unless it is
marked `slow` or `compiled`. CPU time, not wall-clock time: it hardly depends on what else runs.
"""

import os
from collections.abc import Generator
from typing import Any

import pytest

LIMIT = 10.0
"""Seconds per quick test. With AVX-512 each stays below 4; AVX2 takes about 2.5 times as long."""

BUDGET = 1000.0
"""Seconds for all quick tests together: ten minutes of two processes, without the linters."""


def cpu_seconds() -> float:
    """CPU time of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def is_quick(item: pytest.Item) -> bool:
    return not any(item.get_closest_marker(name) for name in ("slow", "compiled"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("quick_test_seconds", "limit on the CPU time of a quick test", default=str(LIMIT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a quick test that takes too long. Shared fixtures are not counted."""
    limit, start = float(item.config.getini("quick_test_seconds")), cpu_seconds()
    result = yield
    taken = cpu_seconds() - start
    if is_quick(item) and taken > limit:
        pytest.fail(
            f"A quick test took {taken:.1f} s of CPU time, limit {limit:g} s: "
            "mark it slow or make it smaller.",
            pytrace=False,
        )
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    item.stash[START] = cpu_seconds()
    return (yield)


START = pytest.StashKey[float]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """Note what each phase took since the last one; pytest-xdist hands it to the main process."""
    report = yield
    now = cpu_seconds()
    report.quick_seconds = now - item.stash[START] if is_quick(item) else 0.0
    item.stash[START] = now
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    taken: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            seconds = getattr(report, "quick_seconds", 0.0)
            if seconds:
                taken[report.nodeid] = taken.get(report.nodeid, 0.0) + seconds
    if not taken:
        return
    total, worst = sum(taken.values()), max(taken, key=lambda name: taken[name])
    verdict = "within" if total <= BUDGET else "OVER"
    terminalreporter.write_line(
        f"CPU time of the quick tests: {total:.0f} s, {verdict} the budget of {BUDGET:.0f} s; "
        f"{taken[worst]:.1f} s for {worst}"
    )
