"""Checks before a file of any kind is read."""

import importlib
import stat
from pathlib import Path
from typing import Any

from .errors import SignalError

# Deflate, the strongest compression in use, packs at most 1032 bytes into one.
_CLAIM_RATIO = 2000
_CLAIM_BYTES = 2**28


def check_readable(path: Path) -> None:
    """Require a readable file that is not empty.

    Raises:
        SignalError: If it is missing, a folder, empty, or cannot be opened.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: an impossible file name.
        raise SignalError(f"{path}: no such file. Check the spelling and the folder.") from error
    if stat.S_ISDIR(status.st_mode):
        raise SignalError(f"{path}: expected a file, got a folder.")
    if status.st_size == 0:
        raise SignalError(f"{path}: expected a signal, got an empty file of zero bytes.")
    read_header(path, 1)


def read_header(path: Path, size: int) -> bytes:
    """Reads the first bytes of a file.

    Raises:
        SignalError: If it cannot be opened.
    """
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError as error:
        raise SignalError(f"{path}: cannot be read ({error.strerror}).") from error


def check_claim(path: Path, num_bytes: int) -> None:
    """Refuse a file that claims far more samples than its bytes can hold, even compressed.

    Raises:
        SignalError: If it does, before memory is allocated for it.
    """
    limit = max(_CLAIM_BYTES, _CLAIM_RATIO * path.stat().st_size)
    if num_bytes > limit:
        raise SignalError(
            f"{path}: claims {num_bytes:,} bytes of samples, more than a file of this size can "
            "hold. It is damaged; take another copy."
        )


def import_extra(module: str, extra: str, owner: Path | str) -> Any:
    """Import an optional package that only some files need.

    Raises:
        SignalError: If it is not installed, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SignalError(
            f"{owner}: needs the package {module}, which is not installed. "
            f"Run: pip install 'neurafield[{extra}]'."
        ) from error


def one_line(error: Exception) -> str:
    """First line of another library's error about a damaged file."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
