"""Volumes: NPY, NPZ, NIfTI with its affine, and TIFF stacks."""

import gzip
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from .._files import write_atomically
from .._inputs import check_claim, check_readable, import_extra, one_line
from ..errors import SignalError
from ..geometry import Grid
from ._base import AbstractGridSignal
from ._layout import AbstractLayout, check_suffix, value_range
from ._tiff import check_whole_tiff

_NIFTI = (".nii", ".nii.gz")
_NIFTI_SIDE = 2**15 - 1
_TIFF = (".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class VolumeLayout(AbstractLayout):
    """The layout of a volume. Axes are those of the array in the file.

    Args:
        affine: NIfTI affine from voxel indices to millimetres, 4 x 4, as rows; empty if the file
            has none.
    """

    kind: ClassVar[str] = "volume"
    suffixes: ClassVar[tuple[str, ...]] = (".npy", ".npz", *_NIFTI, *_TIFF)
    num_axes: ClassVar[int] = 3
    resizable_axes: ClassVar[tuple[int, ...]] = (0, 1, 2)

    affine: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.affine, tuple):
            raise TypeError(f"VolumeLayout: expected an affine in tuples, got {self.affine!r}.")
        affine = np.array(self.affine)
        real = affine.dtype.kind in "if" and bool(np.isfinite(affine).all())
        if self.affine and not (affine.shape == (4, 4) and real):
            raise ValueError(f"VolumeLayout: expected a 4 x 4 affine, got {self.affine}.")

    def _on_grid(self, grid: Grid) -> "VolumeLayout":
        affine = self.affine
        if affine:
            # Index j of the new grid is index ratio * j + shift of this one.
            ratio = np.array(grid.spacing) / np.array(self.grid.spacing)
            shift = (np.array(grid.first) - np.array(self.grid.first)) / np.array(self.grid.spacing)
            to_old = np.diag([*ratio, 1.0])
            to_old[:3, 3] = shift
            affine = _rows(np.array(affine) @ to_old)
        return type(self)(**{**vars(self), "grid": grid, "affine": affine})

    def check_writable(self, path: Path) -> None:
        suffix = _volume_suffix(path)
        check_suffix(self, path if suffix != ".nii.gz" else path.with_name("x.nii"))
        if suffix not in _NIFTI:
            return
        if self.channels > 1 or self.dtype == "float16" or max(self.shape) > _NIFTI_SIDE:
            raise SignalError(
                f"{path}: NIfTI holds one channel, not of float16, and at most {_NIFTI_SIDE:,} "
                "voxels on an axis. Write a .npy instead."
            )

    def write(self, path: Path, slabs: Iterable[Shaped[np.ndarray, "..."]]) -> None:
        path = Path(path)
        self.check_writable(path)
        array = self.assembled(slabs, path)
        array = array[..., 0] if self.channels == 1 else array
        suffix = _volume_suffix(path)
        # Encode in memory first: NumPy and tifffile do not always report a full disk.
        encoded = io.BytesIO()
        if suffix == ".npy":
            np.save(encoded, array)
        elif suffix == ".npz":
            np.savez_compressed(encoded, volume=array)
        elif suffix in _TIFF:
            tifffile = import_extra("tifffile", "volume", path)
            colour = "rgb" if self.channels in (3, 4) else "minisblack"
            tifffile.imwrite(encoded, array, photometric=colour)
        else:
            nibabel = import_extra("nibabel", "volume", path)
            affine = np.array(self.affine) if self.affine else np.eye(4)
            data = nibabel.Nifti1Image(array, affine, dtype=array.dtype).to_bytes()
            # A fixed timestamp, so that equal volumes give equal bytes.
            encoded.write(gzip.compress(data, mtime=0) if suffix == ".nii.gz" else data)
        write_atomically(path, encoded.getvalue())


class Volume(AbstractGridSignal[VolumeLayout]):
    """A volume.

    Example:
        >>> volume = Volume.from_array(np.arange(24.0).reshape(2, 3, 4))
        >>> volume.batch(5, seed=0, step=0)[0].shape
        torch.Size([5, 3])
    """

    @classmethod
    def load(cls, path: str | Path) -> "Volume":
        """Read a volume.

        Raises:
            SignalError: If the file is missing, damaged, not three-dimensional, or holds NaN or
                infinity.
        """
        path = Path(path)
        check_readable(path)
        suffix = _volume_suffix(path)
        affine = None
        try:
            if suffix in (".npy", ".npz"):
                array = _read_numpy(path)
            elif suffix in _NIFTI:
                array, affine = _read_nifti(path)
            elif suffix in _TIFF:
                array = _read_tiff_stack(path)
            else:
                raise SignalError(
                    f"{path}: expected one of {', '.join(VolumeLayout.suffixes)}, got {suffix!r}."
                )
        except SignalError:
            raise
        except Exception as error:  # Readers raise almost anything on damaged files.
            raise SignalError(
                f"{path}: cannot be read as a volume ({one_line(error)}). Is it complete?"
            ) from error
        return cls.from_array(array, affine=affine, name=path)

    @classmethod
    def from_array(
        cls,
        array: Shaped[np.ndarray, "..."],
        *,
        affine: Float[np.ndarray, "4 4"] | None = None,
        grid: Grid | None = None,
        name: str | Path = "Volume",
    ) -> "Volume":
        """Make a volume from an array of shape `(a, b, c)` or `(a, b, c, channels)`.

        Args:
            array: Values of any real dtype; the minimum and maximum are mapped to -1 and 1.
            affine: Affine from voxel indices to millimetres.
            grid: Coordinates of the voxels; by default the centres of cells that fill [-1, 1].
            name: Name of the volume in errors.

        Raises:
            SignalError: If the shape or dtype is not supported, or values are not finite.
        """
        array = array[..., None] if array.ndim == 3 else array
        if array.ndim != 4 or not 1 <= array.shape[-1] <= 4:
            raise SignalError(
                f"{name}: expected shape (a, b, c) or (a, b, c, 1 to 4), got {array.shape}. "
                "Pictures are read from PNG, JPEG or TIFF."
            )
        if array.dtype == bool:
            array = array.astype(np.uint8)
        if affine is not None and not np.isfinite(affine).all():
            raise SignalError(f"{name}: expected a finite affine, got {affine.tolist()}.")
        low, high = value_range(array, name)
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        layout = VolumeLayout(
            grid=grid or Grid.centres(array.shape[:3]),
            channels=array.shape[3],
            dtype=array.dtype.name,
            low=low,
            high=high,
            affine=() if affine is None else _rows(affine),
        )
        return cls(array, layout)


def _volume_suffix(path: Path) -> str:
    return ".nii.gz" if path.name.lower().endswith(".nii.gz") else path.suffix.lower()


def _rows(matrix: Float[np.ndarray, "4 4"]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(value) for value in row) for row in matrix)


def _read_numpy(path: Path) -> Shaped[np.ndarray, "..."]:
    # Opened here, because NumPy does not close a damaged archive.
    with open(path, "rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        if len(loaded.files) != 1:
            raise SignalError(
                f"{path}: expected one array, got {', '.join(loaded.files) or 'none'}. Save the "
                "intended one as .npy."
            )
        array = loaded[loaded.files[0]]
        if not isinstance(array, np.ndarray):
            raise SignalError(f"{path}: expected one array, got a file {loaded.files[0]}.")
        return array


def _read_tiff_stack(path: Path) -> Shaped[np.ndarray, "..."]:
    with import_extra("tifffile", "volume", path).TiffFile(path) as file:
        check_whole_tiff(file)
        check_claim(path, file.series[0].nbytes)
        return file.asarray()


def _read_nifti(path: Path) -> tuple[Shaped[np.ndarray, "..."], Float[np.ndarray, "4 4"]]:
    image = import_extra("nibabel", "volume", path).load(path)
    check_claim(path, math.prod(image.shape) * image.get_data_dtype().itemsize)
    array = np.asanyarray(image.dataobj)
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise SignalError(
            f"{path}: expected a volume of three axes, got shape {array.shape}. Save one time "
            "step as a separate volume."
        )
    return array, image.affine
