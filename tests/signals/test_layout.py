"""Layouts: other sizes, the JSON form and what may not pass for it, values, and rendering."""

import json
import math

import numpy as np
import pytest
import torch

from neurafield import SignalError
from neurafield.geometry import Grid
from neurafield.signals import Audio, Image, Video, Volume, layout_from_spec, render

from .signal_files import assert_refused, noise

AFFINE = np.array([[2.0, 0, 0, 5], [0, 3, 0, -7], [0, 0, 5, 11], [0, 0, 0, 1]])
SIGNALS = {
    "image": Image.from_array(noise((11, 7, 3), "uint8"), icc_profile=b"profile"),
    "audio": Audio.from_array(
        np.tanh(noise((101, 2), "float32")), sample_rate=8000, subtype="PCM_24"
    ),
    "video": Video.from_array(noise((5, 11, 7, 3), "uint8"), frame_rate="30000/1001"),
    "volume": Volume.from_array(noise((5, 7, 11), "int16"), affine=AFFINE),
}
SUFFIXES = {"image": ".tif", "audio": ".wav", "video": ".mp4", "volume": ".nii"}
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


@pytest.fixture(params=SIGNALS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


# -- Other sizes.


def test_resized_by_scale(kind) -> None:
    layout = SIGNALS[kind].layout
    for scale in (1.0, 0.5, 2.0, 3.7):
        resized = layout.resized(scale=scale)
        for axis, (new, old) in enumerate(zip(resized.shape, layout.shape, strict=True)):
            assert new == (round(scale * old) if axis in layout.resizable_axes else old)
    assert layout.resized() == layout.resized(scale=1.0)
    # However small, one sample is left.
    tiny = layout.resized(scale=1e-6)
    assert all(tiny.shape[axis] == 1 for axis in layout.resizable_axes)


def test_resized_to_a_size(kind) -> None:
    layout = SIGNALS[kind].layout
    size = [13, 3, 17][: len(layout.resizable_axes)]
    resized = layout.resized(size=size)
    assert [resized.shape[axis] for axis in layout.resizable_axes] == size
    # All of the old extent is covered: the cells still fill [-1, 1].
    for first, spacing, n in zip(
        resized.grid.first, resized.grid.spacing, resized.shape, strict=True
    ):
        assert spacing * n == pytest.approx(2)
        assert first - spacing / 2 == pytest.approx(-1)


def test_resized_to_a_region(kind) -> None:
    layout = SIGNALS[kind].layout
    region = [1.0, 4.0, 2.0, 7.0, 3.0, 8.0][: 2 * len(layout.resizable_axes)]
    part = layout.resized(region=region)
    window = [slice(None)] * layout.in_dim
    for i, axis in enumerate(layout.resizable_axes):
        window[axis] = slice(int(region[2 * i]), int(region[2 * i + 1]))
    numbers = np.arange(layout.grid.num_samples).reshape(layout.shape)[tuple(window)]
    assert part.shape == numbers.shape
    np.testing.assert_allclose(
        part.grid.coords(np.arange(numbers.size)),
        layout.grid.coords(numbers.reshape(-1)),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": -1.0}, "scale"),
        ({"scale": math.nan}, "scale"),
        ({"scale": math.inf}, "scale"),
        ({"size": (3,)}, "size"),
        ({"size": (3, 0)}, "size"),
        ({"size": (3, -4)}, "size"),
        ({"size": (2**20, 2**20)}, "size"),
        ({"scale": 1e9}, "size"),
        ({"region": (0.0, 5.0)}, "region"),
        ({"region": (0.0, 5.0, 0.0, 8.0)}, "region"),
        ({"region": (5.0, 5.0, 0.0, 7.0)}, "region"),
        ({"region": (5.0, 3.0, 0.0, 7.0)}, "region"),
        ({"region": (-1.0, 3.0, 0.0, 7.0)}, "region"),
        ({"region": (math.nan, 3.0, 0.0, 7.0)}, "region"),
        ({"region": (0.0, math.inf, 0.0, 7.0)}, "region"),
    ],
    ids=str,
)
def test_impossible_sizes_are_refused(arguments, hint) -> None:
    with pytest.raises(SignalError, match=hint):
        SIGNALS["image"].layout.resized(**arguments)


def test_a_sample_rate_past_all_files_is_refused() -> None:
    with pytest.raises(SignalError, match="sample_rate"):
        SIGNALS["audio"].layout.resized(region=(0.0, 1.0), size=(10**6,))


# -- The JSON form.


def test_spec_gives_the_layout_again(kind) -> None:
    layout = SIGNALS[kind].layout
    region = [0.5, 4.0, 2.25, 6.5, 3.0, 8.0][: 2 * len(layout.resizable_axes)]
    for one in (layout, layout.resized(scale=1.7), layout.resized(region=region)):
        text = json.dumps(one.spec(), allow_nan=False)
        again = layout_from_spec(json.loads(text))
        assert again == one
        assert type(again) is type(one)
        assert hash(again) == hash(one)
    assert layout_from_spec(layout.spec()) != layout.resized(scale=2.0)


def changed(spec: dict, path: str, value) -> dict:
    copy = json.loads(json.dumps(spec))
    inner = copy
    *outer, last = path.split(".")
    for name in outer:
        inner = inner[name]
    inner[last] = value
    return copy


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = [
    ("image", "kind", "picture"),
    ("image", "kind", None),
    ("image", "kind", ["image"]),
    ("image", "kind", {}),
    ("image", "kind", "audio"),
    ("image", "extra", 1),
    ("image", "grid.extra", [1, 1]),
    ("image", "grid", None),
    ("image", "grid", [[11, 7], [0, 0], [1, 1]]),
    ("image", "grid", "grid"),
    ("image", "grid.shape", [11]),
    ("image", "grid.shape", [11, 7, 3]),
    ("image", "grid.shape", [11, -7]),
    ("image", "grid.shape", [11, 0]),
    ("image", "grid.shape", [11.0, 7.0]),
    ("image", "grid.shape", ["11", "7"]),
    ("image", "grid.shape", "ab"),
    ("image", "grid.shape", 11),
    ("image", "grid.shape", [True, True]),
    ("image", "grid.shape", [[11], [7]]),
    ("image", "grid.shape", [2**62, 2**62]),
    ("image", "grid.shape", [2**40, 2**40]),
    ("image", "grid.first", ["0", "0"]),
    ("image", "grid.first", [math.nan, 0.0]),
    ("image", "grid.first", [10**400, 0.0]),
    ("image", "grid.first", [[0.0], [0.0]]),
    ("image", "grid.spacing", [0.0, 0.1]),
    ("image", "grid.spacing", [-0.1, 0.1]),
    ("image", "grid.spacing", [math.inf, 0.1]),
    ("image", "channels", 0),
    ("image", "channels", 5),
    ("image", "channels", -3),
    ("image", "channels", 3.0),
    ("image", "channels", "3"),
    ("image", "channels", True),
    ("image", "channels", [3]),
    ("image", "channels", 10**30),
    ("image", "dtype", "object"),
    ("image", "dtype", "O"),
    ("image", "dtype", "float128"),
    ("image", "dtype", "complex64"),
    ("image", "dtype", "U1000000000"),
    ("image", "dtype", ["uint8"]),
    ("image", "dtype", None),
    ("image", "dtype", 8),
    ("image", "low", math.nan),
    ("image", "low", -math.inf),
    ("image", "low", "0"),
    ("image", "low", None),
    ("image", "low", True),
    ("image", "low", [0.0]),
    ("image", "low", 256.0),
    ("image", "low", -1.0),
    ("image", "high", math.inf),
    ("image", "high", 1e9),
    ("image", "high", 10**400),
    ("image", "icc_profile", 7),
    ("image", "icc_profile", None),
    ("image", "icc_profile", "no base64!"),
    ("image", "icc_profile", "A" * 10**6),
    ("audio", "sample_rate", 0),
    ("audio", "sample_rate", -8000),
    ("audio", "sample_rate", 8000.5),
    ("audio", "sample_rate", "8000"),
    ("audio", "sample_rate", 2**31),
    ("audio", "subtype", 16),
    ("audio", "subtype", ["PCM_16"]),
    ("audio", "low", -1e39),
    ("audio", "dtype", "uint8"),
    ("image", "dtype", "int32"),
    ("audio", "channels", 65),
    ("video", "frame_rate", "0"),
    ("video", "frame_rate", "-25"),
    ("video", "frame_rate", "1/0"),
    ("video", "frame_rate", "1e999999999"),
    ("video", "frame_rate", "nan"),
    ("video", "frame_rate", "fast"),
    ("video", "frame_rate", ""),
    ("video", "frame_rate", "٣"),
    ("video", "frame_rate", 25),
    ("video", "frame_rate", None),
    ("video", "frame_rate", ["25"]),
    ("video", "frame_rate", "9" * 5000),
    ("video", "channels", 4),
    ("video", "dtype", "float32"),
    ("volume", "affine", None),
    ("volume", "affine", 0),
    ("volume", "affine", "affine"),
    ("volume", "affine", [[1.0, 0.0], [0.0, 1.0]]),
    ("volume", "affine", [[1.0] * 4] * 3 + [[1.0] * 3]),
    ("volume", "affine", [["1"] * 4] * 4),
    ("volume", "affine", [[math.nan] * 4] * 4),
    ("volume", "affine", [[None] * 4] * 4),
    ("volume", "affine", [[10**400] * 4] * 4),
    ("volume", "affine", [[[1.0]] * 4] * 4),
    ("volume", "affine", nested(50)),
    ("volume", "affine", nested(100_000)),
    ("volume", "affine", {"0": [1.0] * 4}),
]


@pytest.mark.parametrize(
    ("name", "path", "value"), HOSTILE, ids=[f"{k}-{p}-{i}" for i, (k, p, _) in enumerate(HOSTILE)]
)
def test_hostile_spec_is_refused(name, path, value) -> None:
    spec = changed(SIGNALS[name].layout.spec(), "kind", name)
    assert layout_from_spec(spec) == SIGNALS[name].layout
    *outer, last = path.split(".")
    (spec[outer[0]] if outer else spec)[last] = value
    with pytest.raises(SignalError, match=r"^signal: "):
        layout_from_spec(spec)


def test_spec_without_one_of_its_keys_is_refused(kind) -> None:
    spec = SIGNALS[kind].layout.spec()
    for key in spec:
        with pytest.raises(SignalError, match=r"^signal: "):
            layout_from_spec({name: value for name, value in spec.items() if name != key})
    for key in spec["grid"]:
        grid = {name: value for name, value in spec["grid"].items() if name != key}
        with pytest.raises(SignalError, match=r"^signal: "):
            layout_from_spec({**spec, "grid": grid})


def test_spec_with_a_key_of_another_type_is_refused() -> None:
    with pytest.raises(SignalError, match=r"^signal: "):
        layout_from_spec({**SIGNALS["image"].layout.spec(), 7: 7})


# -- Values.


def volume_of(values: np.ndarray) -> Volume:
    return Volume.from_array(values.reshape(1, 1, -1))


def check_inverse(values: np.ndarray, tolerance: float) -> None:
    """There and back, within `tolerance` of the range, and onto [-1, 1] as in the closed form."""
    volume = volume_of(values)
    layout = volume.layout
    normalised = layout.normalise(volume.data)
    assert normalised.dtype == torch.float32
    wide = volume.data.astype(np.float64)
    expected = 2 * (wide - layout.low) / (layout.high - layout.low) - 1
    np.testing.assert_allclose(normalised, expected, atol=1e-6)
    back = layout.denormalise(normalised)
    assert back.dtype == volume.data.dtype
    error = np.abs(back.astype(np.float64) - wide).max() / (layout.high - layout.low)
    assert error <= tolerance


@pytest.mark.parametrize("dtype", DTYPES)
def test_denormalise_is_the_inverse_of_normalise(dtype) -> None:
    kind, size = np.dtype(dtype).kind, np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    if kind == "f":
        values = rng.normal(0, 3, 1009).astype(dtype)
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        low, high = max(low, -(2**53)), min(high, 2**53)
        values = rng.integers(low, high, 1009, dtype, endpoint=True)
        values[:2] = low, high
    # Up to 16 bits it is exact; beyond that a float32 keeps 24 bits of the range.
    exact = kind in "iu" and size <= 2
    check_inverse(values, 0 if exact else 2**-24 if size > 2 else 2**-11)


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8", "f4", "f8"])
def test_a_small_range_far_from_zero_is_kept(dtype) -> None:
    # A range of 200 about ten million: moved in float32, it would have lost its last digits.
    values = (10_000_003 + np.arange(201)).astype(dtype)
    check_inverse(values, 0 if np.dtype(dtype).kind in "iu" else 1e-7)


def test_check_inverse_can_fail(monkeypatch) -> None:
    values = np.arange(201, dtype=np.int16)
    check_inverse(values, 0)
    kind = type(volume_of(values).layout)
    original = kind.denormalise
    monkeypatch.setattr(kind, "denormalise", lambda self, v: original(self, v) + np.int16(1))
    with pytest.raises(AssertionError):
        check_inverse(values, 0)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_pictures_use_the_whole_range_of_their_type(dtype) -> None:
    layout = Image.from_array(np.array([[3, 5]], dtype=dtype)).layout
    top = np.iinfo(dtype).max
    assert layout.normalise(np.array([0, top], dtype)).tolist() == [-1, 1]
    assert (layout.low, layout.high) == (0, top)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
def test_whole_numbers_are_rounded_and_clipped(dtype) -> None:
    layout = volume_of(np.array([3, 13], dtype)).layout
    values = torch.tensor([-1e9, -1.0, -0.89, -0.91, 0.0, 0.11, 1.0, 1e9])
    assert layout.denormalise(values).tolist() == [3, 3, 4, 3, 8, 9, 13, 13]


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_stay_finite(dtype) -> None:
    top = 1e300 if dtype == "f8" else np.finfo(dtype).max
    layout = volume_of(np.array([-top, top], dtype)).layout
    written = layout.denormalise(torch.tensor([-1.5, 1.5]))
    assert np.isfinite(written).all()
    assert layout.normalise(np.array([-top, 0, top], dtype)).tolist() == [-1, 0, 1]


@pytest.mark.parametrize("values", [[2**53 + 2, 0], [-(2**53) - 2, 0], [2**63 - 1, -(2**63)]])
def test_whole_numbers_past_53_bits_are_refused(values) -> None:
    with pytest.raises(SignalError, match="between"):
        volume_of(np.array(values, np.int64))


def test_floats_near_overflow_are_refused() -> None:
    with pytest.raises(SignalError, match="between"):
        volume_of(np.array([-1.7e308, 1.7e308]))


# -- Rendering.


class Waves(torch.nn.Module):
    """A field in closed form, to be evaluated at once or in any parts."""

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.in_dim, self.out_dim = in_dim, out_dim
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.sizes.append(len(x))
        weights = torch.arange(1.0, 1 + self.in_dim * self.out_dim)
        return torch.sin(x @ weights.reshape(self.in_dim, self.out_dim))


def closed_form(layout) -> np.ndarray:
    axes = [
        first + spacing * np.arange(n)
        for first, spacing, n in zip(
            layout.grid.first, layout.grid.spacing, layout.shape, strict=True
        )
    ]
    coords = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    weights = np.arange(1.0, 1 + layout.in_dim * layout.channels)
    return np.sin(coords @ weights.reshape(layout.in_dim, layout.channels))


@pytest.mark.parametrize("block", [1, 13, 8192])
@pytest.mark.parametrize("max_samples", [1, 60, 2**18])
def test_render_is_the_field_on_the_grid(kind, max_samples, block) -> None:
    layout = SIGNALS[kind].layout.resized(scale=0.7)
    field = Waves(layout.in_dim, layout.channels)
    slabs = list(render(field, layout, max_samples=max_samples, block=block))
    np.testing.assert_allclose(torch.cat(slabs), closed_form(layout), atol=2e-6)
    row = layout.grid.num_samples // layout.shape[0]
    assert max(len(slab) for slab in slabs) * row <= max(row, max_samples)
    assert max(field.sizes) <= block
    assert sum(field.sizes) == layout.grid.num_samples


def test_render_of_the_ends_of_a_grid() -> None:
    picture = Image.from_array(noise((11, 7, 3), "uint8"), grid=Grid.endpoints((11, 7)))
    values = torch.cat(list(render(Waves(2, 3), picture.layout)))
    corners = values[[0, 0, -1, -1], [0, -1, 0, -1]]
    expected = Waves(2, 3)(torch.tensor([[-1.0, -1], [-1, 1], [1, -1], [1, 1]]))
    torch.testing.assert_close(corners, expected)


# -- Saving.


def test_save_takes_a_tensor_or_its_parts(kind, tmp_path) -> None:
    signal = SIGNALS[kind]
    values = signal.layout.normalise(signal.data)
    suffix = SUFFIXES[kind]
    signal.save(values, tmp_path / f"whole{suffix}")
    signal.save(values.split(2), tmp_path / f"list{suffix}")
    signal.save((part for part in values.split(3)), str(tmp_path / f"generator{suffix}"))
    whole, listed, generated = (
        type(signal).load(tmp_path / f"{name}{suffix}").data
        for name in ("whole", "list", "generator")
    )
    np.testing.assert_array_equal(listed, whole)
    np.testing.assert_array_equal(generated, whole)
    if kind != "video":
        np.testing.assert_allclose(whole, signal.data, atol=2e-6)


def test_save_at_another_size(kind, tmp_path) -> None:
    signal = SIGNALS[kind]
    layout = signal.layout.resized(scale=2.0)
    values = torch.cat(list(render(Waves(layout.in_dim, layout.channels), layout)))
    path = tmp_path / f"a{SUFFIXES[kind]}"
    signal.save(values, path)
    again = type(signal).load(path)
    assert again.layout.shape == layout.shape
    if kind != "video":
        expected = layout.low + (closed_form(layout) + 1) / 2 * (layout.high - layout.low)
        # Pictures and volumes here are of whole numbers.
        np.testing.assert_allclose(again.data, expected, atol=1e-6 if kind == "audio" else 0.51)


def test_save_replaces_what_was_there(kind, tmp_path) -> None:
    signal = SIGNALS[kind]
    path = tmp_path / f"a{SUFFIXES[kind]}"
    path.write_bytes(b"older")
    signal.save(signal.slabs(), path)
    assert type(signal).load(path).layout.shape == signal.layout.shape
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_save_that_fails_midway_leaves_the_older_file(kind, tmp_path) -> None:
    signal = SIGNALS[kind]
    path = tmp_path / f"a{SUFFIXES[kind]}"
    path.write_bytes(b"older")

    def slabs():
        yield from list(signal.slabs(1))[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        signal.save(slabs(), path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [(path.name, b"older")]


def test_save_of_too_little_is_refused(kind, tmp_path) -> None:
    signal = SIGNALS[kind]
    path = tmp_path / f"a{SUFFIXES[kind]}"
    path.write_bytes(b"older")
    assert_refused(lambda: signal.save(list(signal.slabs(1))[:-1], path), path, "expected")
    assert_refused(lambda: signal.save([], path), path, "expected")


def test_data_of_another_shape_than_the_layout_is_refused(kind) -> None:
    signal = SIGNALS[kind]
    with pytest.raises(SignalError, match="expected data of shape"):
        type(signal)(signal.data[:-1], signal.layout)
