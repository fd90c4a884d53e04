"""Handles Ctrl-C and SIGTERM: stop at the next step, or abort without partial files."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C or SIGTERM into a request to stop; a second one aborts.

    Yields:
        A function that is true once a stop was requested.
    """
    requests: list[int] = []

    def note(number: int, _: object) -> None:
        requests.append(number)
        for name, handler in before.items():
            signal.signal(name, handler)

    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    for name in before:
        signal.signal(name, note)
    try:
        yield lambda: bool(requests)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Let SIGTERM raise `KeyboardInterrupt` as Ctrl-C does, so that partial files are removed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
