"""A check that tifffile leaves out."""

from typing import Any


def check_whole_tiff(file: Any) -> None:
    """Require that the chain of pages of an open `tifffile.TiffFile` has its end.

    tifffile takes a chain that leads past the end of the file for a shorter one.

    Raises:
        ValueError: If it is broken.
    """
    num_pages = len(file.pages)
    file.filehandle.seek(file.pages.next_page_offset)
    pointer = file.filehandle.read(file.tiff.offsetsize)
    if not pointer or any(pointer):
        raise ValueError(f"the pages after page {num_pages} are missing")
