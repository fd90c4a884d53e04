"""Folders, layers and public names agree in source, tests, `pyproject.toml` and docs."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import neurafield

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "neurafield"
INIT = SOURCE / "__init__.py"


def folders(path: Path) -> set[str]:
    """Names of the packages in a folder."""
    return {found.parent.name for found in path.glob("*/__init__.py")}


SUBPACKAGES = folders(SOURCE)

# ---- folders


def test_tests_mirror_the_source() -> None:
    assert folders(ROOT / "tests") == SUBPACKAGES
    for name in SUBPACKAGES:
        assert list((ROOT / "tests" / name).glob("test_*.py")), name


def test_folders_are_found(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "__init__.py").touch()
    assert folders(tmp_path) == {"a"}
    assert "encodings" in SUBPACKAGES


# ---- public names

PROBE = """
import sys, types
import neurafield
assert "torch" not in sys.modules, "importing neurafield imports torch"
for name in sys.argv[1:]:
    module = getattr(neurafield, name)
    assert isinstance(module, types.ModuleType), name
    assert module.__name__ == f"neurafield.{name}", module
"""


def probe(*names: str) -> subprocess.CompletedProcess[str]:
    """Read attributes of the package in a fresh process, where nothing else has imported them."""
    command = [sys.executable, "-c", PROBE, *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_subpackage_is_an_attribute() -> None:
    run = probe(*sorted(SUBPACKAGES))
    assert run.returncode == 0, run.stderr


def test_a_missing_subpackage_would_be_seen() -> None:
    run = probe("tests")
    assert run.returncode == 1
    assert "no attribute 'tests'" in run.stderr


def names_for_type_checkers(text: str) -> tuple[set[str], dict[str, str]]:
    """Subpackages, and other names with their modules, from the block under `TYPE_CHECKING`."""
    (block,) = (
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    modules: set[str] = set()
    names: dict[str, str] = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name
            if statement.module is None:
                modules.add(alias.name)
            else:
                names[alias.name] = statement.module
    return modules, names


def test_type_checkers_see_the_same_names() -> None:
    modules, names = names_for_type_checkers(INIT.read_text())
    assert set(neurafield._SUBPACKAGES) == SUBPACKAGES
    assert modules == SUBPACKAGES | {"errors"}
    assert names == neurafield._NAMES


def test_a_difference_for_type_checkers_would_be_seen() -> None:
    line = "    from . import surfaces as surfaces\n"
    assert line in INIT.read_text()
    modules, _ = names_for_type_checkers(INIT.read_text().replace(line, ""))
    assert modules == (SUBPACKAGES | {"errors"}) - {"surfaces"}


# ---- layers


def documented_layers(text: str) -> list[list[str]]:
    """Names on each line of the block under "The layers", top down."""
    block = re.search(r"^## The layers\n.*?^```\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block
    lines = block[1].splitlines()
    assert all(re.fullmatch(r"\w+( \| \w+)* {2,}\S.*", line) for line in lines), lines
    return [re.split(r" {2,}", line)[0].split(" | ") for line in lines]


def declared_layers() -> list[list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    return [line.split(" | ") for line in contract["layers"]]


def test_documented_layers_are_those_that_are_checked() -> None:
    assert documented_layers((ROOT / "docs" / "architecture.md").read_text()) == declared_layers()


def test_layers_hold_every_subpackage() -> None:
    assert {name for line in declared_layers() for name in line} >= SUBPACKAGES


@pytest.mark.parametrize(
    ("old", "new"),
    [("maps | signals", "signals | maps"), ("errors   ", "error   "), ("fit   ", "fit | maps   ")],
)
def test_other_layers_would_be_seen(old: str, new: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert old in text
    assert documented_layers(text.replace(old, new)) != declared_layers()
