"""What every kind of signal does before it reads a file."""

import importlib
from pathlib import Path
from typing import Any

from ..errors import SignalError


def check_readable(path: Path) -> None:
    """Require a file with something in it.

    Raises:
        SignalError: If it is missing, a folder, empty, or cannot be opened.
    """
    if path.is_dir():
        raise SignalError(f"{path}: expected a file, got a folder.")
    if not path.exists():
        raise SignalError(f"{path}: no such file. Check the spelling and the folder.")
    if path.stat().st_size == 0:
        raise SignalError(f"{path}: expected a signal, got an empty file of zero bytes.")
    read_header(path, 1)


def read_header(path: Path, size: int) -> bytes:
    """The first bytes of a file.

    Raises:
        SignalError: If it cannot be opened.
    """
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise SignalError(f"{path}: cannot be read ({error.strerror}).") from error


def import_extra(module: str, extra: str, path: Path) -> Any:
    """Import a package that only some signals need.

    Raises:
        SignalError: If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SignalError(
            f"{path}: needs the package {module}, which is not installed. "
            f"Run: pip install 'neurafield[{extra}]'."
        ) from error


def one_line(error: Exception) -> str:
    """The first line of what another library says of a damaged file."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
