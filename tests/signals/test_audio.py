"""Sounds against soundfile, and against the layout of a WAV file written by hand."""

import struct

import numpy as np
import pytest
import soundfile
import torch

from neurafield.signals import Audio, load

from .signal_files import assert_refused, noise, shared_file

SAMPLES = 1009
STEPS = {"PCM_U8": 2**7, "PCM_S8": 2**7, "PCM_16": 2**15, "PCM_24": 2**23}
LOSSLESS = [
    (".wav", "PCM_U8"),
    (".wav", "PCM_16"),
    (".wav", "PCM_24"),
    (".wav", "FLOAT"),
    (".flac", "PCM_S8"),
    (".flac", "PCM_16"),
    (".flac", "PCM_24"),
]


def samples(channels: int, subtype: str) -> np.ndarray:
    """Values that the encoding holds exactly; both ends of its range among them."""
    if subtype == "FLOAT":
        return noise((SAMPLES, channels), "float32", seed=channels)
    steps = STEPS[subtype]
    rng = np.random.default_rng(channels)
    whole = rng.integers(-steps, steps, (SAMPLES, channels))
    whole[3], whole[4] = -steps, steps - 1
    return (whole / steps).astype(np.float32)


def read_back(path) -> np.ndarray:
    return soundfile.read(path, dtype="float64", always_2d=True)[0]


def wav_bytes(array: np.ndarray, rate: int) -> bytes:
    """A PCM WAV of 16 bits, byte by byte."""
    channels = array.shape[1]
    body = array.astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, rate, 2 * channels * rate, 2 * channels, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("channels", [1, 2])
def test_wav_from_its_bytes(tmp_path, channels) -> None:
    whole = noise((SAMPLES, channels), "int16")
    (tmp_path / "a.wav").write_bytes(wav_bytes(whole, 8000))
    sound = load(tmp_path / "a.wav")
    np.testing.assert_array_equal(sound.data, whole / 2**15)
    assert (sound.layout.sample_rate, sound.layout.subtype) == (8000, "PCM_16")
    assert (sound.in_dim, sound.out_dim) == (1, channels)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("suffix", "subtype"), LOSSLESS)
def test_load_and_save_is_bit_exact(tmp_path, suffix, subtype, channels) -> None:
    array = samples(channels, subtype)
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    soundfile.write(source, array, 11025, subtype)
    sound = load(source)
    np.testing.assert_array_equal(sound.data, array)
    sound.save(sound.slabs(max_samples=100), target)
    info = soundfile.info(target)
    assert (info.frames, info.channels, info.samplerate) == (SAMPLES, channels, 11025)
    assert info.subtype == subtype
    # Normalised float32 values have 24 bits of the peak.
    atol = 2**-24 * np.abs(array).max() if subtype == "FLOAT" else 0
    np.testing.assert_allclose(read_back(target), array, rtol=0, atol=atol)


def test_float_samples_are_written_as_they_were(tmp_path) -> None:
    array = samples(2, "FLOAT")
    sound = Audio.from_array(array, sample_rate=8000)
    sound.layout.write(tmp_path / "a.wav", [sound.data[:500], sound.data[500:]])
    np.testing.assert_array_equal(read_back(tmp_path / "a.wav"), array)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_written_samples_are_rounded_to_the_nearest(tmp_path, subtype) -> None:
    steps = STEPS[subtype]
    array = np.array([[0.4], [0.6], [-0.4], [-0.6], [steps + 5], [-steps - 5]]) / steps
    sound = Audio.from_array(array.astype(np.float32), sample_rate=8000, subtype=subtype)
    sound.layout.write(tmp_path / "a.wav", [sound.data])
    expected = [0, 1, 0, -1, steps - 1, -steps]
    assert (read_back(tmp_path / "a.wav")[:, 0] * steps).tolist() == expected


def test_ogg_is_written_close_to_the_sound(tmp_path) -> None:
    time = np.arange(22050) / 22050
    array = 0.5 * np.stack([np.sin(2 * np.pi * 440 * time), np.cos(2 * np.pi * 660 * time)], -1)
    soundfile.write(tmp_path / "a.ogg", array, 22050)
    sound = load(tmp_path / "a.ogg")
    np.testing.assert_array_equal(sound.data, read_back(tmp_path / "a.ogg").astype(np.float32))
    sound.save(sound.slabs(), tmp_path / "b.ogg")
    again = read_back(tmp_path / "b.ogg")
    assert again.shape == array.shape
    assert soundfile.info(tmp_path / "b.ogg").subtype == "VORBIS"
    assert np.sqrt(np.mean((again - array) ** 2)) < 0.02


def test_the_peak_becomes_one_and_silence_stays_zero() -> None:
    sound = Audio.from_array(np.array([0.0, 0.25, -0.5], np.float32), sample_rate=7)
    assert sound.batch(None, seed=0, step=0)[1].tolist() == [[0.0], [0.5], [-1.0]]


def test_silent_sound(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((SAMPLES, 2)), 8000)
    sound = load(tmp_path / "a.wav")
    assert not sound.layout.normalise(sound.data).any()
    sound.save(sound.slabs(), tmp_path / "b.wav")
    np.testing.assert_array_equal(read_back(tmp_path / "b.wav"), np.zeros((SAMPLES, 2)))


def test_one_sample(tmp_path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 8000)
    sound = load(tmp_path / "a.wav")
    query, target = sound.batch(None, seed=0, step=0)
    assert (query.tolist(), target.tolist()) == ([[0.0]], [[1.0]])


@pytest.mark.parametrize(("scale", "rate", "num"), [(2.0, 16000, 2018), (0.5, 4000, 504)])
def test_another_scale_is_another_sample_rate(tmp_path, scale, rate, num) -> None:
    sound = Audio.from_array(samples(2, "FLOAT"), sample_rate=8000)
    layout = sound.layout.resized(scale=scale)
    assert layout.shape == (num,)
    # The duration stays, so the rate follows the number of samples.
    assert layout.sample_rate == pytest.approx(8000 * num / SAMPLES, abs=0.5)
    assert layout.sample_rate == pytest.approx(rate, rel=2e-3)
    sound.save(torch.zeros(num, 2), tmp_path / "a.wav")
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.frames, info.samplerate) == (num, layout.sample_rate)


def test_a_part_keeps_the_sample_rate() -> None:
    layout = Audio.from_array(samples(1, "FLOAT"), sample_rate=8000).layout
    part = layout.resized(region=(100.0, 201.0))
    assert (part.shape, part.sample_rate) == ((101,), 8000)


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (torch.zeros(SAMPLES, 3), "(1009, 3)"),
        (torch.zeros(SAMPLES), "(1009,)"),
        ([torch.zeros(500, 2), torch.zeros(500, 2)], "1000"),
        ([torch.zeros(500, 2), torch.zeros(510, 2)], "(510, 2)"),
        ([torch.zeros(SAMPLES, 1)], "(1009, 1)"),
    ],
)
def test_values_of_another_shape_are_refused(tmp_path, values, hint) -> None:
    sound = Audio.from_array(samples(2, "FLOAT"), sample_rate=8000)
    path = tmp_path / "a.wav"
    assert_refused(lambda: sound.save(values, path), path, hint)


@pytest.mark.parametrize("suffix", [".mp3", ".png", ""])
def test_other_suffixes_are_refused(tmp_path, suffix) -> None:
    sound = Audio.from_array(samples(2, "FLOAT"), sample_rate=8000)
    path = tmp_path / f"a{suffix}"
    assert_refused(lambda: sound.save(sound.slabs(), path), path, ".wav")


def test_a_rate_that_the_encoding_lacks_is_refused(tmp_path) -> None:
    sound = Audio.from_array(samples(1, "FLOAT"), sample_rate=11025, subtype="OPUS")
    path = tmp_path / "a.ogg"
    assert_refused(lambda: sound.save(sound.slabs(), path), path)


def test_real_sound() -> None:
    path = shared_file("audio/gt_bach.wav")
    sound = load(path)
    np.testing.assert_array_equal(sound.data, read_back(path))
    assert sound.layout.sample_rate == 44100
