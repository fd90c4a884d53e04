"""Files that are not what they claim: each is refused by SignalError, fast, and nothing is left."""

import errno
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import soundfile
import tifffile
from PIL import Image as PillowImage

from neurafield import SignalError, _inputs
from neurafield.signals import Audio, Image, Video, Volume, load

from .signal_files import (
    assert_refused,
    black_png,
    noise,
    png_bytes,
    png_of_chunks,
    smooth_frames,
    write_clip,
)

AFFINE = np.diag([2.0, 3, 5, 1])


def write_tiff_stack(path: Path, compression: str | None = None) -> None:
    tifffile.imwrite(
        path, noise((11, 37, 41), "uint8"), photometric="minisblack", compression=compression
    )


def write_pillow_stack(path: Path) -> None:
    first, *others = [PillowImage.fromarray(page) for page in noise((11, 37, 41), "uint8")]
    first.save(path, save_all=True, append_images=others, compression="tiff_lzw")


def write_nifti(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(noise((11, 13, 17), "int16"), AFFINE), path)


def write_picture(path: Path, **options) -> None:
    PillowImage.fromarray(noise((61, 47, 3), "uint8")).save(path, **options)


def write_sound(path: Path, subtype: str) -> None:
    sound = np.tanh(noise((30011, 2), "float32"))
    soundfile.write(path, sound, 8000, subtype)


WHOLE = {
    "a.png": write_picture,
    "deep.png": lambda p: p.write_bytes(png_bytes(noise((61, 47, 3), "uint16"))),
    "a.jpg": write_picture,
    "progressive.jpg": lambda p: write_picture(p, progressive=True),
    "plain.tif": lambda p: write_picture(p),
    "lzw.tif": lambda p: write_picture(p, compression="tiff_lzw"),
    "zip.tif": lambda p: tifffile.imwrite(
        p, noise((61, 47, 3), "uint16"), compression="zlib", rowsperstrip=7
    ),
    "stack.tif": write_tiff_stack,
    "zip-stack.tif": lambda p: write_tiff_stack(p, "zlib"),
    "lzw-stack.tif": write_pillow_stack,
    "pcm.wav": lambda p: write_sound(p, "PCM_16"),
    "float.wav": lambda p: write_sound(p, "FLOAT"),
    "a.flac": lambda p: write_sound(p, "PCM_24"),
    "a.ogg": lambda p: write_sound(p, "VORBIS"),
    "a.mp4": lambda p: write_clip(p, smooth_frames(13, 66, 82)),
    "a.npy": lambda p: np.save(p, noise((11, 13, 17), "float32")),
    "a.npz": lambda p: np.savez_compressed(p, noise((11, 13, 17), "float32")),
    "a.nii": write_nifti,
    "a.nii.gz": write_nifti,
}
SUFFIXES = sorted({name[name.index(".") :] for name in WHOLE})
KINDS = [Image, Audio, Video, Volume]


@pytest.fixture(params=WHOLE)
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of each sort, as it should be."""
    path = tmp_path / request.param
    WHOLE[request.param](path)
    return path


# -- The check itself.


def test_assert_refused_can_fail(tmp_path) -> None:
    path = tmp_path / "a.png"

    def refuse(message, error=SignalError, leave=""):
        if leave:
            (tmp_path / leave).write_bytes(b"")
        raise error(message)

    assert_refused(lambda: refuse(f"{path}: no."), path, "no")
    with pytest.raises(pytest.fail.Exception):
        assert_refused(lambda: None, path)
    for error in (ValueError, OSError, MemoryError):
        with pytest.raises(error, match="no"):
            assert_refused(lambda error=error: refuse(f"{path}: no.", error), path)
    for message in ("no name.", f"{path}: two\nlines.", f"{path}: no stop"):
        with pytest.raises(AssertionError):
            assert_refused(lambda message=message: refuse(message), path)
    with pytest.raises(AssertionError):
        assert_refused(lambda: refuse(f"{path}: no."), path, "another hint")
    with pytest.raises(AssertionError):
        assert_refused(lambda: refuse(f"{path}: no.", leave=".a.partial.png"), path)


# -- No file, or nothing in it.


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_file(tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    assert_refused(lambda: load(path), path, "no such file")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_folder(tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    path.mkdir()
    assert_refused(lambda: load(path), path, "folder")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_zero_bytes(tmp_path, suffix) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    assert_refused(lambda: load(path), path, "zero bytes")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_refuses_them_too(tmp_path, kind) -> None:
    path = tmp_path / "a.any"
    assert_refused(lambda: kind.load(path), path, "no such file")
    assert_refused(lambda: kind.load(str(path)), path, "no such file")
    path.touch()
    assert_refused(lambda: kind.load(path), path, "zero bytes")


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "a\0.png"])
def test_impossible_names(tmp_path, name) -> None:
    assert_refused(lambda: load(tmp_path / name), tmp_path / name, "no such file")


def test_file_that_may_not_be_read(tmp_path, monkeypatch) -> None:
    # The refusal is the system's, made here because root, as whom CI runs, may read every file.
    def refuse(file, *_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    path = tmp_path / "a.png"
    write_picture(path)
    monkeypatch.setattr(_inputs, "open", refuse, raising=False)
    assert_refused(lambda: load(path), path, "Permission denied")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.png.bak"])
def test_unknown_suffix(tmp_path, name) -> None:
    path = tmp_path / name
    write_picture(tmp_path / "b.png")
    shutil.copy(tmp_path / "b.png", path)
    assert_refused(lambda: load(path), path, "expected one of")


# -- Another content than the name says.


@pytest.mark.parametrize("content", ["prose", "long prose", "random bytes", "zeros", "html"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_something_else_of_that_name(tmp_path, suffix, content) -> None:
    path = tmp_path / f"a{suffix}"
    contents = {
        "prose": b"hello\n",
        "long prose": b"It was a bright cold day in April, and the clocks struck.\n" * 400,
        "random bytes": noise((20011,), "uint8").tobytes(),
        "zeros": bytes(5003),
        "html": b"<!DOCTYPE html>\n<html><body>404: not found</body></html>\n",
    }
    path.write_bytes(contents[content])
    assert_refused(lambda: load(path), path)


@pytest.mark.parametrize("content", ["prose", "zeros"])
@pytest.mark.parametrize("kind", KINDS)
def test_something_else_for_each_kind(tmp_path, kind, content) -> None:
    path = tmp_path / "a.any"
    path.write_bytes({"prose": b"hello\n" * 99, "zeros": bytes(999)}[content])
    assert_refused(lambda: kind.load(path), path)


def test_the_start_of_a_file_and_then_nothing(tmp_path) -> None:
    starts = {
        "a.png": b"\x89PNG\r\n\x1a\n",
        "a.jpg": b"\xff\xd8\xff\xe0",
        "a.tif": b"II*\0",
        "a.tiff": b"MM\0*",
        "b.tif": b"II+\0",
        "a.wav": b"RIFF\xff\0\0\0WAVE",
        "a.flac": b"fLaC",
        "a.ogg": b"OggS",
        "a.mp4": b"\0\0\0\x18ftypisom",
        "a.mkv": b"\x1aE\xdf\xa3",
        "a.avi": b"RIFF\xff\0\0\0AVI ",
        "a.npy": b"\x93NUMPY\x01\0",
        "a.npz": b"PK\x03\x04",
        "a.nii.gz": b"\x1f\x8b\x08",
    }
    for name, start in starts.items():
        (tmp_path / name).write_bytes(start)
        assert_refused(lambda name=name: load(tmp_path / name), tmp_path / name)


# -- Cut off.


def test_whole_files_are_read(whole) -> None:
    assert load(whole).num_samples > 1000


@pytest.mark.parametrize("part", [0.01, 0.1, 0.3, 0.5, 0.75, 0.9, 0.97])
def test_truncated_file(whole, part) -> None:
    data = whole.read_bytes()
    whole.write_bytes(data[: int(part * len(data))])
    assert_refused(lambda: load(whole), whole)


def test_bytes_overwritten_raise_nothing_else(whole) -> None:
    """Damage may go unseen where there is no checksum, but nothing but SignalError is raised."""
    data = whole.read_bytes()
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(12):
        broken = bytearray(data)
        # Half of the damage goes to the first bytes, where the headers are.
        for high in (200, len(data)):
            start = int(rng.integers(0, high))
            broken[start : start + 7] = rng.bytes(7)
        whole.write_bytes(broken[: len(data)])
        try:
            load(whole)
        except SignalError as error:
            errors.append(str(error))
    assert errors
    assert all(whole.name in error for error in errors)


# -- Values that are no numbers.


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["a.tif", "stack.tif", "a.wav", "a.npy", "a.npz", "a.nii"])
def test_nan_and_infinity(tmp_path, name, bad) -> None:
    path = tmp_path / name
    array = noise((5, 7, 11), "float32")
    array[3, 2, 1] = bad
    if name == "a.tif":
        tifffile.imwrite(path, array[3])
    elif name == "stack.tif":
        tifffile.imwrite(path, array, photometric="minisblack")
    elif name == "a.wav":
        soundfile.write(path, array.reshape(-1), 8000, "FLOAT")
    elif name == "a.npy":
        np.save(path, array)
    elif name == "a.npz":
        np.savez(path, array)
    else:
        nibabel.save(nibabel.Nifti1Image(array, AFFINE), path)
    assert_refused(lambda: load(path), path, "got 1 that are NaN or infinite")


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "S3", "U3", "M8[s]", "V5"])
def test_npy_of_other_types(tmp_path, dtype) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((5, 7, 11), dtype))
    assert_refused(lambda: load(path), path, "real numbers")


def test_npy_of_long_double(tmp_path) -> None:
    path = tmp_path / "a.npy"
    array = np.ones((5, 7, 11), np.longdouble)
    np.save(path, array)
    if array.itemsize == 8:  # Another name of float64 on some machines.
        assert load(path).layout.dtype == "float64"
    else:
        assert_refused(lambda: load(path), path, "real numbers")


def test_complex_tiff_and_nifti(tmp_path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((7, 11), "float32").astype(np.complex64))
    assert_refused(lambda: load(path), path, "real numbers")
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((5, 7, 11), np.complex64), AFFINE), path)
    assert_refused(lambda: load(path), path, "real numbers")


def test_colour_nifti(tmp_path) -> None:
    path = tmp_path / "a.nii"
    colours = np.zeros((5, 7, 11), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nibabel.save(nibabel.Nifti1Image(colours, AFFINE), path)
    assert_refused(lambda: load(path), path, "real numbers")


@pytest.mark.parametrize("shape", [(), (7,), (7, 11), (5, 7, 11, 5), (2, 5, 7, 11, 1)])
def test_npy_of_another_shape(tmp_path, shape) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones(shape))
    assert_refused(lambda: load(path), path, "expected shape")


@pytest.mark.parametrize("shape", [(0, 7, 11), (5, 0, 11), (5, 7, 0)])
def test_npy_of_nothing(tmp_path, shape) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.ones(shape))
    assert_refused(lambda: load(path), path, "at least one sample")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
def test_sound_of_no_length(tmp_path, name) -> None:
    path = tmp_path / name
    soundfile.write(path, np.zeros((0, 2)), 8000)
    assert_refused(lambda: load(path), path)


@pytest.mark.parametrize(
    ("rows", "columns"), [(0, 7), (7, 0), (0, 0), (2**31, 7), (2**32 - 1, 2**32 - 1)]
)
@pytest.mark.parametrize("bits", [8, 16])
def test_png_of_impossible_size(tmp_path, rows, columns, bits) -> None:
    path = tmp_path / "a.png"
    header = rows.to_bytes(4) + columns.to_bytes(4) + bytes([bits, 2, 0, 0, 0])
    path.write_bytes(png_of_chunks((b"IHDR", header), (b"IDAT", b"x\x9c"), (b"IEND", b"")))
    assert_refused(lambda: load(path), path)


# -- Arrays that are programs, and archives.


class Bomb:
    """What runs when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_pickled_objects_are_not_run(tmp_path) -> None:
    target = tmp_path / "was-run"
    # The trap works, where it is let to.
    pickle.loads(pickle.dumps(Bomb(target)))
    assert target.is_dir()
    target.rmdir()
    objects = np.array([[[Bomb(target)]]], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "a.npz", objects)
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Bomb(target)))
    for name in ("a.npy", "a.npz", "b.npy"):
        assert_refused(lambda name=name: load(tmp_path / name), tmp_path / name)
    assert not target.exists()


def test_npz_of_two_arrays(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, first=np.ones((5, 7, 11)), second=np.ones((5, 7, 11)))
    assert_refused(lambda: load(path), path, "first, second")


def test_npz_of_none(tmp_path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path)
    assert_refused(lambda: load(path), path, "expected one array")


def test_npz_of_another_file(tmp_path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert_refused(lambda: load(path), path, "readme.txt")


# -- Claims of size. Each is loaded in a process of its own, which reports time and memory.

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from neurafield import SignalError, _inputs
from neurafield.signals import Image, load
small, *paths = map(Path, sys.argv[1:])
# All that is imported on first use, and all that a small file needs.
for path in sorted(small.iterdir()):
    load(path)
report = {}
for path in paths:
    start = time.perf_counter()
    try:
        load(path)
        text = ""
    except SignalError as error:
        text = str(error)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report[path.name] = [text, time.perf_counter() - start, peak]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([report, peak]))
"""


def run_python(program: str, *arguments: object) -> str:
    """Run a program with this Python; its output."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def giant_tiff(path: Path, pages: int, columns: int = 65_000, rows: int = 65_000) -> None:
    """A small TIFF whose tags are overwritten by giant sizes."""
    tifffile.imwrite(path, noise((pages, 7, 11), "uint8"), photometric="minisblack", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["ImageWidth"].overwrite(columns)
            page.tags["ImageLength"].overwrite(rows)


def giant_npy(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**13, 2**13, 2**13)}
    )
    path.write_bytes(header.getvalue() + bytes(999))


def giant_nifti(path: Path, side: int = 30_000) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape((side, side, side))
    header["vox_offset"], header["magic"] = 352, b"n+1"
    data = header.binaryblock + bytes(999)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def giant_wav(path: Path) -> None:
    form = struct.pack("<HHIIHH", 1, 2, 8000, 32000, 4, 16)
    size = 0xFFFFFF00
    path.write_bytes(
        b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", size - 40) + bytes(999)
    )  # fmt: skip


def giant_flac(path: Path) -> None:
    soundfile.write(path, noise((999,), "float32") / 99, 8000)
    data = bytearray(path.read_bytes())
    # STREAMINFO counts samples in 36 bits that end at byte 26.
    data[21] |= 0x0F
    data[22:26] = b"\xff" * 4
    path.write_bytes(data)


def giant_png16(path: Path) -> None:
    header = struct.pack(">IIBBBBB", 65_000, 65_000, 16, 2, 0, 0, 0)
    whole = png_bytes(noise((11, 7, 3), "uint16"))
    data = whole[whole.index(b"IDAT") + 4 : -16]
    path.write_bytes(png_of_chunks((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")))


GIANTS = {
    "bomb-1.png": lambda p: p.write_bytes(black_png(65_000, 65_000, bits=1)),
    "bomb-8.png": lambda p: p.write_bytes(black_png(65_000, 65_000, bits=8)),
    "bomb-16.png": giant_png16,
    "large.png": lambda p: p.write_bytes(black_png(14_000, 13_001, bits=8)),
    "giant.tif": lambda p: giant_tiff(p, 1),
    "giant-stack.tif": lambda p: giant_tiff(p, 3),
    # Claims that the machine's memory could still meet.
    "wide.tif": lambda p: giant_tiff(p, 1, 13_000, 13_000),
    "tall-stack.tif": lambda p: giant_tiff(p, 3, 11, 300_000_000),
    "large.nii": lambda p: giant_nifti(p, 600),
    "large.nii.gz": lambda p: giant_nifti(p, 600),
    "giant.npy": giant_npy,
    "giant.nii": giant_nifti,
    "giant.nii.gz": giant_nifti,
    "giant.wav": giant_wav,
    "giant.flac": giant_flac,
}


def test_black_png_is_a_png() -> None:
    for bits in (1, 8):
        for rows, columns in ((37, 41), (1301, 1709)):
            with PillowImage.open(io.BytesIO(black_png(rows, columns, bits))) as opened:
                assert opened.size == (columns, rows)
                assert not np.asarray(opened).any()
    assert len(black_png(65_000, 65_000)) < 8e6


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured in kilobytes on Linux")
def test_giant_claims_are_refused_at_once(tmp_path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    for name in ("a.png", "deep.png", "stack.tif", "pcm.wav", "a.nii.gz"):
        WHOLE[name](small / name)
    for name, write in GIANTS.items():
        write(large / name)
    _, baseline = json.loads(run_python(MEASURE, small))
    report, peak = json.loads(run_python(MEASURE, small, *sorted(large.iterdir())))
    assert report.keys() == GIANTS.keys()
    for name, (text, seconds, _) in report.items():
        assert name in text, name
        assert "\n" not in text
        assert seconds < 1, (name, seconds)
    for name, (_, _, so_far) in report.items():
        assert so_far - baseline < 500_000, (name, so_far, baseline)
    assert peak - baseline < 500_000


# -- A disk that is full.

FULL_DISK = """
import json, resource, sys
from pathlib import Path
import numpy as np
from neurafield import SignalError, _inputs
from neurafield.signals import Audio, Image, Video, Volume
folder, limits = Path(sys.argv[1]), json.loads(sys.argv[2])
rng = np.random.default_rng(0)
noise = rng.integers(0, 255, (5, 211, 227, 3)).astype(np.uint8)
sound = rng.uniform(-1, 1, (100_003, 2)).astype(np.float32)
picture = Image.from_array(noise[0])
deep = Image.from_array(noise[0].astype(np.uint16) * 200)
volume = Volume.from_array(noise[..., 0])
slice_ = Volume.from_array(noise[:1, ..., 0])
clip = Video.from_array(noise, frame_rate=25)
audio = Audio.from_array(sound, sample_rate=8000)
signals = {
    "a.png": picture, "deep.png": deep, "a.jpg": picture, "a.tif": picture,
    "a.wav": audio, "a.flac": audio, "a.ogg": audio,
    "a.mp4": clip, "a.mkv": clip,
    "a.npy": volume, "a.npz": volume, "stack.tif": volume, "slice.tif": slice_,
    "a.nii": volume, "a.nii.gz": volume,
}
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
report = {}

def save(name, limit):
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    try:
        signals[name].save(signals[name].slabs(), folder / name)
        return "written"
    except (OSError, SignalError) as error:
        return "refused" if name in str(error) or isinstance(error, OSError) else str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

for name in signals:
    for asked in limits.get(name, [None]):
        limit, outcome = asked, save(name, asked)
        # x264 encodes one clip in sizes that differ by a little. If one fits, the next limit is
        # below what was written, until the clip does not fit.
        while outcome == "written" and limit and (folder / name).stat().st_size <= limit:
            limit = (folder / name).stat().st_size - 1
            (folder / name).write_bytes(b"older " + name.encode())
            outcome = save(name, limit)
        report[f"{name} {asked}"] = outcome
print(json.dumps(report))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_full_disk_keeps_the_older_file_and_leaves_no_other(tmp_path) -> None:
    fine, full = tmp_path / "fine", tmp_path / "full"
    fine.mkdir()
    full.mkdir()
    written = json.loads(run_python(FULL_DISK, fine, "{}"))
    assert set(written.values()) == {"written"}
    # The disk is full at the start, in the middle and at the last byte.
    sizes = {path.name: path.stat().st_size for path in fine.iterdir()}
    assert min(sizes.values()) > 20_000
    limits = {name: [10, size // 2, size - 1] for name, size in sizes.items()}
    for name in sizes:
        (full / name).write_bytes(b"older " + name.encode())
    refused = json.loads(run_python(FULL_DISK, full, json.dumps(limits)))
    assert len(refused) == 3 * len(sizes)
    assert set(refused.values()) == {"refused"}, refused
    assert {path.name: path.read_bytes() for path in full.iterdir()} == {
        name: b"older " + name.encode() for name in sizes
    }


def test_missing_folder(tmp_path) -> None:
    signals = {
        ".png": Image.from_array(noise((11, 7), "uint8")),
        ".wav": Audio.from_array(noise((101,), "float32"), sample_rate=8000),
        ".mp4": Video.from_array(smooth_frames(2, 34, 46), frame_rate=25),
        ".npy": Volume.from_array(noise((5, 7, 11), "uint8")),
    }
    for suffix, signal in signals.items():
        with pytest.raises((OSError, SignalError)):
            signal.save(signal.slabs(), tmp_path / "none" / f"a{suffix}")
        assert not (tmp_path / "none").exists()
