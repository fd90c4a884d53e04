"""The structure of the command line: no command imports another, and one table names them all."""

import ast
import pkgutil
from pathlib import Path

import neurafield.cli
from neurafield.cli.main import COMMANDS

ROOT = Path(neurafield.cli.__path__[0])
SHARED = {"main", "shared"}
"""Parts of the command line that are no commands."""


def imports(path: Path, package: tuple[str, ...]) -> set[str]:
    """Names of the modules that a file imports, below `neurafield.cli`, such as `fit.run`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{name.name}" for name in node.names]
        else:
            continue
        found |= {
            name.removeprefix("neurafield.cli.") for name in names if "neurafield.cli." in name
        }
    return found


def crossings(root: Path) -> list[str]:
    """Imports from one command, or from what commands share, into a command."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        owner = parts[0]
        if owner == "main" or path == root / "__init__.py":
            continue
        package = ("neurafield", "cli", *parts[:-1])
        for name in sorted(imports(path, package)):
            target = name.split(".")[0]
            if target not in (owner, "shared"):
                found.append(f"{'/'.join(parts)} imports {name}")
    return found


def test_no_command_imports_another() -> None:
    assert crossings(ROOT) == []


def test_crossings_are_found(tmp_path: Path) -> None:
    for folder in ("fit", "render", "shared"):
        (tmp_path / folder).mkdir()
    (tmp_path / "main.py").write_text("from . import info\nfrom .fit import options\n")
    (tmp_path / "info.py").write_text(
        "def run():\n    from .render import run\n    from .. import fit\n"
    )
    (tmp_path / "fit/run.py").write_text("from ..shared import values\nfrom . import options\n")
    (tmp_path / "render/run.py").write_text("from ..main import main\nfrom ..fit.run import run\n")
    (tmp_path / "shared/values.py").write_text("import neurafield.cli.fit\n")
    assert crossings(tmp_path) == [
        "info imports render.run",
        "render/run imports fit.run.run",
        "render/run imports main.main",
        "shared/values imports fit",
    ]


def test_the_table_names_every_command() -> None:
    files = {module.name for module in pkgutil.iter_modules([str(ROOT)])}
    assert {command.name for command in COMMANDS} == files - SHARED
