"""Curves for a page, as SVG; text and axes have the page's own colour."""

import colorsys
import html
import math
from collections.abc import Iterable

_WIDTH, _HEIGHT = 640, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 40
_SETTLED = 0.1


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour per name, as #rrggbb.

    Steps of the golden angle around the colour circle, so that neighbours differ most.
    """
    found = {}
    for index, name in enumerate(names):
        rgb = colorsys.hls_to_rgb(index * 137.508 % 360 / 360, (0.45, 0.58)[index % 2], 0.65)
        found[name] = "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
    return found


def chart(
    label: str, curves: dict[str, tuple[list[float], list[float]]], colours: dict[str, str]
) -> str:
    """Lines over a logarithmic axis; the first tenth of a curve may lie below the picture.

    Args:
        label: Label of the horizontal axis.
        curves: Horizontal (positive) and vertical coordinates for each name.
        colours: Colour for each name.
    """
    curves = {name: (x, y) for name, (x, y) in curves.items() if x and max(x) > 0}
    if not curves:
        return ""
    left = min(min(v for v in x if v > 0) for x, _ in curves.values())
    right = max(max(x) for x, _ in curves.values())
    # At least one decade, also for a curve of one point.
    left = min(left, right / 10)
    settled = [v for x, y in curves.values() for v in y[int(_SETTLED * len(y)) :]]
    low, high = math.floor(min(settled)), math.ceil(max(settled) + 0.1)

    def across(value: float) -> float:
        share = math.log(max(value, left) / left) / math.log(right / left)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def up(value: float) -> float:
        share = (value - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="PSNR over {label}">',
        f'<clipPath id="{label}"><rect x="{_LEFT}" y="{_TOP}" '
        f'width="{_WIDTH - _LEFT - _RIGHT}" height="{_HEIGHT - _TOP - _BOTTOM}"/></clipPath>',
    ]
    for value in _round_numbers(low, high):
        y = up(value)
        parts.append(
            f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in _decades(left, right):
        x = across(value)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{label}</text>'
    )
    # The last line is drawn on top, so the best comes last.
    for name, (where, height) in reversed(curves.items()):
        points = " ".join(
            f"{across(a):.1f},{up(b):.1f}" for a, b in zip(where, height, strict=True)
        )
        parts.append(
            f'<polyline clip-path="url(#{label})" stroke="{colours[name]}" points="{points}">'
            f"<title>{html.escape(name)}, {height[-1]:.1f} dB</title></polyline>"
        )
    return "".join([*parts, "</svg>"])


def _round_numbers(low: float, high: float) -> list[float]:
    """At most eight multiples of 1, 2, 5, 10, ..."""
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000) if (high - low) / s <= 8)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _decades(left: float, right: float) -> list[float]:
    """1, 2 and 5 times powers of ten."""
    powers = range(math.floor(math.log10(left)), math.ceil(math.log10(right)) + 1)
    fine = (1, 2, 5) if len(powers) <= 5 else (1,)
    return [n * 10.0**p for p in powers for n in fine if left <= n * 10.0**p <= right]
