"""The limit on quick tests fails those that exceed it, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import budget

TESTS = """
import subprocess, sys, time
import pytest

def work(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass

@pytest.fixture
def shared():
    work(0.2)

def test_small(): work(0.01)
def test_with_a_fixture(shared): pass
def test_asleep(): time.sleep(0.2)
@pytest.mark.slow
def test_marked_slow(): work(0.2)
@pytest.mark.compiled
def test_marked_compiled(): work(0.2)
def test_large(): work(0.2)
def test_large_child():
    subprocess.run([sys.executable, "-c", "while __import__('time').process_time() < 0.2: pass"])
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prints of a run on `TESTS` with a limit of 0.15 s, in two processes."""
    folder = tmp_path_factory.mktemp("budget")
    (folder / "test_some.py").write_text(TESTS)
    (folder / "conftest.py").write_text(Path(budget.__file__).read_text())
    (folder / "pytest.ini").write_text(
        "[pytest]\nquick_test_seconds = 0.15\nmarkers =\n    slow: x\n    compiled: x\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "-rA", "--tb=line"]
    run = subprocess.run(
        command,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stdout + run.stderr
    return run.stdout


def test_only_large_quick_tests_fail(outcome: str) -> None:
    failed = {line.split("::")[1].split()[0] for line in outcome.splitlines() if "FAILED" in line}
    assert failed == {"test_large", "test_large_child"}
    assert "5 passed" in outcome
    assert outcome.count("limit 0.15 s: mark it slow or make it smaller.") >= 2


def test_the_sum_is_reported(outcome: str) -> None:
    (line,) = (line for line in outcome.splitlines() if line.startswith("CPU time of the quick"))
    assert ", within the budget of 1000 s; 0." in line
    # Fixtures count in the sum; tests that are marked slow or compiled do not.
    assert float(line.split(" s,")[0].rsplit(" ", 1)[1]) <= 2
