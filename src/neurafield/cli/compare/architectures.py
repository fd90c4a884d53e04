"""The list of architectures, as `neurafield compare --list` prints it."""

import sys

from rich.console import Console
from rich.table import Table

from ...architectures import ARCHITECTURES


def print_architectures() -> None:
    """Print name, numbers of coordinates, learning rate and description of each."""
    table = Table("name", "axes", "lr", "description", box=None, pad_edge=False)
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for name, arch in ARCHITECTURES.items():
        table.add_row(name, " ".join(map(str, arch.dims)), f"{arch.lr:.2g}", arch.about)
    console = Console(file=sys.stdout)
    console.print(table)
    console.print(
        "axes: number of coordinates (1 for sound, 2 for pictures, 3 for video, volumes and "
        "shapes). lr: learning rate.",
        highlight=False,
    )
