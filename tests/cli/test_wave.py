"""`neurafield solve wave`."""

import json
from pathlib import Path

import torch

from neurafield import load

from .test_cli import Run, check_refused
from .test_cli import run as run


def test_wave_leaves_field_figure_and_report(run: Run) -> None:
    outcome = run("solve", "wave", "--sigma", 0.1, "--out", "w.field")
    assert outcome.code == 0
    assert json.loads(Path("w.json").read_text())["relative_error"] < 0.05
    assert Path("w.png").stat().st_size > 10_000
    found = load("w.field")
    assert found.fit["sigma"] == 0.1
    assert found.field(torch.zeros(3, 3)).shape == (3, 1)


def test_wave_refuses_what_it_has_no_use_for(run: Run) -> None:
    check_refused(run("solve", "wave", "--steps", 3), "--steps", "one solve")
    check_refused(run("solve", "wave", "--time", 3), "--time", "one solve")
    check_refused(run("solve", "wave", "--sigma", 0), "--sigma")
