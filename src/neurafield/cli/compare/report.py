"""The report of a comparison: facts, table and notes, and how they are written and printed."""

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..._files import write_atomically
from ..shared.budget import TOLERANCE
from .comparison import Entry

HEADINGS = ("architecture", "parameters", "PSNR, dB", "SSIM", "seconds", "steps", "lr", "bytes")
"""Headings of the table."""


@dataclass
class Report:
    """The results of a comparison so far; `compare.json` contains them.

    Args:
        facts: Facts about all runs.
        entries: Results per architecture, in the order of the names.
        left_out: Architectures that cannot meet the budget, with the reason.
    """

    facts: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def ranked(self) -> list[Entry]:
        """Entries, the best first."""
        return sorted(self.entries, key=lambda e: -(e.spread("psnr") or (0.0, 0.0))[0])

    def title(self) -> str:
        """Name and size of the signal, and the budget."""
        shape = self.facts["shape"]
        size = " x ".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]:,} samples"
        return f"{self.facts['input']}, {size}: {self.facts['params']:,} parameters each"

    def notes(self) -> list[str]:
        """Sentences that explain the table."""
        seeds = self.facts["seeds"]
        notes = [
            f"Parameters: {self.facts['params']:,} requested, met by each within {TOLERANCE:.0%}. "
            "Seconds are those of fitting alone, bytes the size of the field file.",
            f"One run, seed {seeds[0]}."
            if len(seeds) == 1
            else f"Mean ± standard deviation over {len(seeds)} runs, seeds "
            f"{', '.join(map(str, seeds))}.",
        ]
        if any(entry.tried for entry in self.entries):
            notes.append(
                "Learning rate: the best of three (the default times 1/3, 1 and 3), by the PSNR "
                "after a quarter of a run with the first seed. * marks the lowest or highest of "
                "the three: one beyond it (--lr) may be better."
            )
        elif self.facts["lr"] is None:
            notes.append("Learning rate: each architecture's default.")
        if (self.facts["steps"] or self.facts["usual_steps"]) < self.facts["usual_steps"] / 4:
            notes.append(
                f"Few steps: neurafield fit takes up to {self.facts['usual_steps']:,} for this "
                "signal, which may change the ranking."
            )
        if self.facts["measured"] < 1:
            notes.append(
                f"PSNR and SSIM are measured on {self.facts['measured']:.1%} of the samples, "
                "evenly spaced."
            )
        if self.facts["interrupted"]:
            notes.append("Interrupted: only the finished runs are here.")
        notes += [f"Left out: {name}: {reason}" for name, reason in self.left_out.items()]
        return notes

    def rows(self) -> list[list[str]]:
        """Cells of the table, the best first."""
        return [cells(entry) for entry in self.ranked()]

    def write_tables(self, folder: Path) -> None:
        """Write `compare.json` and `compare.md`."""
        values = {
            **self.facts,
            "left_out": self.left_out,
            "architectures": [entry.as_json() for entry in self.entries],
        }
        write_atomically(folder / "compare.json", (json.dumps(values, indent=1) + "\n").encode())
        # The name of a file may contain characters that Markdown interprets.
        title = "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in self.title())
        lines = [
            f"# {title}",
            "",
            f"| {' | '.join(HEADINGS)} |",
            "|---" + "|--:" * (len(HEADINGS) - 1) + "|",
            *(f"| {' | '.join(row)} |" for row in self.rows()),
            "",
            *(f"- {note}" for note in self.notes()),
            "",
        ]
        write_atomically(folder / "compare.md", "\n".join(lines).encode())

    def print_table(self) -> None:
        """Print title, table and notes."""
        table = Table(*HEADINGS, box=None, pad_edge=False)
        for column in table.columns[1:]:
            column.justify = "right"
        for row in self.rows():
            table.add_row(*row)
        console = Console(file=sys.stdout)
        # Lines longer than the terminal are better than figures cut in the middle.
        for column, heading in zip(table.columns, HEADINGS, strict=True):
            column.no_wrap = True
            column.min_width = max(len(heading), *(len(str(cell)) for cell in column.cells))
        print(self.title())
        console.print(table, soft_wrap=True, crop=False)
        for note in self.notes():
            print(note)


def cells(entry: Entry) -> list[str]:
    """Row of an architecture, one text per heading."""
    edge = entry.tried and entry.lr in (min(entry.tried), max(entry.tried))
    return [
        entry.arch + (" (diverged)" if entry.diverged else ""),
        f"{entry.params:,}",
        _figure(entry, "psnr", ".2f"),
        _figure(entry, "ssim", ".4f"),
        _figure(entry, "seconds", ".1f"),
        f"{max(run.steps for run in entry.runs):,}",
        f"{entry.lr:.2g}{'*' if edge else ''}",
        f"{entry.bytes:,}",
    ]


def _figure(entry: Entry, name: str, form: str) -> str:
    found = entry.spread(name)
    if found is None:
        return "–"
    if found[0] == float("inf"):
        return "exact"
    mean = format(found[0], form)
    return mean if len(entry.runs) == 1 else f"{mean} ± {format(found[1], form)}"
