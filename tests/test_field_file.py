"""Field files: round trips, damaged and hostile files; no code from a file is run."""

import hashlib
import json
import pickle
import random
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

from neurafield import Field, FieldFileError, activations, load, save
from neurafield.container import read_sealed, write_sealed
from neurafield.encodings import (
    AbstractEncoding,
    Composite,
    HashGrid,
    Identity,
    MeshFeatures,
    Octree,
    PointFeatures,
    Positional,
    SparseGrid,
    triangulated_box,
)
from neurafield.fields.overlap import Mean
from neurafield.fields.placed import Placed
from neurafield.fields.scene import Scene
from neurafield.networks import MLP, Siren

from .cases import FIELD_CASES, Case
from .shapecheck import WrongType


def small_field(seed: int = 0) -> Field:
    g = torch.Generator().manual_seed(seed)
    return Field(Siren(2, 1, width=5, depth=1, generator=g))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "small.field"
    save(path, small_field(), signal={"kind": "image"}, fit={"psnr": 31.5})
    return path


# ---- round trip


@pytest.mark.parametrize("case", FIELD_CASES, ids=str)
def test_round_trip_is_bit_exact(case: Case, tmp_path: Path) -> None:
    field = case.build()
    save(tmp_path / "x.field", field, signal={"kind": "test"}, fit={"steps": 3})
    file = load(tmp_path / "x.field")
    x = case.coords(7)
    assert torch.equal(file.field(x), field(x))
    assert (file.signal, file.fit) == ({"kind": "test"}, {"steps": 3})
    assert all(p.requires_grad for p in file.field.parameters())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_are_restored(dtype: torch.dtype, tmp_path: Path) -> None:
    field = small_field().to(dtype)
    save(tmp_path / "x.field", field)
    again = load(tmp_path / "x.field").field
    for a, b in zip(again.parameters(), field.parameters(), strict=True):
        assert a.dtype == dtype
        assert torch.equal(a, b)


class Mine(Siren):
    """A component from outside the library."""


def test_custom_components_must_be_passed_to_load(tmp_path: Path) -> None:
    field = Field(
        Mine(8, 1, width=3, depth=1),
        encoding=Composite([Positional(1, 2), Composite([Doubled(), Identity(2)])]),
    )
    save(tmp_path / "x.field", field)
    own = load(tmp_path / "x.field", components=[Mine, Doubled])
    assert (type(own.field.network), own.field.num_parameters) == (Mine, 31)
    x = torch.rand(5, 4)
    assert torch.equal(own.field(x), field(x))
    for known in ([], [Mine], [Doubled]):
        with pytest.raises(FieldFileError, match=r"'(Mine|Doubled)'.*in Python.*components="):
            load(tmp_path / "x.field", components=known)


class Doubled(AbstractEncoding):
    in_dim = out_dim = 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    def hyperparams(self) -> dict[str, object]:
        return {}


def test_custom_activations_must_be_passed_to_load(tmp_path: Path) -> None:
    class Cube(activations.AbstractActivation):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x**3

        def derivatives(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return x**3, 3 * x**2, 6 * x

        def hyperparams(self) -> dict[str, object]:
            return {}

    field = Field(MLP(2, 1, width=3, depth=1, activation=Cube()))
    save(tmp_path / "x.field", field)
    again = load(tmp_path / "x.field", components=[Cube]).field
    assert torch.equal(again(torch.ones(2)), field(torch.ones(2)))
    with pytest.raises(FieldFileError, match=r"activations: expected one of.*'Cube'"):
        load(tmp_path / "x.field", components=[Mine])


@pytest.mark.parametrize(
    ("network", "encoding", "message"),
    [
        (torch.nn.Linear(2, 3), None, r"network .*AbstractNetwork, got a torch\.nn.*Linear\.$"),
        (Siren, None, r"got the class neurafield\.networks\.siren\.Siren\.$"),
        (Mine(2, 1), torch.nn.Identity(), r"encoding .*neurafield\.encodings.*AbstractEncoding"),
    ],
)
def test_a_field_is_made_of_components(network: object, encoding: object, message: str) -> None:
    # With run-time checks of annotations, these refuse it first.
    with pytest.raises(TypeError, match=f"{message}|^Type-check error"):
        Field(network, encoding=encoding)


def test_custom_classes_need_names_of_their_own(tmp_path: Path) -> None:
    other = type("Siren", (Siren,), {})
    with pytest.raises(FieldFileError, match="name that is not taken, got another Siren"):
        save(tmp_path / "x.field", Field(other(2, 1, width=3, depth=1)))
    assert list(tmp_path.iterdir()) == []
    save(tmp_path / "x.field", small_field())
    for components in ([other], [Mine, type("Mine", (Siren,), {})]):
        with pytest.raises(ValueError, match="name that is not taken"):
            load(tmp_path / "x.field", components=components)
    for what in (torch.nn.Linear, AbstractEncoding):
        with pytest.raises(TypeError, match="concrete classes of fields"):
            load(tmp_path / "x.field", components=[what])
    # Components are known during one call of `load` only.
    load(tmp_path / "x.field", components=[Mine])
    save(tmp_path / "x.field", Field(Mine(2, 1, width=3, depth=1)))
    with pytest.raises(FieldFileError, match="got 'Mine'"):
        load(tmp_path / "x.field")


def test_a_field_that_would_not_build_again_is_not_saved(tmp_path: Path) -> None:
    class Forgetful(Doubled):
        def hyperparams(self) -> dict[str, object]:
            return self.said

    field = Field(Siren(1, 1, width=3, depth=1), encoding=Forgetful())
    for said, message in (
        ({"in_dim": 1}, "unexpected keyword argument|takes no arguments"),
        ({"a": torch.ones(2)}, "not JSON serializable"),
        ({"a": float("nan")}, "Out of range float"),
    ):
        field.encoding.said = said
        with pytest.raises(FieldFileError, match=message):
            save(tmp_path / "x.field", field)
    torch.nn.utils.parametrizations.weight_norm(field.network.layers[0])
    field.encoding.said = {}
    with pytest.raises(FieldFileError, match="do not fit the architecture"):
        save(tmp_path / "x.field", field)
    assert list(tmp_path.iterdir()) == []


def nested_composites(levels: int) -> AbstractEncoding:
    encoding: AbstractEncoding = Identity(1)
    for _ in range(levels):
        encoding = Composite([encoding])
    return encoding


def test_composites_nest_at_most_eight_deep(tmp_path: Path) -> None:
    path = tmp_path / "x.field"
    network = Siren(1, 1, width=3, depth=1)
    field = Field(network, encoding=nested_composites(7))
    save(path, field)
    assert torch.equal(load(path).field(torch.ones(1)), field(torch.ones(1)))
    with pytest.raises(FieldFileError, match="at most 32 levels"):
        save(path, Field(network, encoding=nested_composites(12)))


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        save(
            tmp_path / name,
            small_field(),
            fit={"b": 1, "a": 2} if name == "a" else {"a": 2, "b": 1},
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_other_programs_can_read_the_tensors(saved: Path) -> None:
    tensors = safetensors.torch.load_file(saved)
    assert torch.equal(
        tensors["field.network.layers.0.weight"], small_field().network.layers[0].weight
    )


def test_the_seal_is_as_documented(saved: Path) -> None:
    data = saved.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["neurafield"])
    digest = header["sha256"]
    assert hashlib.sha256(data.replace(digest.encode(), b"0" * 64)).hexdigest() == digest


def test_a_hash_in_the_content_does_not_disturb_the_seal(tmp_path: Path) -> None:
    path = tmp_path / "x.field"
    save(path, small_field(), fit={"input_sha256": "0" * 64, "a": f'"sha256": "{"0" * 64}"'})
    assert load(path).fit["input_sha256"] == "0" * 64


# ---- damage


def check_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(FieldFileError, match=path.name):
        load(path)


def test_truncated_at_any_length_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(len(data)):
        check_refused(saved, data[:length])


def test_a_longer_file_is_refused(saved: Path) -> None:
    check_refused(saved, saved.read_bytes() + b"\0")


def test_any_flipped_bit_is_refused(saved: Path) -> None:
    data = saved.read_bytes()
    bits = random.Random(0).sample(range(8 * len(data)), 1000)
    for bit in bits:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        check_refused(saved, bytes(damaged))


def test_check_refused_can_fail(saved: Path) -> None:
    with pytest.raises(pytest.fail.Exception):
        check_refused(saved, saved.read_bytes())


def test_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FieldFileError, match="No such file"):
        load(tmp_path / "nowhere.field")
    with pytest.raises(FieldFileError, match="directory"):
        load(tmp_path)


# ---- hostile files, most of them with a valid seal


class Bomb:
    """Writes a file if it is ever unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def raw_header(length: int, body: bytes = b"{}") -> bytes:
    return struct.pack("<Q", length) + body


def nested(depth: int) -> bytes:
    body = b'{"__metadata__":' + b"[" * depth + b"]" * depth + b"}"
    return raw_header(len(body), body)


COMPONENTS = ("network", "encoding")
HUGE = 2**1500
"""An integer beyond the range of floats."""

SIREN = {"in_dim": 2, "out_dim": 1, "width": 5, "depth": 1, "omega_0": 30.0, "omega": 30.0}


def sealed_with(**changes: object) -> dict[str, object]:
    header = {
        "format": 2,
        "kind": "field",
        "field": {
            "type": "Field",
            "hyperparams": {
                "encoding": None,
                "network": {"type": "Siren", "hyperparams": SIREN},
                **{name: value for name, value in changes.items() if name in COMPONENTS},
            },
        },
        "signal": None,
        "fit": {},
    }
    return {**header, **{k: v for k, v in changes.items() if k not in COMPONENTS}}


def network(kind: object = "Siren", **changes: object) -> dict[str, object]:
    return {"type": kind, "hyperparams": {**SIREN, **changes}}


def inside_itself(levels: int) -> dict[str, object]:
    """Nested descriptions of a given depth."""
    spec: dict[str, object] = network()
    for _ in range(levels):
        spec = network(width=spec)
    return spec


HOSTILE_HEADERS = {
    "unknown component": {"network": network("Evil")},
    "module path": {"network": network("os.system")},
    "file path": {"network": network("../../etc/passwd")},
    "dunder": {"network": network("__class__")},
    "an abstract class": {"network": network("AbstractNetwork")},
    "a component of another subpackage": {"network": {"type": "Positional", "hyperparams": {}}},
    "a list for a name": {"network": network(["Siren"])},
    "unknown argument": {"network": network(system="rm")},
    "huge width": {"network": network(width=10**12)},
    "largest width": {"network": network(width=2**16)},
    "endless depth": {"network": network(depth=10**9)},
    "deepest": {"network": network(depth=256)},
    "text for a number": {"network": network(width="5")},
    "true for a number": {"network": network(depth=True)},
    "infinite omega": {"network": network(omega=1e999)},
    "another width than the tensors": {"network": network(width=6)},
    "an encoding that does not fit": {
        "encoding": {"type": "Positional", "hyperparams": {"in_dim": 2, "num_octaves": 3}}
    },
    "no hyperparams": {"network": {"type": "Siren"}},
    "a component in a component": {"network": inside_itself(1)},
    "nested for ever": {"network": inside_itself(300)},
    "a number for a component": {"network": 7},
    "no network": {"network": None},
    "a list for the signal": {"signal": ["image"]},
    "text for the fit": {"fit": "psnr"},
    "a composite of a network": {
        "encoding": {
            "type": "Composite",
            "hyperparams": {"parts": [{"type": "Siren", "hyperparams": SIREN}], "axes": [[0, 1]]},
        }
    },
    "a composite of text": {
        "encoding": {"type": "Composite", "hyperparams": {"parts": "ab", "axes": "ab"}}
    },
    "a composite of a far axis": {
        "encoding": {
            "type": "Composite",
            "hyperparams": {
                "parts": [{"type": "Identity", "hyperparams": {"in_dim": 1}}],
                "axes": [[10**9]],
            },
        }
    },
    "a number that no float holds": {"network": network(omega=HUGE)},
    "a list for a field of a scene": {"field": {"type": "Scene", "hyperparams": {}, "parts": [[]]}},
    "a newer format": {"format": 3},
    "an older format": {"format": 1},
    "an older kind": {"kind": "scene"},
    "text for a field": {"field": "Field"},
    "an unknown field": {"field": {"type": "Evil", "hyperparams": {}}},
    "an abstract field": {"field": {"type": "AbstractField", "hyperparams": {}}},
    "a field that cannot be saved": {"field": {"type": "ModuleField", "hyperparams": {}}},
    "parts of a field that has none": {
        "field": {
            "type": "Field",
            "hyperparams": {"network": {"type": "Siren", "hyperparams": SIREN}},
            "parts": [{"type": "Sphere", "hyperparams": {"radius": 1.0}}],
        }
    },
    "a number for parts": {"field": {"type": "Union", "hyperparams": {}, "parts": 3}},
    "a function for a boundary": {
        "field": {
            "type": "HardBoundary",
            "hyperparams": {"factor": {"function": "print"}, "values": 0.0},
            "parts": [{"type": "Sphere", "hyperparams": {"radius": 1.0}}],
        }
    },
    "a domain that is none": {
        "field": {
            "type": "HardBoundary",
            "hyperparams": {"factor": {"domain": {"type": "os", "hyperparams": {}}}},
            "parts": [{"type": "Sphere", "hyperparams": {"radius": 1.0}}],
        }
    },
    "a checkpoint": {"kind": "checkpoint"},
}


def prefixed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"field.{name}": tensor for name, tensor in tensors.items()}


def write_hostile(
    path: Path, header: dict[str, object], tensors: dict[str, torch.Tensor] | None = None
) -> None:
    """Writes a file with a valid seal and any header."""
    text = json.dumps({**header, "sha256": "0" * 64}, sort_keys=True)
    tensors = prefixed(small_field().state_dict()) if tensors is None else tensors
    tensors = {k: v.contiguous() for k, v in tensors.items()}
    data = safetensors.torch.save(tensors, metadata={"neurafield": text})
    digest = hashlib.sha256(data).hexdigest()
    path.write_bytes(data.replace(b"0" * 64, digest.encode(), 1))


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_hostile_header_with_a_valid_seal_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.field"
    write_hostile(path, sealed_with(**HOSTILE_HEADERS[name]))
    with pytest.raises(FieldFileError, match=r"hostile\.field"):
        load(path)


def test_write_hostile_without_malice_is_accepted(tmp_path: Path) -> None:
    write_hostile(tmp_path / "x.field", sealed_with())
    assert load(tmp_path / "x.field").field.num_parameters == 21


def read_again(
    path: Path, field: torch.nn.Module, *, place: dict[str, object] | None = None, **tensors
):
    """Loads a saved field after some of its tensors, or the pose of a part, were changed."""
    save(path, field)
    _, header = read_sealed(path)
    if place:
        header["field"]["hyperparams"]["places"][0].update(place)
    write_hostile(path, header, prefixed({**field.state_dict(), **tensors}))
    return load(path).field


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"field": -1}, "field between 0 and 0"),
        ({"field": 1}, "field between 0 and 0"),
        ({"field": False}, "field to be a Python int"),
        ({"scale": HUGE}, "too large"),
        ({"translation": [0, HUGE]}, "too large"),
    ],
)
def test_an_invalid_pose_is_refused(place: dict[str, object], message: str, tmp_path: Path) -> None:
    scene = Scene([Placed(small_field(), (0.0, 0.0))], Mean())
    path = tmp_path / "hostile.field"
    read_again(path, scene, place={"field": 0})
    with pytest.raises(FieldFileError, match=rf"hostile\.field: .*{message}"):
        read_again(path, scene, place=place)


def sparse_field() -> Field:
    tree = Octree.from_points(torch.zeros(1, 2), base_resolution=2, num_levels=2)
    grid = SparseGrid.from_octree(tree, features=2)
    return Field(Siren(2, 1, width=3, depth=1), encoding=grid)


def mesh_field() -> Field:
    encoding = MeshFeatures.from_mesh(*triangulated_box(2), features=2)
    return Field(Siren(2, 1, width=3, depth=1), encoding=encoding)


TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
OTHER_TYPES = (torch.int64, torch.complex64, torch.float8_e4m3fn)


@pytest.mark.parametrize("dtype", [*TYPES, *OTHER_TYPES], ids=str)
def test_parameters_are_floating_in_any_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    path, name = tmp_path / "x.field", "network.layers.0.weight"
    field = small_field()
    tensor = field.state_dict()[name].to(dtype)
    if dtype in TYPES:
        whole = {key: value.to(dtype) for key, value in field.state_dict().items()}
        assert read_again(path, field, **whole).state_dict()[name].dtype == dtype
    else:
        with pytest.raises(FieldFileError, match=rf"x\.field.*{name}"):
            read_again(path, field, **{name: tensor})


def test_a_field_has_one_floating_point_type(tmp_path: Path) -> None:
    path, field = tmp_path / "x.field", small_field()
    name = "network.layers.0.weight"
    for dtype in (torch.float16, torch.float64):
        with pytest.raises(FieldFileError, match=r"x\.field: expected one floating-point type"):
            read_again(path, field, **{name: field.state_dict()[name].to(dtype)})
    field.network.layers[0].double()
    with pytest.raises(FieldFileError, match=r"got torch\.float32, torch\.float64"):
        save(tmp_path / "mixed.field", field)
    assert not (tmp_path / "mixed.field").exists()


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint64, torch.float32, torch.bool], ids=str)
def test_indices_are_whole_numbers_of_64_bits(dtype: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "x.field"
    for field, name in ((sparse_field(), "keys"), (mesh_field(), "simplices")):
        indices = field.state_dict()[f"encoding.{name}"]
        read_again(path, field, **{f"encoding.{name}": indices.clone()})
        with pytest.raises(FieldFileError, match=rf"x\.field.*encoding\.{name}"):
            read_again(path, field, **{f"encoding.{name}": indices.to(dtype)})


def test_keys_of_a_sparse_grid_rise_within_their_levels(tmp_path: Path) -> None:
    field = sparse_field()
    keys, (coarse, _) = field.encoding.keys, field.encoding.num_vertices
    x = torch.rand(9, 2)
    assert torch.equal(read_again(tmp_path / "x.field", field)(x), field(x))
    for at, value in ((0, -1), (coarse - 1, 9), (1, int(keys[0])), (coarse, 8), (-1, 9 + 25)):
        bad = keys.clone()
        bad[at] = value
        with pytest.raises(FieldFileError, match=r"x\.field: SparseGrid: expected ascending keys"):
            read_again(tmp_path / "x.field", field, **{"encoding.keys": bad})


def test_simplices_refer_to_vertices_of_their_mesh(tmp_path: Path) -> None:
    field = mesh_field()
    x = torch.rand(9, 2)
    assert torch.equal(read_again(tmp_path / "x.field", field)(x), field(x))
    for value in (-1, 9, 2**62):
        bad = field.encoding.simplices.clone()
        bad[3, 1] = value
        with pytest.raises(FieldFileError, match=r"x\.field: MeshFeatures: .*vertices 0 to 8"):
            read_again(tmp_path / "x.field", field, **{"encoding.simplices": bad})


def test_positions_of_points_and_vertices_are_finite(tmp_path: Path) -> None:
    points = Field(
        Siren(2, 1, width=3, depth=1), encoding=PointFeatures(2, num_points=9, features=2)
    )
    for field, name in ((points, "points"), (mesh_field(), "vertices")):
        bad = field.state_dict()[f"encoding.{name}"].clone()
        bad[0, 0] = torch.inf
        with pytest.raises(FieldFileError, match="NaN or infinity"):
            read_again(tmp_path / "x.field", field, **{f"encoding.{name}": bad})


# ---- unknowns


def test_unknowns_may_share_memory(tmp_path: Path) -> None:
    field, path = small_field(), tmp_path / "x.field"
    weight = field.network.layers[0].weight
    one = torch.arange(6.0)
    unknowns = {"a": weight, "b": one, "c": one, "d": one[1:3], "e": one[::2], "f": one[0]}
    save(path, field, unknowns=unknowns)
    found = load(path).unknowns
    assert found.keys() == unknowns.keys()
    assert all(torch.equal(found[name], value) for name, value in unknowns.items())


@pytest.mark.parametrize(
    ("unknowns", "message"),
    [
        ({"": torch.ones(1)}, "not empty, got ''"),
        ({3: torch.ones(1)}, "not empty, got 3"),
        ({"a": 1.0}, "unknown 'a', got float"),
        ({"a": None}, "unknown 'a', got NoneType"),
        ({"a": torch.ones(2).to_sparse()}, "dense tensor"),
        ({"a": torch.ones(2, device="meta")}, "dense tensor"),
        ({"a": torch.tensor(torch.nan)}, "NaN"),
        ({"a": torch.ones(1, dtype=torch.complex64)}, "complex64"),
        ({"\ud800": torch.ones(1)}, "cannot be written"),
        ([torch.ones(1)], "by name, got list"),
    ],
)
def test_bad_unknowns_are_one_error(unknowns: object, message: str, tmp_path: Path) -> None:
    # With run-time checks of annotations, these refuse wrong types first.
    with pytest.raises(
        (FieldFileError, WrongType), match=rf"x\.field: .*{message}|^Type-check error"
    ):
        save(tmp_path / "x.field", small_field(), unknowns=unknowns)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_without_a_name_is_refused_when_read(tmp_path: Path) -> None:
    tensors = {**prefixed(small_field().state_dict()), "unknowns.": torch.ones(1)}
    write_hostile(tmp_path / "x.field", sealed_with(), tensors)
    with pytest.raises(FieldFileError, match=r"got 'unknowns\.'"):
        load(tmp_path / "x.field")


# ---- sizes and text of hostile files


@pytest.mark.parametrize("name", ["Transformed", "Scene"])
def test_a_pose_in_many_dimensions_takes_no_memory(name: str, tmp_path: Path) -> None:
    dim = 40_000  # A matrix of this size has 12.8 GB.
    pose = {"translation": [0.0] * dim, "rotation": None, "scale": 1.0}
    part = {
        "type": "Field",
        "hyperparams": {"network": network(in_dim=dim), "encoding": None},
    }
    hyperparams = pose
    if name == "Scene":
        mean = {"type": "Mean", "hyperparams": {}}
        hyperparams = {"places": [{"field": 0, **pose}], "overlap": mean}
    spec = {"type": name, "hyperparams": hyperparams, "parts": [part]}
    write_hostile(tmp_path / "x.field", sealed_with(field=spec))
    with pytest.raises(FieldFileError, match="in_dim between 1 and 64, got 40000"):
        load(tmp_path / "x.field")


def test_running_out_of_memory_is_one_error(tmp_path: Path) -> None:
    class Greedy(Doubled):
        def __init__(self) -> None:
            super().__init__()
            raise MemoryError

    spec = {"type": "Greedy", "hyperparams": {}}
    write_hostile(tmp_path / "x.field", sealed_with(encoding=spec))
    with pytest.raises(FieldFileError, match=r"x\.field: MemoryError"):
        load(tmp_path / "x.field", components=[Greedy])


def test_a_file_cannot_name_a_field_of_any_module(tmp_path: Path) -> None:
    spec = {"type": "ModuleField", "hyperparams": {}}
    write_hostile(tmp_path / "x.field", sealed_with(field=spec))
    with pytest.raises(FieldFileError, match=r"expected one of .*, got 'ModuleField'"):
        load(tmp_path / "x.field")


def test_a_file_describes_a_limited_number_of_parts(tmp_path: Path) -> None:
    ball = {"type": "Sphere", "hyperparams": {"radius": 0.5}}
    for count, message in ((9_999, "do not fit"), (10_000, "at most 10,000 parts, got 10,001")):
        spec = {"type": "Union", "hyperparams": {}, "parts": [ball] * count}
        write_hostile(tmp_path / "x.field", sealed_with(field=spec))
        with pytest.raises(FieldFileError, match=message):
            load(tmp_path / "x.field")


LONG = "\x1b[31m" + "a" * 5000


@pytest.mark.parametrize(
    ("header", "tensors"),
    [
        ({"network": network(LONG)}, None),
        ({"network": network(**{LONG: 1})}, None),
        ({"network": network(width=LONG)}, None),
        ({"field": {"type": LONG, "hyperparams": {}}}, None),
        ({"kind": LONG}, None),
        ({"format": LONG}, None),
        ({}, {LONG: torch.ones(1)}),
        ({}, {"field." + LONG: torch.ones(1)}),
        ({}, {"field." + LONG: torch.tensor(torch.inf)}),
    ],
    ids=str,
)
def test_messages_repeat_little_of_a_file(
    header: dict[str, object], tensors: dict[str, torch.Tensor] | None, tmp_path: Path
) -> None:
    write_hostile(tmp_path / "x.field", sealed_with(**header), tensors)
    with pytest.raises(FieldFileError, match=r"x\.field") as caught:
        load(tmp_path / "x.field")
    message = str(caught.value).removeprefix(str(tmp_path))
    assert message.isprintable()
    assert len(message) < 2500


# ---- the whole field, as its constructors make it


def test_a_field_cut_to_a_level_of_detail_is_not_saved(tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    grid = HashGrid(2, num_levels=3, finest_resolution=16, generator=g)
    field = Field(Siren(grid.out_dim, 1, width=3, depth=1, generator=g), encoding=grid)
    scene = Scene([Placed(field, (0.0, 0.0))], Mean())
    for whole in (field, scene):
        with pytest.raises(FieldFileError, match=r"at level of detail 1.*at_lod\(1\) once it is"):
            save(tmp_path / "x.field", whole.at_lod(1))
        assert list(tmp_path.iterdir()) == []
    save(tmp_path / "x.field", field.at_lod(2))
    x = torch.rand(5, 2)
    assert torch.equal(load(tmp_path / "x.field").field.at_lod(1)(x), field.at_lod(1)(x))


def test_a_field_with_a_buffer_that_is_not_saved_is_refused(tmp_path: Path) -> None:
    class Hidden(Doubled):
        persistent = True

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("factor", torch.ones(1), persistent=self.persistent)

    def make() -> Field:
        return Field(Siren(1, 1, width=3, depth=1), encoding=Hidden())

    save(tmp_path / "x.field", make())
    assert load(tmp_path / "x.field", components=[Hidden]).field.encoding.factor == 1
    Hidden.persistent = False
    with pytest.raises(FieldFileError, match=r"got encoding\.factor, which is not persistent"):
        save(tmp_path / "y.field", make())
    assert not (tmp_path / "y.field").exists()
    spec = {"type": "Hidden", "hyperparams": {}}
    description = sealed_with(network=network(in_dim=1), encoding=spec)
    tensors = Field(Siren(1, 1, width=5, depth=1)).state_dict()
    write_hostile(tmp_path / "y.field", description, prefixed(tensors))
    with pytest.raises(FieldFileError, match=r"none for encoding\.factor.*not persistent"):
        load(tmp_path / "y.field", components=[Hidden])


def test_a_constructor_that_reads_values_gets_a_hint(tmp_path: Path) -> None:
    class Reading(Doubled):
        def __init__(self) -> None:
            super().__init__()
            self.factor = torch.ones(1).item()

    field = Field(Siren(1, 1, width=3, depth=1), encoding=Reading())
    with pytest.raises(FieldFileError, match=r"x\.field: .*on the meta device.*math or numpy"):
        save(tmp_path / "x.field", field)


@pytest.mark.parametrize("activation", [torch.nn.ReLU(), activations.Sine(a=2.0)], ids=str)
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("network", [Siren, MLP])
def test_a_field_with_a_replaced_activation_is_not_saved(
    network: type, index: int, activation: torch.nn.Module, tmp_path: Path
) -> None:
    field = Field(network(2, 1, width=3, depth=2))
    field.network.activations[index] = activation
    repr(field)
    with pytest.raises(FieldFileError, match=rf"network\.activations\.{index}"):
        save(tmp_path / "x.field", field)
    assert list(tmp_path.iterdir()) == []


def test_nesting_is_checked_before_any_recursion(tmp_path: Path) -> None:
    for levels, message in ((10, "width"), (300, "at most 96 levels")):
        write_hostile(tmp_path / "x.field", sealed_with(network=inside_itself(levels)))
        with pytest.raises(FieldFileError, match=message):
            load(tmp_path / "x.field")


def test_hostile_bytes_are_refused_and_run_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    torch_file = tmp_path / "torch.pt"
    torch.save({"bomb": 1}, torch_file)
    hostile = [
        pickle.dumps(Bomb(trap)),
        torch_file.read_bytes(),
        raw_header(2**63),
        raw_header(2**64 - 1),
        raw_header(10**9),
        raw_header(0, b""),
        raw_header(2, b"[]"),
        raw_header(4, b"null"),
        nested(100_000),
        b"PK\x03\x04" + b"\0" * 100,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 100,
        b"",
        b"\0" * 8,
        b"\xff" * 64,
    ]
    for data in hostile:
        check_refused(tmp_path / "hostile.field", data)
    assert not trap.exists()
    pickle.loads(hostile[0])
    assert trap.exists(), "the trap itself must work"


def test_a_hostile_size_takes_no_memory(tmp_path: Path) -> None:
    # 65,536 x 65,536 weights are 17 GB; the shapes are compared before anything is allocated.
    path = tmp_path / "hostile.field"
    write_hostile(path, sealed_with(network=network(width=2**16, depth=200)))
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FieldFileError, match="do not fit"):
        load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_no_source_file_can_run_what_it_reads() -> None:
    source = Path(__file__).parents[1] / "src"
    forbidden = ("pickle", "torch.load(", "eval(", "exec(", "yaml", "marshal", "shelve")
    found = [
        (path.name, word)
        for path in source.rglob("*.py")
        for word in forbidden
        if word in path.read_text().replace("allow_pickle=False", "")
    ]
    assert found == []


# ---- NaN and partial files


def test_nan_never_reaches_a_file(saved: Path) -> None:
    before = saved.read_bytes()
    field = small_field()
    with torch.no_grad():
        field.network.layers[0].weight[0, 0] = float("nan")
    with pytest.raises(FieldFileError, match=r"network\.layers\.0\.weight"):
        save(saved, field)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_failed_write_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save(saved, small_field(1))
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_a_non_finite_tensor_in_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.field"
    with pytest.raises(FieldFileError, match="NaN or infinity"):
        write_sealed(path, {"a": torch.tensor([1.0, float("inf")])}, {})
    write_sealed(path, {"a": torch.ones(2)}, {"b": 1})
    assert read_sealed(path)[1] == {"b": 1}


def test_field_refuses_parts_that_do_not_fit() -> None:
    from neurafield.encodings import Positional

    with pytest.raises(ValueError, match=r"in_dim 18.*got 2"):
        Field(MLP(2, 1), encoding=Positional(2, 4))
