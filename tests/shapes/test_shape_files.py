"""Shapes from files and back: what is read is what was written, by us and by trimesh."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from neurafield import SignalError
from neurafield.shapes import Mesh, PointCloud, read_shape, write_mesh

from . import shape_files as make

SUFFIXES = ["ply", "obj", "stl", "off", "glb"]
FAR = (4e5 + 1 / 3, 5e6, 120.0)
"""As survey coordinates are, where 32 bits keep half a metre."""


def read(tmp_path: Path, name: str, data: bytes) -> Mesh | PointCloud:
    (tmp_path / name).write_bytes(data)
    return read_shape(tmp_path / name)


def volume(mesh: Mesh) -> float:
    a, b, c = mesh.corners.unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def written(vertices, faces) -> dict[str, bytes]:
    """One shape in every kind of file."""
    return {
        "a.obj": make.obj(vertices, faces),
        "ascii.ply": make.ply(vertices, faces),
        "little.ply": make.ply(vertices, faces, "binary_little_endian"),
        "big.ply": make.ply(vertices, faces, "binary_big_endian"),
        "a.off": make.off(vertices, faces),
        "a.stl": make.stl(vertices, faces),
        "ascii.stl": make.stl_ascii(vertices, faces),
        "a.glb": make.glb(vertices, faces),
        "UPPER.OBJ": make.obj(vertices, faces),
    }


@pytest.mark.parametrize("name", written(*make.box()))
def test_a_box_of_squares(tmp_path, name) -> None:
    mesh = read(tmp_path, name, written(*make.box((1, 2, 3), (3, 5, 10)))[name])
    assert isinstance(mesh, Mesh)
    assert mesh.faces.shape == (12, 3)
    assert mesh.vertices.shape == (8, 3)
    assert volume(mesh) == pytest.approx(2 * 3 * 7)


@pytest.mark.parametrize("name", written(*make.box()))
def test_triangles_and_squares_and_more_corners(tmp_path, name) -> None:
    # A prism: five corners below, five above, a triangle among its squares.
    turns = 2 * np.pi * np.arange(5) / 5
    ring = np.c_[np.cos(turns), np.sin(turns)]
    vertices = np.r_[np.c_[ring, np.zeros(5)], np.c_[ring, np.ones(5)]]
    sides = [[i, (i + 1) % 5, 5 + (i + 1) % 5, 5 + i] for i in range(5)]
    faces = [[4, 3, 2, 1, 0], [5, 6, 7, 8, 9], *sides[1:], *make.split(sides[:1])]
    mesh = read(tmp_path, name, written(vertices, faces)[name])
    assert isinstance(mesh, Mesh)
    assert len(mesh.faces) == 3 + 3 + 10
    assert volume(mesh) == pytest.approx(2.5 * np.sin(2 * np.pi / 5), rel=1e-6)


def mesh_of(vertices, faces, normals=None) -> Mesh:
    as_tensor = lambda values: torch.as_tensor(np.asarray(values))  # noqa: E731
    return Mesh(as_tensor(vertices), as_tensor(faces), normals)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("directed", [False, True])
def test_what_is_written_is_read_again(tmp_path, suffix, directed) -> None:
    vertices, faces = make.sphere(rows=7)
    exact = suffix not in ("stl", "glb")
    places = vertices + np.array(FAR) if exact else vertices
    mesh = mesh_of(places, faces, torch.from_numpy(vertices) if directed else None)
    write_mesh(mesh, tmp_path / f"a.{suffix}")
    again = read_shape(tmp_path / f"a.{suffix}")
    assert isinstance(again, Mesh)
    assert len(again.vertices) == len(mesh.vertices)
    torch.testing.assert_close(again.corners, mesh.corners, rtol=0, atol=0 if exact else 1e-7)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("directed", [False, True])
def test_trimesh_reads_what_is_written(tmp_path, suffix, directed) -> None:
    vertices, faces = make.sphere(rows=7)
    normals = torch.from_numpy(np.roll(vertices, 1, axis=1)).contiguous() if directed else None
    mesh = mesh_of(vertices, faces, normals)
    write_mesh(mesh, tmp_path / f"a.{suffix}")
    scene = trimesh.load_scene(tmp_path / f"a.{suffix}", process=False, maintain_order=True)
    (found,) = scene.geometry.values()
    near = 1e-6 if suffix in ("stl", "glb") else 0
    np.testing.assert_allclose(found.triangles, mesh.corners.numpy(), atol=near)
    if directed and suffix in ("ply", "obj", "glb"):
        corner_normals = found.vertex_normals[found.faces]
        np.testing.assert_allclose(corner_normals, normals[mesh.faces].numpy(), atol=1e-6)
    if suffix == "stl":
        np.testing.assert_allclose(
            found.face_normals, mesh.face_vectors.numpy() / mesh.areas[:, None].numpy(), atol=1e-5
        )


@pytest.mark.parametrize("name", ["armadillo.obj", "spot.obj", "bunny_hr.obj", "mountain.obj"])
def test_real_meshes_as_trimesh_reads_them(name) -> None:
    path = make.shared_mesh(name)
    mesh = read_shape(path)
    assert isinstance(mesh, Mesh)
    # Without normals, for which trimesh takes vertices apart.
    lines = [line for line in path.read_text().splitlines() if line.startswith(("v ", "f "))]
    text = "\n".join(" ".join(w.split("/")[0] for w in line.split()) for line in lines)
    loaded = trimesh.load_mesh(
        io.BytesIO(text.encode()), file_type="obj", process=False, maintain_order=True
    )
    np.testing.assert_array_equal(mesh.corners.numpy(), loaded.triangles)


def test_writing_leaves_the_old_file_or_the_new(tmp_path, monkeypatch) -> None:
    path = tmp_path / "a.ply"
    write_mesh(mesh_of(*make.sphere(rows=5)), path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_mesh(mesh_of(*make.sphere(rows=6)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.xyz", "a", "a.gltf"])
def test_other_names_are_not_written(tmp_path, name) -> None:
    with pytest.raises(SignalError, match="expected one of"):
        write_mesh(mesh_of(*make.sphere(rows=5)), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_mesh_without_faces_is_not_written(tmp_path) -> None:
    empty = Mesh(torch.zeros(0, 3).double(), torch.zeros(0, 3).long())
    with pytest.raises(SignalError, match="Nothing is written"):
        write_mesh(empty, tmp_path / "a.ply")
    assert not list(tmp_path.iterdir())


# ---- OBJ


def test_obj_of_all_kinds_of_words(tmp_path) -> None:
    text = b"""# a comment
mtllib nowhere.mtl
o first
v 0 0 0 1
v 1 0 0 0.5 0.5 0.5   # with colours
v 0 1 0
v 0 0 1
vt 0 0
vn 0 0 1
usemtl red
f 1/1/1 3/1/1 2/1/1
f 1//1 2//1 \\
 4//1
g second
v 5 5 5
f -5 -2 -3
f 2 3 4
s off
"""
    mesh = read(tmp_path, "a.obj", text)
    assert isinstance(mesh, Mesh)
    # The fifth vertex is used by no face.
    assert mesh.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert mesh.faces.tolist() == [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]


def test_no_other_file_is_opened(tmp_path, monkeypatch) -> None:
    opened = []
    read_bytes = Path.read_bytes
    data = make.obj(*make.box(), begin="mtllib secret.mtl")
    (tmp_path / "secret.mtl").write_text("newmtl a\nmap_Kd secret.png\n")
    (tmp_path / "a.obj").write_bytes(data)

    def name_buffer(tree) -> None:
        tree["buffers"].insert(0, {"uri": "secret.mtl", "byteLength": 8})

    (tmp_path / "a.glb").write_bytes(make.glb(*make.box(), name_buffer))
    monkeypatch.setattr(Path, "read_bytes", lambda p: opened.append(p.name) or read_bytes(p))
    monkeypatch.setattr("trimesh.resolvers.FilePathResolver.get", opened.append)
    read_shape(tmp_path / "a.obj")
    with pytest.raises(SignalError, match=r"needs the file secret\.mtl"):
        read_shape(tmp_path / "a.glb")
    assert opened == ["a.obj", "a.glb"]


# ---- GLB


def test_glb_places_its_meshes_by_the_scene(tmp_path) -> None:
    def twice(tree) -> None:
        tree["nodes"] = [
            {"children": [1, 2]},
            {"mesh": 0, "translation": [10, 0, 0]},
            {"mesh": 0, "scale": [-2, 1, 1]},
        ]

    mesh = read(tmp_path, "a.glb", make.glb(*make.box(), twice))
    assert isinstance(mesh, Mesh)
    assert mesh.faces.shape == (24, 3)
    # The mirrored one is turned round, so that its outside stays outside.
    assert volume(mesh) == pytest.approx(1 + 2)
    assert mesh.vertices.amin(0).tolist() == [-2, 0, 0]
    assert mesh.vertices.amax(0).tolist() == [11, 1, 1]


# ---- points


def test_points_with_and_without_normals(tmp_path) -> None:
    points = make.sphere(rows=5)[0]
    for name, data in {
        "a.xyz": make.xyz(points),
        "a.ply": make.ply(points, []),
        "b.ply": make.ply(points, [], "binary_little_endian"),
        "a.obj": make.obj(points, []),
    }.items():
        cloud = read(tmp_path, name, data)
        assert isinstance(cloud, PointCloud)
        assert cloud.normals is None
        np.testing.assert_allclose(cloud.points.numpy(), points, atol=1e-7)
    directed = make.obj(points, []) + b"\n" + make.obj(3 * points, []).replace(b"v ", b"vn ")
    for name, data in {
        "a.xyz": make.xyz(points, 3 * points),
        "a.ply": make.ply(points, [], "binary_big_endian", 3 * points),
        "b.ply": make.ply(points, [], normals=3 * points),
        "a.obj": directed,
    }.items():
        cloud = read(tmp_path, name, data)
        assert isinstance(cloud, PointCloud)
        np.testing.assert_allclose(cloud.normals.numpy(), points, atol=1e-7)


@pytest.mark.parametrize("sign", [" ", ",", ", ", ";", "\t"])
def test_xyz_with_any_sign_between(tmp_path, sign) -> None:
    rows = [[1, 2, 3], [4, 5, 6], [7, 8, 10.5], [0, 0, 1e-3]]
    text = "X Y Z\n# four points\n\n" + "\n".join(sign.join(map(str, row)) for row in rows) + "\n"
    cloud = read(tmp_path, "a.xyz", text.encode())
    assert isinstance(cloud, PointCloud)
    assert cloud.points.tolist() == rows


def test_colours_from_0_to_1_are_no_normals(tmp_path) -> None:
    points, colours = np.random.default_rng(0).random((2, 50, 3))
    assert read(tmp_path, "a.xyz", make.xyz(points, colours)).normals is None
    # Into one octant, rounded as files are.
    normals = (colours / np.linalg.norm(colours, axis=1, keepdims=True)).round(2)
    cloud = read(tmp_path, "a.xyz", make.xyz(points, np.c_[colours, normals]))
    assert (cloud.normals * torch.from_numpy(normals)).sum(1).min() > 0.99
    assert read(tmp_path, "a.xyz", make.xyz(points, normals)).normals is not None
    # Of any length where one is negative.
    assert read(tmp_path, "a.xyz", make.xyz(points, colours - 0.5)).normals is not None


def test_colours_are_no_normals(tmp_path) -> None:
    points = make.sphere(rows=5)[0]
    colours = np.random.default_rng(0).integers(0, 256, points.shape)
    cloud = read(tmp_path, "a.xyz", make.xyz(points, colours))
    assert isinstance(cloud, PointCloud)
    assert cloud.normals is None
    cloud = read(tmp_path, "a.xyz", make.xyz(points, np.c_[colours, points]))
    assert isinstance(cloud, PointCloud)
    np.testing.assert_allclose(cloud.normals.numpy(), points)


# ---- what is dropped


def test_dropped_faces_and_vertices(tmp_path) -> None:
    vertices, faces = make.box()
    faces = make.split(faces)
    wanted = read(tmp_path, "wanted.obj", make.obj(vertices, faces))
    assert isinstance(wanted, Mesh)
    again = [[f[1], f[2], f[0]] for f in faces[:3]] + [f[::-1] for f in faces[3:5]]
    flat = [[0, 0, 1], [2, 2, 2], [8, 9, 10]]
    line = [[5, 5, 5], [6, 6, 6], [7, 7, 7], [np.nan, np.inf, 0]]
    data = make.obj(np.r_[vertices, line], [*faces[:4], *flat, *faces[4:], *again])
    mesh = read(tmp_path, "a.obj", data)
    assert isinstance(mesh, Mesh)
    assert mesh.vertices.tolist() == wanted.vertices.tolist()
    assert mesh.faces.tolist() == wanted.faces.tolist()
