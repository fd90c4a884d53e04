"""Clips against PyAV, which writes them and decodes them frame by frame."""

import struct
import tempfile
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from neurafield.signals import Video, load, video

from .signal_files import (
    assert_refused,
    contents,
    decoded_clip,
    psnr,
    shared_file,
    smooth_frames,
    write_clip,
)

FRAMES, ROWS, COLUMNS = 11, 34, 46
NTSC = Fraction(30000, 1001)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_clip(path, smooth_frames(FRAMES, ROWS, COLUMNS), NTSC)
    return path


def check_same_clip(path, frames: np.ndarray, rate: Fraction, least: float) -> None:
    decoded, decoded_rate = decoded_clip(path)
    assert decoded_rate == rate
    assert psnr(decoded, frames) > least


@pytest.mark.parametrize(
    ("change", "rate"),
    [
        (lambda f: f[:-1], NTSC),
        (lambda f: f[::-1], NTSC),
        (lambda f: f[..., ::-1], NTSC),
        (lambda f: np.roll(f, 1, axis=2), NTSC),
        (lambda f: f, Fraction(30)),
    ],
)
def test_check_same_clip_can_fail(clip, change, rate) -> None:
    frames = smooth_frames(FRAMES, ROWS, COLUMNS)
    check_same_clip(clip, frames, NTSC, 38)
    with pytest.raises(AssertionError):
        check_same_clip(clip, change(frames), rate, 38)


def test_frames_are_those_of_the_file(clip) -> None:
    loaded = load(clip)
    np.testing.assert_array_equal(loaded.data, decoded_clip(clip)[0])
    assert loaded.layout.shape == (FRAMES, ROWS, COLUMNS)
    assert (loaded.in_dim, loaded.out_dim) == (3, 3)
    assert loaded.layout.frame_rate == "30000/1001"


@pytest.mark.parametrize(
    "frames",
    [
        slice(0, 1),
        slice(2, 9),
        slice(2, 10, 3),
        slice(-4, None),
        slice(None, None, 5),
        slice(8, 99),
    ],
)
def test_some_of_the_frames(clip, frames) -> None:
    loaded = Video.load(clip, frames=frames)
    np.testing.assert_array_equal(loaded.data, decoded_clip(clip)[0][frames])
    assert Fraction(loaded.layout.frame_rate) == NTSC / (frames.step or 1)


@pytest.mark.parametrize("frames", [slice(5, 5), slice(50, 60), slice(None, None, -1)])
def test_no_frames_are_refused(clip, frames) -> None:
    assert_refused(lambda: Video.load(clip, frames=frames), clip, "of its 11 frames")


def test_frames_of_another_size_are_averages(clip) -> None:
    full = decoded_clip(clip)[0].astype(np.float64)
    halved = full.reshape(FRAMES, ROWS // 2, 2, COLUMNS // 2, 2, 3).mean(axis=(2, 4))
    loaded = Video.load(clip, size=(ROWS // 2, COLUMNS // 2))
    assert loaded.layout.shape == (FRAMES, ROWS // 2, COLUMNS // 2)
    assert psnr(loaded.data, halved) > 38


# The matrix of a track header, row by row, in 16.16 fixed point: (x, y) is shown at
# (a x + c y, b x + d y) for [[a, b], [c, d]], with y downward.
TURNS = {"clockwise": (0, 1, -1, 0), "half": (-1, 0, 0, -1), "counterclockwise": (0, -1, 1, 0)}


def turned(clip, matrix: tuple[int, int, int, int], path) -> None:
    """Copy an MP4 and ask its players to turn it."""
    data = bytearray(clip.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 0x10000 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(data)


@pytest.mark.parametrize("turn", TURNS)
def test_rotation_is_applied_as_players_do(clip, tmp_path, turn) -> None:
    a, b, c, d = TURNS[turn]
    turned(clip, TURNS[turn], tmp_path / "turned.mp4")
    original, loaded = Video.load(clip).data, Video.load(tmp_path / "turned.mp4").data
    # Follow each pixel by the matrix, from the centre of the picture.
    y, x = np.mgrid[:ROWS, :COLUMNS]
    v, u = 2 * y - ROWS + 1, 2 * x - COLUMNS + 1
    rows, columns = loaded.shape[1:3]
    to_row, to_column = (b * u + d * v + rows - 1) // 2, (a * u + c * v + columns - 1) // 2
    np.testing.assert_array_equal(loaded[:, to_row, to_column], original[:, y, x])
    small = Video.load(tmp_path / "turned.mp4", size=(rows // 2, columns // 2))
    assert small.layout.shape[1:] == (rows // 2, columns // 2)
    assert psnr(small.data, loaded[:, ::2, ::2]) > 25


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (5, 10**6)])
def test_impossible_sizes_are_refused(clip, size) -> None:
    assert_refused(lambda: Video.load(clip, size=size), clip, "sides")


@pytest.mark.parametrize(("rows", "columns"), [(33, 45), (33, 46), (34, 45), (1, 1), (17, 101)])
def test_odd_sizes(tmp_path, rows, columns) -> None:
    frames = smooth_frames(5, rows, columns)
    write_clip(tmp_path / "a.mp4", frames, pix_fmt="yuv444p")
    loaded = load(tmp_path / "a.mp4")
    assert loaded.layout.shape == (5, rows, columns)
    loaded.save(loaded.slabs(), tmp_path / "b.mp4")
    check_same_clip(tmp_path / "b.mp4", loaded.data, Fraction(25), 33)


@pytest.mark.parametrize(
    "rate", [NTSC, Fraction(24000, 1001), Fraction(25), Fraction(25, 2)], ids=str
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_written_back_with_its_frames_size_and_rate(tmp_path, suffix, rate) -> None:
    source, target = tmp_path / "a.mp4", tmp_path / f"b{suffix}"
    write_clip(source, smooth_frames(FRAMES, ROWS, COLUMNS), rate)
    loaded = Video.load(source)
    assert Fraction(loaded.layout.frame_rate) == rate
    loaded.save(loaded.slabs(max_samples=2 * ROWS * COLUMNS), target)
    check_same_clip(target, loaded.data, rate, 35)
    assert load(target).layout == loaded.layout


def test_one_frame(tmp_path) -> None:
    write_clip(tmp_path / "a.mp4", smooth_frames(1, ROWS, COLUMNS))
    loaded = load(tmp_path / "a.mp4")
    loaded.save(loaded.slabs(), tmp_path / "b.mp4")
    assert load(tmp_path / "b.mp4").layout.shape == (1, ROWS, COLUMNS)


def test_written_at_another_size(tmp_path, clip) -> None:
    loaded = Video.load(clip)
    path = tmp_path / "a.mp4"
    loaded.save(torch.zeros(FRAMES, 20, 30, 3), path)
    decoded, rate = decoded_clip(path)
    assert (decoded.shape, rate) == ((FRAMES, 20, 30, 3), NTSC)
    assert np.abs(decoded.astype(int) - 127.5).max() < 3


def test_long_clips_lie_in_a_file_without_a_name(clip, tmp_path, monkeypatch) -> None:
    in_memory = Video.load(clip)
    monkeypatch.setattr(video, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mapped = Video.load(clip, frames=slice(1, None, 2))
    assert isinstance(mapped.data, np.memmap)
    assert not isinstance(in_memory.data, np.memmap)
    assert contents(tmp_path) == {}
    np.testing.assert_array_equal(mapped.data, in_memory.data[1::2])
    assert Video.load(clip).fingerprint() == in_memory.fingerprint()
    for got, expected in zip(
        Video.load(clip).batch(53, seed=1, step=2), in_memory.batch(53, seed=1, step=2), strict=True
    ):
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (torch.zeros(FRAMES + 1, ROWS, COLUMNS, 3), "(12, 34, 46, 3)"),
        (torch.zeros(FRAMES, ROWS, COLUMNS, 1), "(11, 34, 46, 1)"),
        ([torch.zeros(FRAMES - 1, ROWS, COLUMNS, 3)], "10"),
        ([torch.zeros(FRAMES, COLUMNS, ROWS, 3)], "(11, 46, 34, 3)"),
    ],
)
def test_values_of_another_shape_are_refused(tmp_path, clip, values, hint) -> None:
    loaded, path = Video.load(clip), tmp_path / "a.mp4"
    assert_refused(lambda: loaded.save(values, path), path, hint)


def test_other_suffixes_are_refused(tmp_path, clip) -> None:
    loaded, path = Video.load(clip), tmp_path / "a.gif"
    assert_refused(lambda: loaded.save(loaded.slabs(), path), path, ".mp4")


# -- Damaged clips. None may come out shorter than it was.


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".mov"])
@pytest.mark.parametrize("flags", ["", "faststart", "frag_keyframe+empty_moov"])
def test_a_cut_clip_is_refused(tmp_path, suffix, flags) -> None:
    path = tmp_path / f"a{suffix}"
    isobmff = suffix in (".mp4", ".mov")
    write_clip(
        path, smooth_frames(23, 66, 82), **({"movflags": flags} if flags and isobmff else {})
    )
    assert load(path).layout.shape == (23, 66, 82)
    whole = path.read_bytes()
    for part in (0.05, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95):
        path.write_bytes(whole[: int(part * len(whole))])
        assert_refused(lambda: load(path), path)


def faststart_clip(path) -> tuple[bytes, list[int]]:
    """A clip whose sample table comes first, and where each encoded frame starts."""
    write_clip(path, smooth_frames(FRAMES, ROWS, COLUMNS), movflags="faststart")
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    return path.read_bytes(), sorted(starts)


@pytest.mark.parametrize("left", [1, 2, 7, FRAMES - 1])
def test_a_sample_table_with_more_frames_than_there_are(tmp_path, left) -> None:
    path = tmp_path / "a.mp4"
    whole, starts = faststart_clip(path)
    # The box around the frames is shortened too, so only the sample table knows of the others.
    begin = whole.index(b"mdat") - 4
    path.write_bytes(
        whole[:begin] + struct.pack(">I", starts[left] - begin) + whole[begin + 4 : starts[left]]
    )
    assert_refused(lambda: load(path), path, "cut off")
    assert_refused(lambda: Video.load(path, frames=slice(0, 1)), path, "cut off")


@pytest.mark.parametrize("frame", [0, 5, FRAMES - 1])
def test_a_frame_that_cannot_be_decoded(tmp_path, frame) -> None:
    path = tmp_path / "a.mp4"
    whole, starts = faststart_clip(path)
    broken = bytearray(whole)
    broken[starts[frame] : starts[frame] + 16] = b"\xff" * 16
    path.write_bytes(broken)
    assert_refused(lambda: load(path), path)


def test_a_clip_trimmed_by_its_edit_list(tmp_path) -> None:
    # Editors cut without encoding again: the frames stay in the file and a list hides them.
    path = tmp_path / "a.mp4"
    write_clip(path, smooth_frames(FRAMES, ROWS, COLUMNS), 25)
    whole = bytearray(path.read_bytes())
    entry = whole.index(b"elst") + 12
    duration, start = struct.unpack_from(">II", whole, entry)
    ticks = 3 * 12800 // 25  # Three frames, in the units that the muxer gives 25 frames a second.
    struct.pack_into(">II", whole, entry, duration - 3 * 40, start + ticks)
    before = decoded_clip(path)[0]
    path.write_bytes(whole)
    np.testing.assert_array_equal(load(path).data, before[3:])


def test_a_file_without_pictures(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert_refused(lambda: load(path), path, "without pictures")


@pytest.mark.parametrize("rate", [0, -25, 10**6, "4003097/1"])
def test_impossible_frame_rates_are_refused(tmp_path, rate) -> None:
    path = tmp_path / "a.mp4"
    frames = smooth_frames(2, 4, 6)
    assert_refused(lambda: Video.from_array(frames, frame_rate=rate, name=path), path, "frame rate")


def test_an_unknown_code_is_refused(tmp_path) -> None:
    path = tmp_path / "a.mp4"
    write_clip(path, smooth_frames(3, 34, 46))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"?!?!"))
    assert_refused(lambda: load(path), path)


def test_real_clip() -> None:
    path = shared_file("video/bikes.mp4")
    loaded = Video.load(path, frames=slice(100, 103), size=(34, 80))
    assert loaded.layout.shape == (3, 34, 80)
    whole = Video.load(path, size=(17, 40))
    assert whole.layout.shape == (250, 17, 40)
