"""Writes `docs/components.md` from the docstrings of all public components.

Run `python -m docs.components` after a docstring or a signature has changed; a test tells when.
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

ROOMS: list[tuple[str, ModuleType, type]] = [
    ("Encodings", encodings, encodings.AbstractEncoding),
    ("Networks", networks, networks.AbstractNetwork),
    ("Activations", activations, activations.AbstractActivation),
]

# Of several rooms.
PLACES: list[Callable[..., Any]] = [
    Placed,
    Scene,
    overlap.Minimum,
    overlap.Sum,
    overlap.Mean,
    encodings.Octree,
]

INTRODUCTION = """\
# Components

All building blocks under their own names: what each computes, its parameters at their defaults,
when to use it, when it fails, and where it comes from. This page is generated from the classes by
`python -m docs.components`. What a number means is in [conventions.md](conventions.md), how to add
one in [extending.md](extending.md).

Encodings and networks map `(*batch, in_dim)` to `(*batch, out_dim)` for any batch; activations keep
the shape. All that draw initial parameters also take a `generator`, their only source. Under
[places](#places) is what says where: fields in a scene, occupied cells in a grid.
"""

# What `nn.Module` takes, and so a class without a constructor of its own.
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
SECTION = re.compile(r"^(Args|Returns|Raises|Example|Reference):$", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    """A component's docstring, taken apart. What it does not have is empty."""

    line: str
    body: str
    use_when: str
    fails_when: str
    cost: str
    parameters: dict[str, str]
    example: str
    source: str


def parts_of(component: Callable[..., Any]) -> Parts:
    """Take a docstring apart by the headings that every component has."""
    head, *pieces = SECTION.split(inspect.getdoc(component) or "")
    sections = dict(_pairs(pieces))
    paragraphs = head.strip().split("\n\n")
    for name in ("Args", "Returns", "Raises"):
        # What stands at the margin again is about the component, not of that section.
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
    """Parameters and their defaults as they are written, empty where one has to be given."""
    parameters = inspect.signature(component).parameters.values()
    return {
        parameter.name: "" if parameter.default is parameter.empty else repr(parameter.default)
        for parameter in parameters
        if parameter.name != "generator" and parameter.kind not in VARIADIC
    }


def entry(name: str, component: Callable[..., Any]) -> str:
    """The part of the page on one component."""
    parts, defaults = parts_of(component), defaults_of(component)
    rows = [
        f"- `{parameter} = {default}`: " if default else f"- `{parameter}`: "
        for parameter, default in defaults.items()
    ]
    told = [row + parts.parameters.get(name, "") for row, name in zip(rows, defaults, strict=True)]
    blocks = [
        f"### {name}",
        parts.line,
        parts.body,
        "\n".join(told),
        f"**Use when** {parts.use_when}" if parts.use_when else "",
        f"**Fails when** {parts.fails_when}" if parts.fails_when else "",
        f"**Cost:** {parts.cost}" if parts.cost else "",
        f"```pycon\n{parts.example}\n```" if parts.example else "",
        f"**Source:** {parts.source}" if parts.source else "",
    ]
    return github_maths("\n\n".join(block for block in blocks if block)) + "\n"


def components_of(room: ModuleType, base: type) -> dict[str, Callable[..., Any]]:
    """Public concrete classes of a room, and its public functions behind them."""
    return {**registry(room, base), **dict(inspect.getmembers(room, inspect.isfunction))}


def page() -> str:
    """The whole page."""
    blocks = [INTRODUCTION]
    sections = {title: components_of(room, base) for title, room, base in ROOMS}
    sections["Places"] = {place.__name__: place for place in PLACES}
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
    """What follows each `name:` at the margin."""
    pieces = re.split(r"^(\w+(?:, \w+)*): ", section, flags=re.MULTILINE)[1:]
    return {name: _unwrapped(text) for names, text in _pairs(pieces) for name in names.split(", ")}


def _cell(text: str) -> str:
    return github_maths(text).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page())
