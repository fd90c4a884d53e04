"""Pictures: PNG, JPEG and TIFF; 8 bit, 16 bit and float; grey and colour, with or without alpha."""

import base64
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
from jaxtyping import Shaped
from PIL import Image as PillowImage
from PIL import ImageOps

from .._checks import check_count
from .._files import atomic_path, write_atomically
from .._inputs import check_claim, check_readable, import_extra, one_line, read_header
from ..errors import SignalError
from ..geometry import Grid
from ._base import AbstractGridSignal
from ._layout import AbstractLayout, check_suffix, value_range
from ._png import write_png
from ._tiff import check_whole_tiff

MAX_PIXELS = 178_956_970
"""Largest picture that is decoded, Pillow's limit. Larger ones are rejected before decoding."""

_TIFF = (".tif", ".tiff")
_JPEG = (".jpg", ".jpeg")
_ORIENTATION = 0x0112  # EXIF and TIFF tag.
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
_MAX_PROFILE_BYTES = 64 * 1024
# Limits of the formats, except for JPEG, where libjpeg stops before the 65,535 of the format.
_MAX_SIDES = {
    ".png": 2**31 - 1,
    **dict.fromkeys(_JPEG, 65_500),
    **dict.fromkeys(_TIFF, 2**32 - 1),
}


@dataclass(frozen=True, kw_only=True)
class ImageLayout(AbstractLayout):
    """A picture without its pixels. Axes are (row, column); 1 to 4 channels: L, LA, RGB, RGBA.

    Args:
        icc_profile: Colour profile in base64, or empty for sRGB.
    """

    kind: ClassVar[str] = "image"
    suffixes: ClassVar[tuple[str, ...]] = (".png", *_JPEG, *_TIFF)
    num_axes: ClassVar[int] = 2
    resizable_axes: ClassVar[tuple[int, ...]] = (0, 1)

    icc_profile: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("ImageLayout", channels=self.channels, high=4)
        if self.dtype not in _DTYPES:
            raise ValueError(f"ImageLayout: expected {', '.join(_DTYPES)}, got {self.dtype}.")
        if not isinstance(self.icc_profile, str) or len(self.icc_profile) > 2 * _MAX_PROFILE_BYTES:
            raise ValueError("ImageLayout: expected icc_profile to be text of at most 128 KiB.")
        base64.b64decode(self.icc_profile, validate=True)

    def check_writable(self, path: Path) -> None:
        suffix = check_suffix(self, path)
        if suffix in _JPEG and self.channels in (2, 4):
            raise SignalError(f"{path}: JPEG cannot hold alpha. Write a .png or .tif instead.")
        if suffix not in _TIFF and self.dtype not in ("uint8", "uint16"):
            raise SignalError(
                f"{path}: {suffix} cannot hold {self.dtype} values. Write a .tif instead."
            )
        if suffix in _JPEG and self.dtype != "uint8":
            raise SignalError(
                f"{path}: JPEG cannot hold {self.dtype} values. Write a .png or .tif instead."
            )
        if max(self.shape) > _MAX_SIDES[suffix]:
            raise SignalError(
                f"{path}: {suffix} holds at most {_MAX_SIDES[suffix]:,} pixels on a side, got "
                f"{self.shape[1]} x {self.shape[0]}. Write a .tif, or in regions."
            )

    def write(self, path: Path, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> None:
        path = Path(path)
        self.check_writable(path)
        slabs = (slab.astype(self.dtype, copy=False) for slab in self.checked(slabs, path))
        if path.suffix.lower() in _JPEG:
            write_atomically(path, self._jpeg(slabs))
            return
        with atomic_path(path) as partial, open(partial, "wb") as file:
            if path.suffix.lower() in _TIFF:
                self._write_tiff(file, slabs, path)
            else:
                write_png(
                    file,
                    slabs,
                    shape=(self.shape[0], self.shape[1]),
                    channels=self.channels,
                    bits=8 * np.dtype(self.dtype).itemsize,
                    profile=base64.b64decode(self.icc_profile),
                )

    def _jpeg(self, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> bytes:
        picture = PillowImage.new(_MODES[self.channels], (self.shape[1], self.shape[0]))
        row = 0
        for slab in slabs:
            plain = slab[..., 0] if self.channels == 1 else slab
            picture.paste(PillowImage.fromarray(plain), (0, row))
            row += len(slab)
        # Encode in memory first: Pillow does not report a full disk.
        encoded = io.BytesIO()
        profile = base64.b64decode(self.icc_profile)
        picture.save(encoded, "JPEG", quality=95, icc_profile=profile or None)
        return encoded.getvalue()

    def _write_tiff(
        self, file: BinaryIO, slabs: Iterable[Shaped[np.ndarray, "..."]], path: Path
    ) -> None:
        tifffile = import_extra("tifffile", "image", path)
        # Without values, imwrite writes everything else, and returns the offset of their single
        # block.
        start, _ = tifffile.imwrite(
            file,
            shape=(*self.shape, self.channels) if self.channels > 1 else self.shape,
            dtype=self.dtype,
            photometric="rgb" if self.channels >= 3 else "minisblack",
            extrasamples=["unassalpha"] if self.channels in (2, 4) else None,
            planarconfig="contig" if self.channels > 1 else None,
            iccprofile=base64.b64decode(self.icc_profile) or None,
            metadata=None,
            returnoffset=True,
        )
        file.seek(start)
        for slab in slabs:
            file.write(np.ascontiguousarray(slab).data)


class Image(AbstractGridSignal[ImageLayout]):
    """A picture.

    Example:
        >>> picture = Image.from_array(np.zeros((4, 6, 3), np.uint8))
        >>> query, target = picture.batch(5, seed=0, step=0)
        >>> query.shape, target.shape
        (torch.Size([5, 2]), torch.Size([5, 3]))
    """

    @classmethod
    def load(cls, path: str | Path) -> "Image":
        """Read a picture. EXIF orientation is applied; palettes and CMYK become RGB.

        Raises:
            SignalError: If the file is missing, damaged, empty, not a picture, too large, or
                holds NaN or infinity.
        """
        path = Path(path)
        check_readable(path)
        header = read_header(path, 32)
        if path.suffix.lower() in _TIFF or header[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            array, profile = _read_tiff(path)
        else:
            array, profile = _read_pillow(path, header)
        return cls.from_array(array, name=path, icc_profile=profile)

    @classmethod
    def from_array(
        cls,
        array: Shaped[np.ndarray, "..."],
        *,
        grid: Grid | None = None,
        name: str | Path = "Image",
        icc_profile: bytes = b"",
    ) -> "Image":
        """Make a picture from an array of shape `(rows, columns)` or `(rows, columns, channels)`.

        Args:
            array: uint8 or uint16 values, whose full range is mapped to [-1, 1], or float values,
                whose minimum and maximum are mapped to -1 and 1.
            grid: Coordinates of the pixels; by default the centres of cells that fill [-1, 1].
            name: Name of the picture in errors.
            icc_profile: Colour profile to write back.

        Raises:
            SignalError: If the shape or dtype is not supported, or values are not finite.
        """
        array = array[..., None] if array.ndim == 2 else array
        if array.ndim != 3 or array.shape[-1] not in _MODES:
            raise SignalError(
                f"{name}: expected shape (rows, columns) or (rows, columns, 1 to 4), got "
                f"{array.shape}."
            )
        low, high = value_range(array, name)
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        if array.dtype in (np.uint8, np.uint16):
            low, high = 0.0, float(np.iinfo(array.dtype).max)
        elif array.dtype.name not in _DTYPES:
            raise SignalError(f"{name}: expected {', '.join(_DTYPES)}, got {array.dtype}.")
        layout = ImageLayout(
            grid=grid or Grid.centres(array.shape[:2]),
            channels=array.shape[2],
            dtype=array.dtype.name,
            low=low,
            high=high,
            icc_profile=base64.b64encode(icc_profile).decode()
            if len(icc_profile) <= _MAX_PROFILE_BYTES
            else "",
        )
        return cls(array, layout)


def _check_size(path: Path, rows: int, columns: int) -> None:
    if rows * columns > MAX_PIXELS:
        raise SignalError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels, got {columns} x {rows}. Scale it "
            "down or cut it first."
        )


def _read_pillow(path: Path, header: bytes) -> tuple[Shaped[np.ndarray, "..."], bytes]:
    sixteen_bit_png = header.startswith(b"\x89PNG\r\n\x1a\n") and header[24:25] == b"\x10"
    try:
        with warnings.catch_warnings():
            # Pillow warns about large pictures long before our own limit, and about odd metadata.
            warnings.simplefilter("ignore")
            with PillowImage.open(path) as picture:
                _check_size(path, picture.height, picture.width)
                # The profile of a CMYK file does not apply to the converted RGB.
                profile = b"" if picture.mode == "CMYK" else picture.info.get("icc_profile") or b""
                if sixteen_bit_png:
                    orientation = picture.getexif().get(_ORIENTATION, 1)
                    return _upright(_read_png16(path), orientation), profile
                upright = ImageOps.exif_transpose(picture)
                return np.asarray(_to_plain_mode(upright)), profile
    except PillowImage.DecompressionBombError as error:
        raise SignalError(
            f"{path}: expected at most {MAX_PIXELS:,} pixels, got far more. Scale it down first."
        ) from error
    except SignalError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on damaged files.
        raise SignalError(
            f"{path}: cannot be read as a picture ({one_line(error)}). Is it complete, and is it "
            "one?"
        ) from error


def _to_plain_mode(picture: PillowImage.Image) -> PillowImage.Image:
    # A PNG can declare one transparent colour instead of an alpha channel.
    alpha = picture.mode in ("PA", "La", "RGBa") or "transparency" in picture.info
    if picture.mode in ("1", "L"):
        return picture.convert("LA" if alpha else "L")
    if picture.mode == "I":
        return picture.convert("F")
    if picture.mode in ("LA", "RGBA", "I;16", "F") or (picture.mode == "RGB" and not alpha):
        return picture
    return picture.convert("RGBA" if alpha else "RGB")


def _read_png16(path: Path) -> Shaped[np.ndarray, "..."]:
    # Pillow keeps only 8 of the 16 bits of a colour PNG.
    codecs = import_extra("imagecodecs", "image", path)
    return codecs.png_decode(path.read_bytes())


def _read_tiff(path: Path) -> tuple[Shaped[np.ndarray, "..."], bytes]:
    tifffile = import_extra("tifffile", "image", path)
    try:
        with tifffile.TiffFile(path) as file:
            check_whole_tiff(file)
            page = file.pages[0]
            _check_size(path, page.imagelength, page.imagewidth)
            check_claim(path, page.nbytes)
            photometric = tifffile.PHOTOMETRIC
            decoded = (photometric.MINISBLACK, photometric.MINISWHITE, photometric.RGB)
            as_rgb = page.photometric == photometric.YCBCR and page.compression == 7  # JPEG
            if page.photometric not in (*decoded, photometric.PALETTE) and not as_rgb:
                raise SignalError(
                    f"{path}: expected grey or RGB, got {page.photometric.name}. Convert it to "
                    "RGB first."
                )
            array = page.asarray()
            tags = page.tags
            orientation = tags["Orientation"].value if "Orientation" in tags else 1
            profile = bytes(tags["InterColorProfile"].value) if "InterColorProfile" in tags else b""
            if page.bitspersample < 8 and page.photometric in decoded:
                array = array.astype(np.uint8) * (255 // (2**page.bitspersample - 1))
            if page.photometric == photometric.MINISWHITE:
                array = np.invert(array)
            if page.planarconfig == 2 and array.ndim == 3:
                array = np.moveaxis(array, 0, -1)
            if page.photometric == photometric.PALETTE:
                array = np.moveaxis(page.colormap, 0, -1)[array]
    except SignalError:
        raise
    except Exception as error:  # tifffile and its codecs raise almost anything on damaged files.
        raise SignalError(
            f"{path}: cannot be read as a TIFF ({one_line(error)}). Is it complete, and is it one?"
        ) from error
    return _upright(array, orientation), profile


def _upright(array: Shaped[np.ndarray, "..."], orientation: int) -> Shaped[np.ndarray, "..."]:
    """Apply the TIFF orientation tag, which defines the sides of row 0 and column 0."""
    if orientation in (5, 6, 7, 8):
        array = np.swapaxes(array, 0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array
