"""Output folders."""

from pathlib import Path


def check_folder(folder: Path, *, force: bool) -> None:
    """Require a folder that may be written into.

    Args:
        folder: Folder, which need not exist yet.
        force: True if the folder may contain files already.

    Raises:
        OSError: If it is a file, or contains files and `force` is false, or its parent is missing.
    """
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: expected a folder, got a file. Choose another --out.")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExistsError(
            f"{folder}: contains files already. Choose another --out, or add to them with --force."
        )
    if not folder.parent.is_dir():
        raise NotADirectoryError(f"{folder}: the folder {folder.parent} does not exist.")
