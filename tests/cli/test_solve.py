"""`neurafield solve`: what it leaves, for a problem that takes no time."""

import argparse
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neurafield import Field, load, networks
from neurafield.cli.solve import options as solve_options
from neurafield.cli.solve.problem import Problem
from neurafield.errors import ArgumentError
from neurafield.problems import Panel, Solution

from .test_cli import Run, check_refused
from .test_cli import run as run


@pytest.fixture(autouse=True)
def line(monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """A problem called `line`; gives what its runner was called with."""
    calls: list[dict] = []

    def runner(arguments: argparse.Namespace, common: dict) -> Solution:
        calls.append(common)
        if arguments.slope == 13:
            raise ArgumentError("line: expected another slope.")
        field = Field(networks.MLP(1, 1, width=3, depth=1))
        if arguments.slope == 99:
            message = "the term 'data' was not finite"
            return Solution(field, {"status": "diverged", "message": message, "steps": 4}, [])
        values = np.linspace(-1, 1, 6).reshape(2, 3)
        panels = [
            Panel("solution", values, signed=True),
            Panel("error", np.abs(values), scale="error"),
            Panel("colours", np.zeros((2, 3, 3))),
        ]
        figures = {"relative_error": 0.25, "seconds": 1.0, "steps": 3}
        return Solution(field, figures, panels, settings={"slope": arguments.slope})

    def options(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--slope", type=float, default=1.0)

    problem = Problem("line", "fit a line", "", options, runner)
    monkeypatch.setitem(solve_options.PROBLEMS, "line", problem)
    return calls


def test_it_leaves_a_field_a_figure_and_a_report(run: Run, line: list[dict]) -> None:
    outcome = run("solve", "line", "--slope", 2, "--time", 3, "--seed", 7, "--json")
    assert outcome.code == 0
    figures = json.loads(Path("line.json").read_text())
    expected = {"problem": "line", "relative_error": 0.25, "seconds": 1.0, "steps": 3}
    assert figures == expected
    assert outcome.json == {**expected, "file": "line.field", "figure": "line.png"}
    assert "relative error 0.25" in outcome.err
    with Image.open("line.png") as figure:
        assert figure.width > 1000
    file = load("line.field")
    assert file.field(torch.zeros(1, 1)).shape == (1, 1)
    assert file.fit["slope"] == 2.0
    # Equal runs leave equal bytes, so nothing that took time is in the file.
    assert "seconds" not in file.fit
    assert line[0]["time"] == 3.0
    assert line[0]["seed"] == 7
    assert "steps" not in line[0]


def test_out_names_all_three(run: Run) -> None:
    assert run("solve", "line", "--out", "other.field").code == 0
    assert {path.name for path in Path().iterdir()} == {"other.field", "other.png", "other.json"}


@pytest.mark.parametrize("name", ["line.field", "line.png", "line.json"])
def test_nothing_is_overwritten_unasked(run: Run, line: list[dict], name: str) -> None:
    Path(name).write_text("mine")
    check_refused(run("solve", "line"), name, "--force")
    assert Path(name).read_text() == "mine"
    assert not line
    assert run("solve", "line", "--force").code == 0
    assert Path(name).read_bytes() != b"mine"


def test_bad_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    check_refused(run("solve", "line", "--out", "line.png"), "line.png", ".field")
    check_refused(run("solve", "line", "--slop", "3", "--tim", "3", "--stepz", "3"), "--steps")
    check_refused(run("solve", "circle"), "circle", "line")
    check_refused(run("solve", "line", "--slope", 13), "expected another slope")
    assert not list(Path().iterdir())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    check_refused(run("solve", "line"), "matplotlib", "pip install")


def test_a_diverged_solve_exits_3_with_a_status(run: Run) -> None:
    outcome = run("solve", "line", "--slope", 99)
    check_refused(outcome, "line: the term 'data' was not finite. Nothing was written.", code=3)
    figures = run("solve", "line", "--slope", 99, "--json").json
    assert (figures["problem"], figures["status"], figures["steps"]) == ("line", "diverged", 4)
    assert not list(Path().iterdir())


def test_debug_works_on_both_sides(run: Run) -> None:
    for place in (["solve", "--debug", "line"], ["solve", "line", "--debug"]):
        assert "Traceback" in run(*place, "--slope", 13).err
