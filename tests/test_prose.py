"""Docstrings begin with the thing or a verb, and entries under `Args` with a noun.

Run `python -m tests.test_prose src/neurafield/fit` to see the openings that break the rules.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "neurafield"

BAD_OPENINGS = {"What", "How", "Of", "That", "Those", "Where", "Whether", "Which", "Who"}
"""First words of a docstring that do not name the thing."""

BAD_ENTRIES = BAD_OPENINGS | {
    *("As", "At", "Below", "Beyond", "By", "For", "From", "If", "In", "Into", "On", "Over"),
    *("So", "Such", "Than", "Then", "To", "Under", "Until", "Up", "When", "With", "Within"),
}
"""First words of an argument's description that do not name the argument."""

ENTRY = re.compile(r"^ {4}[\w*, ]+(?: \([^)]*\))?: +(.+)$")


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and text of docstrings of modules, classes, functions and assignments."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for before, statement in zip([None, *node.body], node.body, strict=False):
            is_text = (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
            )
            if is_text and (before is None or isinstance(before, ast.Assign | ast.AnnAssign)):
                yield statement.lineno, statement.value.value


def offences(text: str) -> Iterator[tuple[int, str]]:
    """Yields line offset and opening words of each offence in one docstring."""
    lines = text.splitlines() or [""]
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if first_word(lines[start]) in BAD_OPENINGS:
        yield start, lines[start].strip()
    indent = min((len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()), default=0)
    inside = False
    for number, line in enumerate(lines[1:], start=1):
        own = line[indent:]
        if re.match(r"\w+:$", own):
            inside = own == "Args:"
        entry = ENTRY.match(own) if inside else None
        if entry and first_word(entry[1]) in BAD_ENTRIES:
            yield number, own.strip()


def first_word(text: str) -> str:
    found = re.match(r"\W*(\w+)", text)
    return found[1].capitalize() if found and text.strip()[:1].isalpha() else ""


def all_offences(root: Path) -> list[str]:
    """Position and opening words of all offences in a file or a folder."""
    found = []
    for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        for line, text in docstrings(path):
            found += [f"{path}:{line + k}: {words}" for k, words in offences(text)]
    return found


def test_every_docstring_begins_with_the_thing_or_a_verb() -> None:
    found = all_offences(SOURCE)
    assert not found, f"{len(found)} bad openings:\n" + "\n".join(found)


BAD = '''"""What a thing is."""

LIMIT = 3
"""Of the thing, at most."""


class Thing:
    """A thing.

    Args:
        size: Of the thing.
        mode (str): How it is done.
        good: Number of things.

    Returns:
        What is left.
    """

    def method(self) -> None:
        """Whether it works."""
'''


def test_offences_are_found(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    assert [found.rpartition(":")[0].rpartition(":")[2] for found in all_offences(path)] != []
    assert len(all_offences(path)) == 5
    path.write_text('"""A module. What is told later does not count."""\n')
    assert not all_offences(path)


if __name__ == "__main__":
    found = all_offences(Path(sys.argv[1]) if sys.argv[1:] else SOURCE)
    print("\n".join(found) + f"\n{len(found)} bad openings")
