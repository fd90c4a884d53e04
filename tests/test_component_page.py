"""The page of components is up to date, and every component has all required parts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from docs.components import PAGE, STRUCTURES, SUBPACKAGES, defaults_of, github_maths, page, parts_of
from neurafield import Placed, Scene
from neurafield._component import registry
from neurafield.encodings import Octree, Positional

from .cases import ENCODING_CASES, Case

COMPONENTS = [
    cls for _, subpackage, base in SUBPACKAGES for cls in registry(subpackage, base).values()
]
MAX_LINES = 250


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == page(), "Run `python -m docs.components` and commit what it writes."


def test_a_changed_docstring_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    before = page()
    monkeypatch.setattr(Positional, "__doc__", Positional.__doc__.replace("doubling", "growing"))
    assert page() != before


def test_structures_are_on_the_page_and_examples_too() -> None:
    for structure in STRUCTURES:
        assert f"### {structure.__name__}\n\n{github_maths(parts_of(structure).line)}" in page()
    assert parts_of(Octree).example.startswith(">>> tree = Octree.from_points(")
    for component in (*COMPONENTS, Placed, Scene, Octree):
        assert f"```pycon\n{parts_of(component).example}\n```" in page()
    assert "**Source:** \n" not in page()


def check_docstring(component: Callable[..., Any]) -> None:
    parts = parts_of(component)
    assert parts.line.endswith(".")
    assert "$" in parts.body, "a formula"
    assert parts.use_when
    assert parts.fails_when
    assert parts.source
    # Exactly the parameters of the signature, in their order.
    documented = [name for name in parts.parameters if name != "generator"]
    assert documented == list(defaults_of(component))


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda cls: cls.__name__)
def test_every_component_has_a_complete_docstring(component: type) -> None:
    check_docstring(component)


@pytest.mark.parametrize("case", ENCODING_CASES, ids=str)
def test_every_encoding_with_parameters_documents_its_cost(case: Case) -> None:
    encoding = case.build()
    if any(True for _ in encoding.parameters()):
        assert parts_of(type(encoding)).cost


class Told(nn.Module):
    r"""Double coordinates.

    $y = 2x$,
    wrapped.

    Use when two of them are needed. Two lines
    of it. Fails when one is.

    Args:
        in_dim: Number of coordinates:
            all of them.
        a, b: Nothing.

    A remark
    behind them.

    Raises:
        ValueError: Never.

    Cost: nothing
    at all.

    Reference:
        None.
    """

    def __init__(self, in_dim: int, a: float = 1.0, *, b: str = "x") -> None:
        super().__init__()


def test_a_docstring_is_parsed_into_its_parts() -> None:
    parts = parts_of(Told)
    assert parts.body == "$y = 2x$, wrapped.\n\nA remark behind them."
    assert parts.use_when == "two of them are needed. Two lines of it."
    assert parts.fails_when == "one is."
    assert parts.parameters["in_dim"] == "Number of coordinates: all of them."
    assert parts.cost == "nothing at all."
    assert parts.parameters["b"] == "Nothing."
    assert defaults_of(Told) == {"in_dim": "", "a": "1.0", "b": "'x'"}
    check_docstring(Told)


@pytest.mark.parametrize(
    "part", ["$y = 2x$", "Use when", "Fails when", "in_dim:", "a, b:", "Reference:", "coordinates."]
)
def test_a_missing_part_is_noticed(part: str) -> None:
    cut = type("Cut", (Told,), {"__doc__": Told.__doc__.replace(part, "")})
    with pytest.raises(AssertionError):
        check_docstring(cut)


def test_maths_is_converted_for_github_and_code_is_unchanged() -> None:
    assert github_maths("`$5` is $x_1$, `a_b`") == "`$5` is $`x_1`$, `a_b`"


def long_files(folder: Path, most: int) -> list[str]:
    return [
        path.name
        for path in sorted(folder.glob("*.py"))
        if len(path.read_text().splitlines()) > most
    ]


@pytest.mark.parametrize(
    "subpackage",
    [subpackage for _, subpackage, _ in SUBPACKAGES],
    ids=lambda subpackage: subpackage.__name__,
)
def test_no_component_is_long(subpackage: Any) -> None:
    folder = Path(subpackage.__file__).parent
    assert long_files(folder, MAX_LINES) == []
    assert long_files(folder, 60), "the check can fail"
