"""Runs the code of the README, the examples and the docstrings."""

import doctest
import importlib
import pkgutil
import re
import runpy
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from _pytest.mark import ParameterSet

import neurafield
from neurafield import Field, networks
from neurafield.domains import Box
from neurafield.fit import Constraint, fit, losses, metrics, schedule
from neurafield.networks import Siren
from neurafield.signals import Audio, Image, Interior, Video, Volume

ROOT = Path(__file__).parents[1]
SLOW = {
    *("01_derivatives.py", "03_heat.py", "04_burgers.py", "06_levels_of_detail.py"),
    "neurafield.problems.evolution",
    "07_unknown_diffusivity.py",
    "08_unknown_lorenz.py",
}
"""Examples and modules whose run takes more than a few seconds."""
MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(neurafield.__path__, "neurafield.")
    if not m.name.endswith("__main__")
)


def slow_ones_marked(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in names]


def python_blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.from_array(skimage.data.camera()[::4, ::4]).save(
        torch.from_numpy(skimage.data.camera()[::4, ::4, None] / 127.5 - 1), "photo.png"
    )
    blocks = python_blocks((ROOT / "README.md").read_text())
    assert len(blocks) == 2
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
    # The value in the comment of the last block.
    assert names["u"](torch.zeros(1, 2)).item() == pytest.approx(1, abs=0.01)
    assert {path.suffix for path in tmp_path.iterdir()} == {".field", ".png"}


EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("name", slow_ones_marked(EXAMPLES))
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")


def test_the_slow_ones_exist() -> None:
    assert {*EXAMPLES, *MODULES} >= SLOW


def run_doctests(name: str, folder: Path) -> doctest.TestResults:
    module = importlib.import_module(name)
    known = {
        **{"torch": torch, "np": np, "folder": folder, "networks": networks},
        **{"Field": Field, "Siren": Siren, "Image": Image, "Audio": Audio, "Video": Video},
        **{"Volume": Volume, "Constraint": Constraint, "fit": fit, "losses": losses},
        **{"metrics": metrics, "schedule": schedule, "Box": Box, "Interior": Interior},
    }
    return doctest.testmod(
        module, extraglobs={k: v for k, v in known.items() if k not in vars(module)}
    )


@pytest.mark.parametrize("name", slow_ones_marked(MODULES))
def test_docstring_examples_run(name: str, tmp_path: Path) -> None:
    assert run_doctests(name, tmp_path).failed == 0


def test_a_wrong_docstring_example_is_noticed(tmp_path: Path) -> None:
    # Examples are found and counted, so the test above can fail.
    assert run_doctests("neurafield.fit.metrics", tmp_path).attempted >= 2
    broken = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "broken", None, None)
    results = doctest.DocTestRunner(verbose=False).run(broken, out=lambda text: None)
    assert results.failed == 1


def test_links_between_documents_exist() -> None:
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_public_names_resolve() -> None:
    for name in neurafield.__all__:
        assert getattr(neurafield, name) is not None
    assert set(neurafield.__all__) <= set(dir(neurafield))
    with pytest.raises(AttributeError, match="no attribute 'wings'"):
        neurafield.wings  # noqa: B018
