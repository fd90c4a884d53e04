"""The page of a comparison: one self-contained HTML file."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from .comparison import Entry
from .page_chart import chart
from .page_chart import colours as line_colours
from .page_pictures import error_picture, error_range, signal_picture, window, worst_part

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --card: #8881; --soft: #777; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { cursor: pointer; white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
td small { color: var(--soft); }
.scroll { overflow-x: auto; }
.dot { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .5em; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; padding: .6rem; background: var(--card); border-radius: .5rem; }
figure img { width: 100%; display: block; border-radius: .2rem; margin-bottom: .35rem; }
figure img.near { image-rendering: pixelated; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .35rem; }
figcaption { font-size: .9rem; } ul, .soft { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
svg polyline { fill: none; stroke-width: 1.6; } svg polyline:hover { stroke-width: 4; }
svg .axis { stroke: currentColor; stroke-opacity: .25; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 1rem; }
"""

_SORT = """
for (const th of document.querySelectorAll("th")) th.onclick = () => {
  const body = th.closest("table").tBodies[0], i = th.cellIndex, up = th.dataset.up !== "1";
  const key = row => row.cells[i].dataset.key;
  const number = row => parseFloat(key(row));
  const rows = [...body.rows].sort((a, b) => isNaN(number(a)) || isNaN(number(b))
    ? key(a).localeCompare(key(b)) : number(a) - number(b));
  th.dataset.up = up ? "1" : "0";
  body.append(...(up ? rows : rows.reverse()));
};
"""


def page(
    *,
    title: str,
    notes: Sequence[str],
    machine: dict[str, Any],
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    entries: Sequence[Entry],
    truth: Shaped[np.ndarray, "..."],
    kind: str,
) -> str:
    """The whole page as HTML.

    Args:
        title: Title of the page.
        notes: Sentences below the table.
        machine: Facts about the machine, from `system.describe`.
        headings: Headings of the table.
        rows: Rows of the table, one per entry.
        entries: Entries, the best first.
        truth: Picture of the signal.
        kind: Kind of the signal.
    """
    curves = {e.arch: e.runs[0].curve for e in entries}
    colours = line_colours(curves)
    where = f"{machine['processor']}, threads: {machine['threads']}, torch {machine['torch']}, "
    where += f"neurafield {machine['neurafield']}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _table(headings, rows, entries, colours),
        "<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes),
        f"<li>{html.escape(where)}.</li></ul>",
        "<h2>While fitting</h2>",
        '<p class="soft">PSNR of recent batches in dB, for the first seed. Hover over a line to '
        "see its name.</p>",
        '<div class="charts">',
        chart("steps", {n: (c["steps"], c["psnr"]) for n, c in curves.items()}, colours),
        chart("seconds", {n: (c["seconds"], c["psnr"]) for n, c in curves.items()}, colours),
        "</div>",
        *_pictures(entries, rows, truth, kind),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + f"\n<script>{_SORT}</script>\n</body>\n</html>\n"
    )


def _table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    entries: Sequence[Entry],
    colours: dict[str, str],
) -> str:
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    lines = []
    for entry, row in zip(entries, rows, strict=True):
        cells = [
            f'<td data-key="{html.escape(cell.replace(",", ""))}">{html.escape(cell)}</td>'
            for cell in row[1:]
        ]
        dot = f'<span class="dot" style="background:{colours[entry.arch]}"></span>'
        name = f"{dot}{html.escape(row[0])} <small>{html.escape(entry.about)}</small>"
        lines.append(f'<tr><td data-key="{html.escape(row[0])}">{name}</td>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _pictures(
    entries: Sequence[Entry],
    rows: Sequence[Sequence[str]],
    truth: Shaped[np.ndarray, "..."],
    kind: str,
) -> list[str]:
    shown = [(e, row, e.view) for e, row in zip(entries, rows, strict=True) if e.view is not None]
    if not shown:
        return []
    sound = kind == "audio"
    most = error_range([view for _, _, view in shown], truth, sound=sound)
    part = worst_part([view for _, _, view in shown], truth, sound=sound)
    near = "a stretch" if sound else "a part"
    what = {"video": "The middle frame", "volume": "The middle slice", "audio": "The waveform"}
    scale = (
        f"enlarged {1 / most:.3g} times"
        if sound
        else f"from black (none) to light yellow ({most:.0%} of the range or more)"
    )
    figures = [_figure("original", "", signal_picture(truth, sound), None, truth, part, sound)]
    for entry, row, view in shown:
        about = f"{row[2]} dB" + (f", SSIM {row[3]}" if entry.spread("ssim") else "")
        error = error_picture(view, truth, most, sound)
        figures.append(
            _figure(entry.arch, about, signal_picture(view, sound), error, view, part, sound)
        )
    return [
        "<h2>Pictures</h2>",
        f'<p class="soft">{what.get(kind, "The picture")} of the first seed; its error, '
        f"{scale}; and {near} of it enlarged, where the mean error of all is largest.</p>",
        f'<div class="grid">{"".join(figures)}</div>',
    ]


def _figure(
    name: str,
    about: str,
    picture: str,
    error: str | None,
    view: Shaped[np.ndarray, "..."],
    part: tuple[slice, ...],
    sound: bool,
) -> str:
    name = html.escape(name)
    near = f'<img class="near" alt="{name}, enlarged" src="{window(view, part, sound)}">'
    wrong = f'<img alt="error of {name}" src="{error}">' if error else "<span></span>"
    below = wrong + near if sound else f'<div class="pair">{wrong}{near}</div>'
    return (
        f"<figure><figcaption><b>{name}</b> {html.escape(about)}</figcaption>"
        f'<img alt="{name}" src="{picture}">{below}</figure>'
    )
