"""Ctrl-C and SIGTERM: as a wish, or as an end that leaves no half files."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a wish; a second one acts at once, as ever."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        for name, handler in before.items():
            signal.signal(name, handler)

    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    for name in before:
        signal.signal(name, note)
    try:
        yield lambda: bool(asked)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def ended_as_interrupted() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that what is half written is removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
