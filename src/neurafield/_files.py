"""Atomic writing: a crash leaves the old file or the new one, never a partial one."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import ArgumentError


def partial_path(path: Path) -> Path:
    """Temporary path of a file before it is renamed, in the same folder with the same suffix.

    The name is fixed, so that the next process overwrites what a killed one left.
    """
    return path.with_name(f".{path.stem}.partial{path.suffix}")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; on success flush it to disk and rename it to `path`.

    Raises:
        OSError: If writing fails. `path` is then unchanged and no other file remains.
    """
    partial = partial_path(path)
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data`, all or nothing."""
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def check_can_write(path: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Require that `path` can be written, before hours are spent on its content.

    Raises:
        ValueError: If it is one of the inputs, even with `force`.
        FileExistsError: If it exists and `force` is false.
        NotADirectoryError: If its folder does not exist.
        OSError: If the folder cannot be written.
    """
    folder = path.parent
    if any(path.resolve() == given.resolve() for given in inputs):
        raise ArgumentError(
            f"{path}: expected an output other than the inputs, got one of them. Choose another "
            "--out."
        )
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected a file name to write, got a folder.")
    if path.exists() and not force:
        raise FileExistsError(
            f"{path}: exists already. Choose another --out, or give --force to overwrite it."
        )
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{path}: the folder {folder} does not exist. Create it first: mkdir -p '{folder}'."
        )
    probe = partial_path(path)
    try:
        with open(probe, "ab"):
            pass
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"{path}: cannot be written ({error.strerror}). Choose another path with --out."
        ) from error


def _sync_folder(folder: Path) -> None:
    # A rename is durable only once its folder is synced; Windows has no such call and needs none.
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
