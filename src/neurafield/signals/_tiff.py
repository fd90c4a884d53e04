"""A check for truncated TIFF files, which tifffile lacks."""

from typing import Any


def check_whole_tiff(file: Any) -> None:
    """Require that the chain of pages of an open `tifffile.TiffFile` is complete.

    tifffile treats a chain that leads past the end of the file as a shorter one.

    Raises:
        ValueError: If the chain is broken.
    """
    num_pages = len(file.pages)
    file.filehandle.seek(file.pages.next_page_offset)
    pointer = file.filehandle.read(file.tiff.offsetsize)
    if not pointer or any(pointer):
        raise ValueError(f"the pages after page {num_pages} are missing")
