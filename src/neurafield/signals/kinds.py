"""Selection of the signal class by the file's suffix."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._inputs import check_readable, import_extra
from ..errors import SignalError
from ..geometry import Grid
from ..shapes.files import SUFFIXES as SHAPES
from ._base import AbstractGridSignal
from ._layout import AbstractLayout
from .audio import Audio, AudioLayout
from .image import Image, ImageLayout
from .video import Video, VideoLayout
from .volume import Volume, VolumeLayout

_LAYOUTS: dict[str, type[AbstractLayout]] = {
    layout.kind: layout for layout in (AudioLayout, ImageLayout, VideoLayout, VolumeLayout)
}
_READERS: dict[str, type[Image] | type[Audio] | type[Video] | type[Volume]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"), Image),
    **dict.fromkeys((".wav", ".flac", ".ogg"), Audio),
    **dict.fromkeys((".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v"), Video),
    **dict.fromkeys((".npy", ".npz", ".nii", ".gz"), Volume),
}


def load(path: str | Path) -> AbstractGridSignal[Any]:
    """Read a signal of the kind given by the file's suffix; a TIFF with many pages is a volume.

    Raises:
        SignalError: If the suffix is unknown or the file cannot be read.
    """
    path = Path(path)
    check_readable(path)
    suffix = path.suffix.lower()
    if suffix in (".tif", ".tiff"):
        return Volume.load(path) if _num_pages(path) > 1 else Image.load(path)
    if suffix in SHAPES:
        raise SignalError(
            f"{path}: expected a picture, sound, video or volume, got a shape. Shapes are for the "
            "commands fit, evaluate and solve."
        )
    if suffix not in _READERS:
        known = [".nii.gz" if name == ".gz" else name for name in (*_READERS, ".tif", ".tiff")]
        raise SignalError(
            f"{path}: expected one of {', '.join(known)}, got "
            f"{suffix or 'no suffix'!r}. Convert it first. Shapes, which neurafield fit takes too, "
            f"are read from {', '.join(SHAPES)}."
        )
    return _READERS[suffix].load(path)


def layout_from_spec(spec: Mapping[str, Any]) -> AbstractLayout:
    """Build a layout from the JSON values of `layout.spec()`.

    Raises:
        SignalError: If the values do not describe a layout.
    """
    values = dict(spec) if isinstance(spec, Mapping) else {}
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in _LAYOUTS:
        raise SignalError(f"signal: expected one of {', '.join(_LAYOUTS)}, got {kind!r}.")
    layout = _LAYOUTS[kind]
    names = {field.name for field in dataclasses.fields(layout)}
    if values.keys() != names:
        raise SignalError(
            f"signal: expected {', '.join(sorted(names))}, got {sorted(map(str, values))}."
        )
    try:
        grid = {name: tuple(axes) for name, axes in values.pop("grid").items()}
        frozen = {name: _tuples(value) for name, value in values.items()}
        return layout(grid=Grid(**grid), **frozen)
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SignalError(f"signal: cannot be understood ({error}).") from error


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _num_pages(path: Path) -> int:
    tifffile = import_extra("tifffile", "image", path)
    try:
        with tifffile.TiffFile(path) as file:
            # A photograph may be followed by a thumbnail, which is a separate series.
            return len(file.series[0].pages)
    except Exception:  # A damaged file: its reader reports the error.
        return 1
