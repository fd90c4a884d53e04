"""Progress bar for work whose finished share is known."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console


@contextmanager
def bar(console: Console, title: str) -> Iterator[Callable[[float], None]]:
    """Show a progress bar.

    Yields:
        A function that moves the bar to a finished share, in [0, 1].
    """
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=1.0)
        yield lambda fraction: progress.update(task, completed=fraction)
