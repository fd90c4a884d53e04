"""Generates `docs/components.md` from the docstrings of all public components.

Run `python -m docs.components` after changing a docstring or a signature; a test detects when the
page is out of date.
"""

import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from neurafield import Placed, Scene, activations, encodings, networks
from neurafield._component import registry
from neurafield.fields import overlap

PAGE = Path(__file__).with_suffix(".md")

SUBPACKAGES: list[tuple[str, ModuleType, type]] = [
    ("Encodings", encodings, encodings.AbstractEncoding),
    ("Networks", networks, networks.AbstractNetwork),
    ("Activations", activations, activations.AbstractActivation),
]

# From several subpackages.
STRUCTURES: list[Callable[..., Any]] = [
    Placed,
    Scene,
    overlap.Minimum,
    overlap.Sum,
    overlap.Mean,
    encodings.Octree,
]

INTRODUCTION = """\
# Components

All building blocks by name: formula, parameters with their defaults, when to use it, when it fails,
and its source. This page is generated from the classes by `python -m docs.components`. Units and
ranges are defined in [conventions.md](conventions.md); [extending.md](extending.md) shows how to
add a component.

Encodings and networks map `(*batch, in_dim)` to `(*batch, out_dim)` for any batch; activations keep
the shape. Components that draw initial parameters also take a `generator`, the only source of
randomness. [Scenes and octrees](#scenes-and-octrees) describe positions: of fields in a scene, and
of occupied cells in a grid.
"""

# Arguments of `nn.Module`, and so of a class without its own constructor.
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
SECTION = re.compile(r"^(Args|Returns|Raises|Example|Reference):$", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    """The parts of a component's docstring; missing ones are empty."""

    line: str
    body: str
    use_when: str
    fails_when: str
    cost: str
    parameters: dict[str, str]
    example: str
    source: str


def parts_of(component: Callable[..., Any]) -> Parts:
    """Split a docstring by the headings that every component has."""
    head, *pieces = SECTION.split(inspect.getdoc(component) or "")
    sections = dict(_pairs(pieces))
    paragraphs = head.strip().split("\n\n")
    for name in ("Args", "Returns", "Raises"):
        # Unindented text after a section is about the component, not part of the section.
        sections[name], *remarks = re.split(r"\n(?=\S)", sections.get(name, ""), maxsplit=1)
        paragraphs += [text for remark in remarks for text in remark.strip().split("\n\n")]
    line, *paragraphs = map(_unwrapped, paragraphs)
    marked = " ".join(text for text in paragraphs if re.match("(Use|Fails) when", text))
    use_when, _, fails_when = marked.partition("Fails when ")
    cost = [text for text in paragraphs if text.startswith("Cost:")]
    body = [text for text in paragraphs if not re.match("(Use|Fails) when|Cost:", text)]
    return Parts(
        line=line,
        body="\n\n".join(body),
        use_when=use_when.removeprefix("Use when ").strip(),
        fails_when=fails_when.strip(),
        cost=" ".join(text.removeprefix("Cost:").strip() for text in cost),
        parameters=_parameters(textwrap.dedent(sections["Args"])),
        example=textwrap.dedent(sections.get("Example", "")).strip(),
        source=_unwrapped(sections.get("Reference", "")),
    )


def defaults_of(component: Callable[..., Any]) -> dict[str, str]:
    """Parameters and the text of their defaults, empty for required ones."""
    parameters = inspect.signature(component).parameters.values()
    return {
        parameter.name: "" if parameter.default is parameter.empty else repr(parameter.default)
        for parameter in parameters
        if parameter.name != "generator" and parameter.kind not in VARIADIC
    }


def entry(name: str, component: Callable[..., Any]) -> str:
    """The entry of one component on the page."""
    parts, defaults = parts_of(component), defaults_of(component)
    rows = [
        f"- `{parameter} = {default}`: " if default else f"- `{parameter}`: "
        for parameter, default in defaults.items()
    ]
    items = [row + parts.parameters.get(name, "") for row, name in zip(rows, defaults, strict=True)]
    blocks = [
        f"### {name}",
        parts.line,
        parts.body,
        "\n".join(items),
        f"**Use when** {parts.use_when}" if parts.use_when else "",
        f"**Fails when** {parts.fails_when}" if parts.fails_when else "",
        f"**Cost:** {parts.cost}" if parts.cost else "",
        f"```pycon\n{parts.example}\n```" if parts.example else "",
        f"**Source:** {parts.source}" if parts.source else "",
    ]
    return github_maths("\n\n".join(block for block in blocks if block)) + "\n"


def components_of(subpackage: ModuleType, base: type) -> dict[str, Callable[..., Any]]:
    """Public concrete classes of a subpackage, followed by its public functions."""
    return {
        **registry(subpackage, base),
        **dict(inspect.getmembers(subpackage, inspect.isfunction)),
    }


def page() -> str:
    """The whole page."""
    blocks = [INTRODUCTION]
    sections = {title: components_of(subpackage, base) for title, subpackage, base in SUBPACKAGES}
    sections["Scenes and octrees"] = {structure.__name__: structure for structure in STRUCTURES}
    for title, components in sections.items():
        rows = [
            f"| [{name}](#{name.lower()}) | {_cell(parts_of(component).line)} |"
            for name, component in components.items()
        ]
        blocks.append(
            "\n".join([f"## {title}", "", "| name | what it does |", "|---|---|", *rows, ""])
        )
        blocks += [entry(name, component) for name, component in components.items()]
    return "\n".join(blocks)


def github_maths(text: str) -> str:
    r"""Write `$...$` as GitHub's "$`...`$", inside which Markdown does not touch `_` and `\`."""
    code_or_maths = re.compile(r"`[^`]*`|\$([^$]+)\$")
    return code_or_maths.sub(lambda m: f"$`{m[1].strip()}`$" if m[1] else m[0], text)


def _pairs(pieces: list[str]) -> list[tuple[str, str]]:
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def _unwrapped(text: str) -> str:
    """A paragraph on one line; each item of a list on its own."""
    return re.sub(r"\n(?!- )\s*", " ", text.strip())


def _parameters(section: str) -> dict[str, str]:
    """The text after each unindented `name:`."""
    pieces = re.split(r"^(\w+(?:, \w+)*): ", section, flags=re.MULTILINE)[1:]
    return {name: _unwrapped(text) for names, text in _pairs(pieces) for name in names.split(", ")}


def _cell(text: str) -> str:
    return github_maths(text).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page())
