"""Volumes against NumPy, nibabel and tifffile, and affines against nibabel's own arithmetic."""

import gzip

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from nibabel.affines import apply_affine
from PIL import Image as PillowImage

from neurafield.signals import Volume, load

from .signal_files import assert_refused, noise, shared_file

SHAPE = (5, 7, 11)
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
AFFINE = np.array(
    [[-2.0, 0.25, 0.0, 90.5], [0.5, 3.0, 0.125, -126.0], [0, -0.75, 1.5, -72], [0, 0, 0, 1]]
)


def voxels(dtype: str, channels: int = 1) -> np.ndarray:
    return noise((*SHAPE, channels), dtype, seed=channels)


def plain(array: np.ndarray) -> np.ndarray:
    return array[..., 0] if array.shape[-1] == 1 else array


def read_back(path) -> np.ndarray:
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return arrays[arrays.files[0]]
    if path.suffix == ".tif":
        return tifffile.imread(path)
    return np.asanyarray(nibabel.load(path).dataobj)


def check_holds(loaded: Volume, expected: np.ndarray) -> None:
    assert loaded.data.dtype == expected.dtype.newbyteorder("=")
    assert loaded.layout.dtype == expected.dtype.name
    assert (loaded.layout.low, loaded.layout.high) == (expected.min(), expected.max())
    np.testing.assert_array_equal(loaded.data, expected)


@pytest.mark.parametrize(
    "wrong", [lambda a: a[::-1], lambda a: a.swapaxes(0, 1), lambda a: a.astype("f8"), lambda a: -a]
)
def test_check_holds_can_fail(wrong) -> None:
    array = voxels("float32")
    with pytest.raises(AssertionError):
        check_holds(Volume.from_array(array), wrong(array))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [*DTYPES])
def test_npy(tmp_path, dtype, channels, byteorder) -> None:
    array = voxels(dtype, channels)
    np.save(tmp_path / "a.npy", plain(array).astype(array.dtype.newbyteorder(byteorder)))
    check_holds(load(tmp_path / "a.npy"), array)


def test_npy_in_fortran_order(tmp_path) -> None:
    array = voxels("int16")
    np.save(tmp_path / "a.npy", np.asfortranarray(plain(array)))
    check_holds(load(tmp_path / "a.npy"), array)


def test_bool_becomes_0_and_1(tmp_path) -> None:
    array = voxels("uint8") > 99
    np.save(tmp_path / "a.npy", plain(array))
    check_holds(load(tmp_path / "a.npy"), array.astype(np.uint8))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(tmp_path, save) -> None:
    array = voxels("float32")
    save(tmp_path / "a.npz", any_name=plain(array))
    check_holds(load(tmp_path / "a.npz"), array)


@pytest.mark.parametrize("endianness", ["<", ">"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint16", "float32", "float64"])
def test_nifti(tmp_path, dtype, suffix, endianness) -> None:
    array = voxels(dtype)
    header = nibabel.Nifti1Header(endianness=endianness)
    header.set_data_dtype(dtype)
    path = tmp_path / f"a{suffix}"
    nibabel.save(nibabel.Nifti1Image(plain(array), AFFINE, header), path)
    loaded = load(path)
    check_holds(loaded, array)
    np.testing.assert_array_equal(loaded.layout.affine, nibabel.load(path).affine)


def test_nifti_with_a_scale(tmp_path) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(plain(voxels("float64")), AFFINE, header)
    nibabel.save(image, tmp_path / "a.nii")
    read = nibabel.load(tmp_path / "a.nii")
    assert read.dataobj.slope != 1
    check_holds(load(tmp_path / "a.nii"), read.get_fdata()[..., None])


def test_nifti_of_one_time_step(tmp_path) -> None:
    array = voxels("int16")
    nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / "a.nii")
    check_holds(load(tmp_path / "a.nii"), array)


def test_nifti_of_many_time_steps_is_refused(tmp_path) -> None:
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(voxels("int16", 3), AFFINE), path)
    assert_refused(lambda: load(path), path, "time")


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_stack(tmp_path, dtype, compression, byteorder) -> None:
    array = voxels(dtype)
    tifffile.imwrite(
        tmp_path / "a.tif",
        plain(array),
        photometric="minisblack",
        compression=compression,
        byteorder=byteorder,
    )
    check_holds(load(tmp_path / "a.tif"), array)


def test_tiff_stack_by_pillow(tmp_path) -> None:
    array = voxels("uint8")
    first, *others = [PillowImage.fromarray(page) for page in plain(array)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others, compression="tiff_lzw")
    check_holds(load(tmp_path / "a.tif"), array)


def test_tiff_stack_in_colour(tmp_path) -> None:
    array = voxels("uint8", 3)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb")
    check_holds(load(tmp_path / "a.tif"), array)


# -- Writing.


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tif"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32"])
def test_load_and_save_of_whole_numbers(tmp_path, dtype, suffix, channels) -> None:
    array = voxels(dtype, channels)
    volume = Volume.from_array(array)
    volume.save(volume.slabs(max_samples=2 * 7 * 11), tmp_path / f"a{suffix}")
    written = read_back(tmp_path / f"a{suffix}")
    assert written.dtype == dtype
    # 32 bits pass through the 24 of a normalised float32; up to 16 stay exact.
    atol = 0 if np.dtype(dtype).itemsize <= 2 else 2**8
    difference = written.astype(np.float64) - plain(array)
    assert np.abs(difference).max() <= atol


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".tif", ".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_written_as_it_was(tmp_path, dtype, suffix) -> None:
    volume = Volume.from_array(voxels(dtype))
    path = tmp_path / f"a{suffix}"
    if suffix.startswith(".nii") and dtype == "float16":
        assert_refused(lambda: volume.layout.write(path, [volume.data]), path, "float16")
        return
    volume.layout.write(path, [volume.data[:2], volume.data[2:]])
    written = read_back(path)
    assert written.dtype.newbyteorder("=") == dtype
    np.testing.assert_array_equal(written, plain(volume.data))
    assert (
        Volume.load(path).fingerprint()
        == (
            volume
            if not suffix.startswith(".nii")
            else Volume.from_array(volume.data, affine=np.eye(4))
        ).fingerprint()
    )


def test_equal_volumes_give_equal_files(tmp_path) -> None:
    volume = Volume.from_array(voxels("int16"), affine=AFFINE)
    for name in ("a.nii.gz", "b.nii.gz"):
        volume.layout.write(tmp_path / name, [volume.data])
    first = (tmp_path / "a.nii.gz").read_bytes()
    assert first == (tmp_path / "b.nii.gz").read_bytes()
    assert first[4:8] == bytes(4)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 11), (5, 1, 11), (5, 7, 1)])
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".nii", ".tif"])
def test_axes_of_one_voxel(tmp_path, suffix, shape) -> None:
    volume = Volume.from_array(noise(shape, "int16"))
    path = tmp_path / f"a{suffix}"
    volume.save(volume.slabs(), path)
    np.testing.assert_array_equal(Volume.load(path).data, volume.data)


def test_constant_volume(tmp_path) -> None:
    volume = Volume.from_array(np.full(SHAPE, 2.5))
    volume.save(volume.slabs(), tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.full(SHAPE, 2.5))


@pytest.mark.parametrize(
    ("name", "channels", "hint"),
    [("a.nii", 3, "channel"), ("a.mha", 1, ".npy"), ("a.gz", 1, ".npy")],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, name, channels, hint) -> None:
    volume = Volume.from_array(voxels("float32", channels))
    path = tmp_path / name
    assert_refused(lambda: volume.save(volume.slabs(), path), path, hint)


def test_more_voxels_than_nifti_can_count_are_refused(tmp_path) -> None:
    volume = Volume.from_array(np.zeros((1, 2, 2**15), np.uint8))
    path = tmp_path / "a.nii.gz"
    assert_refused(lambda: volume.save(volume.slabs(), path), path, "32,767")


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (torch.zeros(5, 7, 11), "(5, 7, 11)"),
        (torch.zeros(5, 7, 11, 2), "(5, 7, 11, 2)"),
        ([torch.zeros(2, 7, 11, 1), torch.zeros(2, 7, 11, 1)], "4"),
        ([torch.zeros(5, 11, 7, 1)], "(5, 11, 7, 1)"),
    ],
)
def test_values_of_another_shape_are_refused(tmp_path, values, hint) -> None:
    volume, path = Volume.from_array(voxels("float32")), tmp_path / "a.npy"
    assert_refused(lambda: volume.save(values, path), path, hint)


# -- The affine, after resizing: the oracle is nibabel's arithmetic at fractional indices.


def check_same_places(layout, resized) -> None:
    """Each new voxel lies, in millimetres, where the old affine puts its coordinate."""
    indices = np.arange(resized.grid.num_samples)
    coords = resized.grid.coords(indices).double().numpy()
    # Coordinate x is the fractional index i of the old grid with x = (2 i + 1) / n - 1.
    old = ((coords + 1) * np.array(layout.shape) - 1) / 2
    new = np.stack(np.unravel_index(indices, resized.shape), axis=-1)
    np.testing.assert_allclose(
        apply_affine(np.array(resized.affine), new), apply_affine(AFFINE, old), atol=1e-4
    )


RESIZINGS = [
    {"scale": 2.0},
    {"scale": 0.3},
    {"size": (13, 3, 17)},
    {"region": (1.0, 4.0, 0.0, 7.0, 2.0, 9.0)},
    {"region": (0.5, 4.0, 1.25, 6.5, 2.0, 9.0), "scale": 3.0},
    {"region": (1.0, 4.0, 0.0, 7.0, 2.0, 9.0), "size": (2, 3, 19)},
]


@pytest.mark.parametrize("resizing", RESIZINGS, ids=str)
def test_affine_follows_the_grid(resizing) -> None:
    layout = Volume.from_array(voxels("int16"), affine=AFFINE).layout
    check_same_places(layout, layout.resized(**resizing))


@pytest.mark.parametrize("resizing", RESIZINGS, ids=str)
def test_check_same_places_can_fail(resizing) -> None:
    layout = Volume.from_array(voxels("int16"), affine=AFFINE).layout
    resized = layout.resized(**resizing)
    rows = [list(row) for row in resized.affine]
    rows[1][3] += 0.01
    moved = type(resized)(**{**vars(resized), "affine": tuple(map(tuple, rows))})
    with pytest.raises(AssertionError):
        check_same_places(layout, moved)


def test_affine_of_twice_the_voxels_in_closed_form() -> None:
    layout = Volume.from_array(voxels("int16"), affine=np.diag([2.0, 3, 5, 1])).layout
    # Voxels of half the size, whose first centre is a quarter of an old voxel before the old one.
    expected = [[1, 0, 0, -0.5], [0, 1.5, 0, -0.75], [0, 0, 2.5, -1.25], [0, 0, 0, 1]]
    np.testing.assert_allclose(layout.resized(scale=2.0).affine, expected)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_affine_is_written(tmp_path, suffix) -> None:
    volume = Volume.from_array(voxels("int16"), affine=AFFINE)
    path = tmp_path / f"a{suffix}"
    volume.save(torch.zeros(10, 14, 22, 1), path)
    written = nibabel.load(path)
    assert written.shape == (10, 14, 22)
    centres = [[0, 0, 0], [9, 0, 0], [0, 13, 0], [0, 0, 21]]
    expected = apply_affine(AFFINE, np.array(centres) / 2 - 0.25)
    np.testing.assert_allclose(apply_affine(written.affine, centres), expected, atol=1e-4)


def test_no_affine_stays_none() -> None:
    assert Volume.from_array(voxels("int16")).layout.resized(scale=2.0).affine == ()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_affine_that_is_not_finite_is_refused(tmp_path, bad) -> None:
    path = tmp_path / "a.nii.gz"
    data = nibabel.Nifti1Image(plain(voxels("int16")), AFFINE).to_bytes()
    # The field srow_x of the header, at byte 280.
    data = data[:280] + np.array([bad] * 4, "<f4").tobytes() + data[296:]
    path.write_bytes(gzip.compress(data))
    assert_refused(lambda: load(path), path, "affine")


def test_real_volume() -> None:
    path = shared_file("volumes/stent.npz")
    volume = load(path)
    assert volume.layout.shape == (256, 128, 128)
    np.testing.assert_array_equal(volume.data[..., 0], read_back(path))
