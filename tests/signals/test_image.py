"""Pictures against other readers and writers: Pillow, tifffile, and PNG from its specification."""

import io
import sys
import zlib
from collections.abc import Iterator

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image as PillowImage
from PIL import ImageCms, ImageOps

from neurafield.signals import Image, load

from .signal_files import assert_refused, noise, png_bytes, shared_file

ROWS, COLUMNS = 11, 7
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
ORIENTATIONS = range(1, 9)


def picture(channels: int, dtype: str = "uint8") -> np.ndarray:
    return noise((ROWS, COLUMNS, channels), dtype, seed=channels)


def as_pillow(array: np.ndarray) -> PillowImage.Image:
    return PillowImage.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def write_tiff(path, array: np.ndarray, **options) -> None:
    channels = array.shape[-1]
    tifffile.imwrite(
        path,
        array[..., 0] if channels == 1 else array,
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        planarconfig="contig" if channels > 1 else None,
        **options,
    )


def read_back(path) -> np.ndarray:
    """The pixels as another library reads them, with the channel axis."""
    if path.suffix == ".tif":
        array = tifffile.imread(path)
    elif path.suffix == ".png":
        array = imagecodecs.png_decode(path.read_bytes())
    else:
        with PillowImage.open(path) as opened:
            array = np.asarray(opened)
    return array[..., None] if array.ndim == 2 else array


def check_holds(loaded: Image, expected: np.ndarray) -> None:
    assert loaded.data.dtype == expected.dtype.newbyteorder("=")
    assert loaded.layout.dtype == expected.dtype.name
    assert loaded.layout.channels == loaded.out_dim == expected.shape[-1]
    np.testing.assert_array_equal(loaded.data, expected)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a + 1,
        lambda a: a[::-1],
        lambda a: a.swapaxes(0, 1),
        lambda a: a.astype(np.uint16),
        lambda a: a[..., :2],
    ],
)
def test_check_holds_can_fail(wrong) -> None:
    with pytest.raises(AssertionError):
        check_holds(Image.from_array(picture(3)), wrong(picture(3)))


@pytest.mark.parametrize("channels", MODES)
def test_png_of_8_bits(tmp_path, channels) -> None:
    array = picture(channels)
    as_pillow(array).save(tmp_path / "a.png")
    check_holds(Image.load(tmp_path / "a.png"), array)


@pytest.mark.parametrize("channels", MODES)
def test_png_of_16_bits_keeps_all_of_them(tmp_path, channels) -> None:
    array = picture(channels, "uint16")
    assert (array & 0xFF).any()
    (tmp_path / "a.png").write_bytes(png_bytes(array))
    check_holds(Image.load(tmp_path / "a.png"), array)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_pillow_decodes(tmp_path, channels) -> None:
    as_pillow(picture(channels)).save(tmp_path / "a.jpg", quality=80)
    check_holds(Image.load(tmp_path / "a.jpg"), read_back(tmp_path / "a.jpg"))


def test_cmyk_jpeg_becomes_rgb(tmp_path) -> None:
    as_pillow(picture(3)).convert("CMYK").save(tmp_path / "a.jpg")
    with PillowImage.open(tmp_path / "a.jpg") as opened:
        expected = np.asarray(opened.convert("RGB"))
    check_holds(Image.load(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_tiff(tmp_path, dtype, channels, byteorder) -> None:
    array = picture(channels, dtype)
    write_tiff(tmp_path / "a.tif", array, byteorder=byteorder)
    loaded = Image.load(tmp_path / "a.tif")
    check_holds(loaded, array)
    if dtype.startswith("float"):
        assert (loaded.layout.low, loaded.layout.high) == (array.min(), array.max())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "raw"])
@pytest.mark.parametrize("channels", MODES)
def test_tiff_by_pillow(tmp_path, channels, compression) -> None:
    array = picture(channels)
    as_pillow(array).save(tmp_path / "a.tif", compression=compression)
    check_holds(Image.load(tmp_path / "a.tif"), array)


def test_tiff_with_planes_apart(tmp_path) -> None:
    array = picture(3)
    tifffile.imwrite(
        tmp_path / "a.tif", np.moveaxis(array, -1, 0), photometric="rgb", planarconfig="separate"
    )
    check_holds(Image.load(tmp_path / "a.tif"), array)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_tiff_in_which_white_is_zero(tmp_path, dtype) -> None:
    array = picture(1, dtype)
    tifffile.imwrite(tmp_path / "a.tif", array[..., 0], photometric="miniswhite")
    check_holds(Image.load(tmp_path / "a.tif"), np.iinfo(dtype).max - array)


def test_tiff_palette(tmp_path) -> None:
    table = noise((3, 256), "uint16")
    array = picture(1)[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="palette", colormap=table)
    check_holds(Image.load(tmp_path / "a.tif"), table.T[array])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_one_bit(tmp_path, suffix) -> None:
    array = picture(1)[..., 0] > 100
    PillowImage.fromarray(array).save(tmp_path / f"a{suffix}")
    check_holds(Image.load(tmp_path / f"a{suffix}"), np.uint8(255) * array[..., None])


@pytest.mark.parametrize("transparency", [None, 3])
def test_palette_becomes_its_colours(tmp_path, transparency) -> None:
    indices = picture(1)[..., 0] % 5
    table = noise((5, 3), "uint8")
    paletted = PillowImage.fromarray(indices)
    paletted.putpalette(table.tobytes())
    if transparency is None:
        paletted.save(tmp_path / "a.png")
        expected = table[indices]
    else:
        paletted.save(tmp_path / "a.png", transparency=transparency)
        alpha = np.where(indices == transparency, 0, 255).astype(np.uint8)
        expected = np.concatenate([table[indices], alpha[..., None]], axis=-1)
    check_holds(Image.load(tmp_path / "a.png"), expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_transparent_colour_becomes_alpha(tmp_path, channels, dtype) -> None:
    array = picture(channels, dtype)
    key = array[4, 5]
    named = (b"tRNS", key.astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(png_bytes(array, named))
    opaque = (array != key).any(axis=-1, keepdims=True)
    alpha = (opaque * np.iinfo(dtype).max).astype(dtype)
    assert not alpha[4, 5, 0]
    check_holds(Image.load(tmp_path / "a.png"), np.concatenate([array, alpha], axis=-1))


# -- Orientation: the oracle is Pillow's own exif_transpose.


def exif_bytes(orientation: int) -> bytes:
    exif = PillowImage.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def upright(array: np.ndarray, orientation: int) -> np.ndarray:
    """Turned by Pillow; through sample numbers, so that any type of sample can be turned."""
    numbers = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS)
    file = io.BytesIO()
    PillowImage.fromarray(numbers).save(file, "png", exif=exif_bytes(orientation))
    with PillowImage.open(file) as opened:
        turned = np.asarray(ImageOps.exif_transpose(opened))
    return array.reshape(-1, array.shape[-1])[turned]


def test_the_eight_orientations_differ() -> None:
    results = {upright(picture(3), orientation).tobytes() for orientation in ORIENTATIONS}
    assert len(results) == 8


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_of_png(tmp_path, orientation) -> None:
    as_pillow(picture(3)).save(tmp_path / "a.png", exif=exif_bytes(orientation))
    check_holds(Image.load(tmp_path / "a.png"), upright(picture(3), orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_of_jpeg(tmp_path, orientation) -> None:
    as_pillow(picture(3)).save(tmp_path / "a.jpg", exif=exif_bytes(orientation))
    expected = upright(read_back(tmp_path / "a.jpg"), orientation)
    check_holds(Image.load(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_exif_orientation_of_png_of_16_bits(tmp_path, orientation) -> None:
    array = picture(3, "uint16")
    exif = exif_bytes(orientation).removeprefix(b"Exif\0\0")
    (tmp_path / "a.png").write_bytes(png_bytes(array, (b"eXIf", exif)))
    check_holds(Image.load(tmp_path / "a.png"), upright(array, orientation))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_orientation_tag_of_tiff(tmp_path, dtype, orientation) -> None:
    array = picture(3, dtype)
    write_tiff(tmp_path / "a.tif", array, extratags=[(274, "H", 1, orientation)])
    check_holds(Image.load(tmp_path / "a.tif"), upright(array, orientation))


# -- Writing.


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize(
    ("dtype", "suffix"),
    [("uint8", ".png"), ("uint16", ".png"), ("uint8", ".tif"), ("uint16", ".tif")],
)
def test_load_and_save_is_bit_exact(tmp_path, dtype, suffix, channels) -> None:
    array = picture(channels, dtype)
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    if suffix == ".png":
        source.write_bytes(png_bytes(array))
    else:
        write_tiff(source, array)
    loaded = load(source)
    loaded.save(loaded.slabs(max_samples=3 * COLUMNS), target)
    np.testing.assert_array_equal(read_back(target), array)
    again = load(target)
    assert again.fingerprint() == loaded.fingerprint()
    assert again.layout == loaded.layout


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_float_tiff_is_written_as_it_was(tmp_path, dtype, channels) -> None:
    array = picture(channels, dtype)
    loaded = Image.from_array(array)
    loaded.layout.write(tmp_path / "exact.tif", [loaded.data])
    np.testing.assert_array_equal(read_back(tmp_path / "exact.tif"), array)
    # Normalised values are float32, with 24 bits of the range.
    loaded.save(loaded.slabs(), tmp_path / "near.tif")
    np.testing.assert_allclose(
        read_back(tmp_path / "near.tif").astype(np.float64),
        array.astype(np.float64),
        rtol=1e-3 if dtype == "float16" else 0,
        atol=2**-23 * np.ptp(array.astype(np.float64)),
    )


def test_jpeg_is_written_close_to_the_picture(tmp_path) -> None:
    y, x = np.meshgrid(np.arange(61), np.arange(83), indexing="ij")
    array = np.stack([2 * y, x + y, 255 - 3 * x], axis=-1).astype(np.uint8)
    loaded = Image.from_array(array)
    loaded.save(loaded.slabs(), tmp_path / "a.jpg")
    assert np.abs(read_back(tmp_path / "a.jpg").astype(int) - array).mean() < 2


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".png", "uint8"),
        (".png", "uint16"),
        (".jpg", "uint8"),
        (".tif", "uint8"),
        (".tif", "uint16"),
    ],
)
def test_colour_profile_is_kept(tmp_path, suffix, dtype) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    array = picture(3, dtype)
    if suffix == ".tif":
        write_tiff(source, array, iccprofile=profile)
    elif dtype == "uint16":
        chunk = (b"iCCP", b"any name\0\0" + zlib.compress(profile))
        source.write_bytes(png_bytes(array, chunk))
    else:
        as_pillow(array).save(source, icc_profile=profile)
    loaded = Image.load(source)
    loaded.save(loaded.slabs(), target)
    if suffix == ".tif":
        with tifffile.TiffFile(target) as file:
            assert bytes(file.pages[0].tags["InterColorProfile"].value) == profile
    else:
        with PillowImage.open(target) as opened:
            assert opened.info["icc_profile"] == profile
    assert Image.load(target).layout == loaded.layout


def test_no_colour_profile_stays_none(tmp_path) -> None:
    loaded = Image.from_array(picture(3, "uint16"))
    loaded.save(loaded.slabs(), tmp_path / "a.png")
    with PillowImage.open(tmp_path / "a.png") as opened:
        assert "icc_profile" not in opened.info


@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize(
    ("dtype", "suffix"),
    [("uint8", ".png"), ("uint16", ".png"), ("uint8", ".tif"), ("float64", ".tif")],
)
@pytest.mark.parametrize("cuts", [[], [0, 0, ROWS], [1, 2, 2, 9], range(1, ROWS)], ids=str)
def test_however_the_rows_come(tmp_path, dtype, suffix, channels, cuts) -> None:
    # Also as views that are not contiguous.
    array = np.asfortranarray(picture(channels, dtype))
    path = tmp_path / f"a{suffix}"
    Image.from_array(array).layout.write(path, np.split(array, list(cuts)))
    np.testing.assert_array_equal(read_back(path), array)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_what_pillow_makes_of_the_whole(tmp_path, channels) -> None:
    array = picture(channels)
    Image.from_array(array).layout.write(tmp_path / "a.jpg", np.split(array, [1, 1, 5]))
    as_pillow(array).save(tmp_path / "b.jpg", quality=95)
    assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize("profile", [b"", b"profile"])
@pytest.mark.parametrize("channels", MODES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
def test_tiff_is_what_tifffile_makes_of_the_whole(tmp_path, dtype, channels, profile) -> None:
    array = picture(channels, dtype)
    layout = Image.from_array(array, icc_profile=profile).layout
    layout.write(tmp_path / "a.tif", np.split(array, [1, 5]))
    write_tiff(tmp_path / "b.tif", array, iccprofile=profile or None, metadata=None)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_tiff_past_4_gigabytes_is_a_bigtiff(tmp_path) -> None:
    versions = []

    def head() -> Iterator[np.ndarray]:
        (partial,) = tmp_path.iterdir()
        with open(partial, "rb") as file:
            versions.append(int.from_bytes(file.read(4)[2:], sys.byteorder))
        raise KeyboardInterrupt
        yield

    layout = Image.from_array(picture(1, "float64")).layout
    for size in ((2**14, 2**14), (2**14, 2**15)):
        with pytest.raises(KeyboardInterrupt):
            layout.resized(size=size).write(tmp_path / "a.tif", head())
    assert versions == [42, 43]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_png_of_a_photograph_is_about_as_small_as_pillows(tmp_path, mode) -> None:
    with PillowImage.open(shared_file("images/kodim23.png")) as opened:
        photo = opened.convert(mode)
    photo.save(tmp_path / "pillow.png")
    loaded = Image.load(tmp_path / "pillow.png")
    loaded.save(loaded.slabs(), tmp_path / "ours.png")
    sizes = {path.stem: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["ours"] < 1.15 * sizes["pillow"]


@pytest.mark.parametrize(
    ("size", "suffix", "limit"),
    [
        ((65_501, 2), ".jpg", "65,500"),
        ((2, 65_501), ".jpeg", "65,500"),
        ((1, 2**31), ".png", "2,147,483,647"),
    ],
)
def test_more_pixels_on_a_side_than_a_format_holds(tmp_path, size, suffix, limit) -> None:
    layout = Image.from_array(picture(1)).layout.resized(size=size)
    path = tmp_path / f"a{suffix}"
    assert_refused(lambda: layout.check_writable(path), path, limit)

    def untouched() -> Iterator[np.ndarray]:
        raise AssertionError("computed before it was refused")
        yield

    assert_refused(lambda: layout.write(path, untouched()), path, limit)


@pytest.mark.parametrize("shape", [(65_500, 2, 1), (2, 65_500, 3)])
def test_the_longest_side_of_a_jpeg(tmp_path, shape) -> None:
    Image.from_array(np.zeros(shape, np.uint8)).layout.write(
        tmp_path / "a.jpg", [np.zeros(shape, np.uint8)]
    )
    assert read_back(tmp_path / "a.jpg").shape == shape


@pytest.mark.parametrize(
    ("array", "name", "hint"),
    [
        (picture(4), "a.jpg", "alpha"),
        (picture(2), "a.jpeg", "alpha"),
        (picture(3, "uint16"), "a.jpg", "uint16"),
        (picture(3, "float32"), "a.png", "float32"),
        (picture(3), "a.webp", ".webp"),
        (picture(3), "a", "no suffix"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, array, name, hint) -> None:
    signal = Image.from_array(array)
    assert_refused(lambda: signal.save(signal.slabs(), tmp_path / name), tmp_path / name, hint)


# -- Degenerate pictures are pictures.


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_pixel(tmp_path, dtype) -> None:
    array = np.array([[[7, 200, 31]]], dtype=dtype)
    write_tiff(tmp_path / "a.tif", array)
    loaded = load(tmp_path / "a.tif")
    check_holds(loaded, array)
    query, target = loaded.batch(None, seed=0, step=0)
    assert query.tolist() == [[0.0, 0.0]]
    assert target.shape == (1, 3)
    loaded.save(loaded.slabs(), tmp_path / "b.tif")
    np.testing.assert_allclose(read_back(tmp_path / "b.tif"), array, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 0), ("uint16", 9), ("float32", -3.5)])
def test_constant_picture(tmp_path, dtype, value) -> None:
    array = np.full((ROWS, COLUMNS, 1), value, dtype)
    write_tiff(tmp_path / "a.tif", array)
    loaded = load(tmp_path / "a.tif")
    assert loaded.layout.normalise(loaded.data).isfinite().all()
    loaded.save(loaded.slabs(), tmp_path / "b.tif")
    np.testing.assert_array_equal(read_back(tmp_path / "b.tif"), array)


@pytest.mark.parametrize("name", ["kodim03.png", "albert.jpg"])
def test_real_pictures_are_what_pillow_decodes(name) -> None:
    path = shared_file(f"images/{name}")
    with PillowImage.open(path) as opened:
        expected = np.asarray(opened)
    check_holds(load(path), expected[..., None] if expected.ndim == 2 else expected)


def test_a_tiff_that_is_not_grey_or_rgb_is_refused(tmp_path) -> None:
    path = tmp_path / "cmyk.tif"
    tifffile.imwrite(path, noise((7, 5, 4), "uint8"), photometric="separated")
    assert_refused(lambda: load(path), path, "SEPARATED")


def test_a_cmyk_jpeg_becomes_rgb_without_its_profile(tmp_path) -> None:
    path = tmp_path / "cmyk.jpg"
    PillowImage.new("CMYK", (5, 7), (0, 255, 255, 0)).save(path, icc_profile=b"cmyk profile")
    loaded = load(path)
    assert loaded.layout.icc_profile == ""
    assert (np.abs(loaded.data.astype(int) - [255, 0, 0]) < 6).all()


def test_a_thumbnail_does_not_make_a_tiff_a_volume(tmp_path) -> None:
    picture = noise((14, 10, 3), "uint8")
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture, photometric="rgb")
        file.write(picture[::2, ::2], photometric="rgb")
    loaded = load(tmp_path / "a.tif")
    assert isinstance(loaded, Image)
    np.testing.assert_array_equal(loaded.data, picture)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_fewer_than_8_bits_span_the_whole_range(tmp_path, bits, photometric) -> None:
    top = 2**bits - 1
    levels = np.arange(16, dtype=np.uint8).reshape(2, 8) % (top + 1)
    tifffile.imwrite(
        tmp_path / "a.tif", levels, bitspersample=bits, photometric=photometric, metadata=None
    )
    expected = levels.astype(int) * 255 // top
    expected = expected if photometric == "minisblack" else 255 - expected
    loaded = load(tmp_path / "a.tif").data[..., 0]
    np.testing.assert_array_equal(loaded, expected)
