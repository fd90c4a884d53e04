"""Files that hold no shape, or a broken one: a finite result or one sentence, fast, no crash."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from neurafield import SignalError
from neurafield.geometry import Frame
from neurafield.shapes import Mesh, MeshDistance, PointCloud, estimate_normals, read_shape

from . import shape_files as make

HERE = Path(__file__).parent
NAN = float("nan")
NUM_MUTANTS, NUM_QUICK = 2000, 96


def refused(tmp_path: Path, name: str, data: bytes) -> str:
    """What is said of a file, in one sentence that begins with its name, within a second."""
    path = tmp_path / name
    path.write_bytes(data)
    begun = time.thread_time()
    with pytest.raises(SignalError) as caught:
        read_shape(path)
    assert time.thread_time() - begun < 1
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def read(tmp_path: Path, name: str, data: bytes) -> Mesh:
    (tmp_path / name).write_bytes(data)
    mesh = read_shape(tmp_path / name)
    assert isinstance(mesh, Mesh)
    return mesh


MAKERS = {
    "a.obj": make.obj,
    "a.off": make.off,
    "ascii.ply": make.ply,
    "little.ply": partial(make.ply, form="binary_little_endian"),
    "big.ply": partial(make.ply, form="binary_big_endian"),
    "a.stl": make.stl,
    "ascii.stl": make.stl_ascii,
    "a.glb": make.glb,
}
NAMES = list(MAKERS)


# ---- nothing in it


@pytest.mark.parametrize("name", NAMES)
def test_empty_meshes(tmp_path, name) -> None:
    refused(tmp_path, name, MAKERS[name](np.empty((0, 3)), []))


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "off", "glb", "xyz"])
def test_files_of_nothing(tmp_path, suffix) -> None:
    assert "zero bytes" in refused(tmp_path, f"a.{suffix}", b"")
    for data in (b" ", b"\n\n", b"\0" * 200, b"hello", bytes(range(256)) * 4):
        refused(tmp_path, f"b.{suffix}", data)


def test_no_file_a_folder_another_kind(tmp_path) -> None:
    for path in (tmp_path / "none.obj", tmp_path):
        with pytest.raises(SignalError, match=r"no such file|folder"):
            read_shape(path)
    assert "expected one of" in refused(tmp_path, "a.fbx", b"x")


def test_without_trimesh_it_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "trimesh", None)
    assert "pip install 'neurafield[mesh]'" in refused(tmp_path, "a.stl", make.stl(*make.box()))
    assert read(tmp_path, "a.obj", make.obj(*make.box())).faces.shape == (12, 3)


# ---- numbers


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [NAN, float("inf"), -float("inf")])
def test_vertices_that_are_no_numbers(tmp_path, name, bad) -> None:
    vertices, faces = make.box()
    vertices[5, 1] = bad
    assert "finite coordinates" in refused(tmp_path, name, MAKERS[name](vertices, faces))


@pytest.mark.parametrize("suffix", ["obj", "off", "ply"])
def test_vertices_beyond_all_measure(tmp_path, suffix) -> None:
    vertices, faces = make.box()
    data = getattr(make, suffix)(vertices * 1e300, faces).replace(b"float", b"double")
    assert "finite coordinates" in refused(tmp_path, f"a.{suffix}", data)


@pytest.mark.parametrize("name", ["a.obj", "a.off", "ascii.ply", "little.ply", "big.ply", "a.glb"])
def test_faces_of_vertices_that_are_not_there(tmp_path, name) -> None:
    vertices, faces = make.box()
    data = MAKERS[name](vertices, [*faces, [0, 1, 8]])
    assert "names vertex 8, but there are 8" in refused(tmp_path, name, data)


@pytest.mark.parametrize("name", ["a.off", "ascii.ply", "little.ply", "big.ply"])
def test_faces_of_vertices_below_zero(tmp_path, name) -> None:
    vertices, faces = make.box()
    data = MAKERS[name](vertices, [*faces, [0, 1, -1]])
    assert "names vertex -1" in refused(tmp_path, name, data)


def test_obj_of_vertex_zero_and_too_far_back(tmp_path) -> None:
    data = make.obj(*make.box())
    assert "vertex 0" in refused(tmp_path, "a.obj", data + b"\nf 0 1 2")
    assert "names vertex -1" in refused(tmp_path, "a.obj", data + b"\nf -9 -1 -2")


# ---- shapes that are broken


def test_a_single_triangle(tmp_path) -> None:
    for name, maker in MAKERS.items():
        data = maker(np.eye(3), [[0, 1, 2]])
        assert read(tmp_path, name, data).areas.tolist() == pytest.approx([3**0.5 / 2], rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_zero_area_alone_is_refused(tmp_path, name) -> None:
    line = np.arange(4)[:, None] * np.ones(3)
    data = MAKERS[name](line, [[0, 1, 2], [1, 2, 3], [2, 2, 2]])
    assert "without any area" in refused(tmp_path, name, data)
    data = MAKERS[name](np.ones((3, 3)), [[0, 1, 2]])
    assert "without any area" in refused(tmp_path, name, data)


@pytest.mark.parametrize("name", NAMES)
def test_zero_area_and_repeated_faces_do_no_harm(tmp_path, name) -> None:
    vertices, faces = make.sphere(rows=5)
    repeated = [*faces, [0, 1, 1], [3, 3, 3], *faces[::2], *[face[::-1] for face in faces[::3]]]
    mesh = read(tmp_path, name, MAKERS[name](vertices, repeated))
    assert len(mesh.faces) == len(faces)
    x = torch.tensor([[0.0, 0, 0], [0, 0, 2], [0.1, 0.2, -0.3], [-0.9, 0.9, 0.9]]).double()
    once = read(tmp_path, name, MAKERS[name](vertices, faces))
    wanted = MeshDistance(once.vertices, once.faces).signed(x)
    torch.testing.assert_close(MeshDistance(mesh.vertices, mesh.faces).signed(x), wanted)
    assert (wanted < 0).tolist() == [True, False, True, False]


def test_a_mesh_that_is_not_manifold(tmp_path) -> None:
    # Two boxes that share an edge, and a fin on it.
    vertices, faces = make.box()
    other, more = make.box((1, 1, 0), (2, 2, 1))
    fin = [[6, 7, 16]]
    whole = np.r_[vertices, other, [[2, 1, 3]]]
    mesh = read(tmp_path, "a.obj", make.obj(whole, [*faces, *(np.array(more) + 8).tolist(), *fin]))
    assert len(mesh.faces) == 25
    x = torch.tensor([[0.5, 0.5, 0.5], [1.5, 1.5, 0.5], [0.5, 1.5, 0.5]]).double()
    signs = MeshDistance(mesh.vertices, mesh.faces).signed(x).sign()
    assert signs.tolist() == [-1, -1, 1]


def test_a_mesh_that_cuts_itself(tmp_path) -> None:
    vertices, faces = make.sphere(rows=9)
    both = np.r_[vertices, vertices + np.array([1, 0, 0])]
    mesh = read(
        tmp_path, "a.obj", make.obj(both, [*faces, *(np.array(faces) + len(vertices)).tolist()])
    )
    x = torch.tensor([[0.5, 0, 0], [-0.5, 0, 0], [1.5, 0, 0], [0.5, 1.2, 0]]).double()
    assert MeshDistance(mesh.vertices, mesh.faces).signed(x).sign().tolist() == [-1, -1, -1, 1]


# ---- points


@pytest.mark.parametrize("count", [1, 2, 3])
def test_clouds_of_few_points(tmp_path, count) -> None:
    points = np.eye(3)[:count]
    for name, data in {
        "a.xyz": make.xyz(points),
        "b.xyz": make.xyz(points, points),
        "a.ply": make.ply(points, []),
        "b.ply": make.ply(points, [], "binary_little_endian", points),
        "a.obj": make.obj(points, []),
        "a.off": make.off(points, []),
    }.items():
        assert f"got {count} points" in refused(tmp_path, name, data)
    with pytest.raises(ValueError, match="4 distinct points or more"):
        estimate_normals(PointCloud(torch.from_numpy(points)))


def test_points_that_are_all_equal(tmp_path) -> None:
    points = np.full((50, 3), 0.1)
    assert "got equal ones alone" in refused(tmp_path, "a.xyz", make.xyz(points))
    assert "got equal ones alone" in refused(tmp_path, "a.ply", make.ply(points, []))
    with pytest.raises(ValueError, match="1 among 50"):
        estimate_normals(PointCloud(torch.from_numpy(points)))
    with pytest.raises(ValueError, match="one position"):
        Frame.around(torch.from_numpy(points))


@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_points_that_are_no_numbers(tmp_path, bad) -> None:
    points = make.sphere(rows=5)[0]
    points[7, 2] = bad
    assert "1 vertices with NaN" in refused(tmp_path, "a.xyz", make.xyz(points))
    assert "1 vertices with NaN" in refused(tmp_path, "a.ply", make.ply(points, []))


@pytest.mark.parametrize("bad", [[0, 0, 0], [NAN, 0, 1], [np.inf, 0, 0]])
@pytest.mark.parametrize("suffix", ["xyz", "ply"])
def test_normals_of_length_zero(tmp_path, suffix, bad) -> None:
    points = make.sphere(rows=12)[0]
    normals = 5 * points
    normals[[3, 50, 51]] = bad
    data = make.xyz(points, normals) if suffix == "xyz" else make.ply(points, [], normals=normals)
    (tmp_path / f"a.{suffix}").write_bytes(data)
    cloud = read_shape(tmp_path / f"a.{suffix}")
    assert isinstance(cloud, PointCloud)
    assert ((cloud.normals * torch.from_numpy(points)).sum(1) > 0.9).all()
    assert (cloud.normals.norm(dim=1) - 1).abs().max() < 1e-12


def test_normals_that_are_all_zero_are_none(tmp_path) -> None:
    points = make.sphere(rows=5)[0]
    (tmp_path / "a.xyz").write_bytes(make.xyz(points, 0 * points))
    assert read_shape(tmp_path / "a.xyz").normals is None


# ---- claims: files that declare more than they hold


def claims() -> dict[str, bytes]:
    vertices, faces = make.box()
    much = 2**31

    def accessor(tree) -> None:
        tree["accessors"][1]["count"] = 3 * much

    def no_view(tree) -> None:
        tree["accessors"].append({"componentType": 5126, "count": much, "type": "MAT4"})

    def often(tree) -> None:
        tree["nodes"] = [{"children": list(range(1, 9))}]
        tree["accessors"] += tree["accessors"] * 500_000

    return {
        "ascii.ply": make.ply(vertices, faces, num_faces=much),
        "little.ply": make.ply(vertices, faces, "binary_little_endian", num_faces=much),
        "big.ply": make.ply(vertices, faces, "binary_big_endian", num_faces=much),
        "vertices.ply": make.ply(vertices, faces).replace(b"vertex 8", b"vertex %d" % much),
        "list.ply": make.ply(vertices, faces, "binary_little_endian")
        .replace(b"list uchar", b"list uint32")
        .replace(b"uint32 int", b"uint32 uchar"),
        "a.stl": make.stl(vertices, faces, num_faces=much),
        "a.off": make.off(vertices, faces).replace(b"8 6 0", b"8 %d 0" % much),
        "vertices.off": make.off(vertices, faces).replace(b"8 6 0", b"%d 6 0" % much),
        "a.glb": make.glb(vertices, faces, accessor),
        "view.glb": make.glb(vertices, faces, no_view),
    }


MEASURE = """
import resource, sys, time
from pathlib import Path
from neurafield import SignalError
from neurafield.shapes import read_shape
whole, *paths = map(Path, sys.argv[1:])
read_shape(whole)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in paths:
    begun = time.thread_time()
    try:
        read_shape(path)
        print(path.name, "was read")
    except SignalError as error:
        if time.thread_time() - begun > 1:
            print(path.name, "took long")
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print("done" if grown < 50_000 else f"took {grown} KB")
"""


def test_2_to_the_31_faces_are_refused_without_the_memory(tmp_path) -> None:
    whole = tmp_path / "whole.glb"
    whole.write_bytes(make.glb(*make.box()))
    for name, data in claims().items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, str(whole), *(str(tmp_path / n) for n in claims())]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert outcome.stdout.split("\n")[:-1] == ["done"], outcome


@pytest.mark.parametrize("name", claims())
def test_claims_name_the_file(tmp_path, name) -> None:
    refused(tmp_path, name, claims()[name])


def test_glb_whose_nodes_repeat_or_go_in_circles(tmp_path) -> None:
    def circle(tree) -> None:
        tree["nodes"] = [{"mesh": 0, "children": [1]}, {"mesh": 0, "children": [0, 1]}]

    def many(tree) -> None:
        tree["nodes"] = [{"mesh": 0, "children": list(range(1, 300))}]
        tree["nodes"] += [{"mesh": 0} for _ in range(299)]

    refused(tmp_path, "a.glb", make.glb(*make.box(), circle))
    assert len(read(tmp_path, "b.glb", make.glb(*make.box(), many)).faces) == 12 * 300


def test_packed_glb_is_refused(tmp_path) -> None:
    def draco(tree) -> None:
        tree["extensionsRequired"] = ["KHR_draco_mesh_compression"]

    def sparse(tree) -> None:
        tree["accessors"][0]["sparse"] = {"count": 1}

    assert "draco" in refused(tmp_path, "a.glb", make.glb(*make.box(), draco))
    assert "sparse" in refused(tmp_path, "a.glb", make.glb(*make.box(), sparse))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "a.obj"])
def test_files_that_end_too_early(tmp_path, name) -> None:
    data = MAKERS[name](*make.sphere(rows=5))
    for part in (0.2, 0.5, 0.9, 0.97):
        refused(tmp_path, name, data[: int(part * len(data))])


def test_strips_are_refused(tmp_path) -> None:
    data = make.ply(*make.box()).replace(b"element face 6", b"element tristrips 6")
    assert "strips" in refused(tmp_path, "a.ply", data)


# ---- damaged files, in a child


def mutants(folder: Path, reader: str, first: int, last: int) -> list[str]:
    """What went wrong with damaged files: nothing, if all is well."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "mutants.py", reader, str(first), str(last), str(folder)]
    outcome = subprocess.run(
        command,
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=560,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    lines = outcome.stdout.splitlines()
    wrong = [line for line in lines if "BAD" in line]
    if outcome.returncode:
        wrong.append(f"ended by {outcome.returncode} at {lines[-1] if lines else 'the begin'}")
    damaged = [line for line in lines if line[0].isdigit()]
    if not outcome.returncode and len(damaged) != last - first:
        wrong.append(f"{len(damaged)} of {last - first} files")
    # Many must fail and some must pass, or nothing is learnt of either.
    kinds = [line.split()[-1] for line in damaged]
    if not wrong and not ("refused" in kinds and {"mesh", "points"} & set(kinds)):
        wrong.append("all alike")
    return wrong


def test_some_damaged_files(tmp_path) -> None:
    assert mutants(tmp_path / "m", "neurafield.shapes:read_shape", 0, NUM_QUICK) == []


@pytest.mark.slow
def test_two_thousand_damaged_files(tmp_path) -> None:
    assert mutants(tmp_path / "m", "neurafield.shapes:read_shape", 1000, 1000 + NUM_MUTANTS) == []


def test_the_child_notices_what_goes_wrong(tmp_path) -> None:
    wrong = mutants(tmp_path / "m", "broken_readers:faulty", 0, 6)
    said = ["MemoryError", "KeyError", "empty or infinite mesh", "BAD: says", "ended by -6 at 5-"]
    assert len(wrong) == len(said)
    assert all(word in line for word, line in zip(said, wrong, strict=True)), wrong


@pytest.mark.slow
def test_the_child_notices_what_does_not_end(tmp_path) -> None:
    (wrong,) = mutants(tmp_path / "m", "broken_readers:endless", 0, 2)
    assert "ended by -14 at 1-" in wrong
