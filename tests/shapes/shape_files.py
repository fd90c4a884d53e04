"""Small shapes, and files of them that are written here byte by byte."""

import struct
from pathlib import Path

import numpy as np
import pytest

MESHES = Path(__file__).parents[3] / "shared" / "data" / "meshes"


def shared_mesh(name: str) -> Path:
    path = MESHES / name
    if not path.is_file():
        pytest.skip(f"{path} is not on this machine")
    return path


def box(low=(0.0, 0.0, 0.0), high=(1.0, 1.0, 1.0)) -> tuple[np.ndarray, list[list[int]]]:
    """Eight corners and six squares, counterclockwise from outside."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return np.array(low) + corners * (np.array(high) - np.array(low)), faces


def split(faces: list[list[int]]) -> list[list[int]]:
    """Squares as triangles."""
    return [[f[0], f[i], f[i + 1]] for f in faces for i in range(1, len(f) - 1)]


def sphere(radius: float = 1.0, rows: int = 12) -> tuple[np.ndarray, list[list[int]]]:
    """Vertices at exactly the radius, triangles that are closed, by latitude and longitude."""
    columns = 2 * rows
    latitude = np.pi * np.arange(1, rows) / rows
    longitude = 2 * np.pi * np.arange(columns) / columns
    ring = np.stack([np.cos(longitude), np.sin(longitude)], 1)
    rings = [np.c_[np.sin(t) * ring, np.full(columns, np.cos(t))] for t in latitude]
    vertices = np.concatenate([[[0, 0, 1]], *rings, [[0, 0, -1]]]) * radius
    at = lambda r, c: 1 + r * columns + c % columns  # noqa: E731
    last = len(vertices) - 1
    faces = []
    for c in range(columns):
        faces.append([0, at(0, c), at(0, c + 1)])
        faces.append([last, at(rows - 2, c + 1), at(rows - 2, c)])
        for r in range(rows - 2):
            faces.append([at(r, c), at(r + 1, c), at(r + 1, c + 1)])
            faces.append([at(r, c), at(r + 1, c + 1), at(r, c + 1)])
    return vertices, faces


def obj(vertices, faces, begin: str = "") -> bytes:
    lines = [begin, *(f"v {x} {y} {z}" for x, y, z in vertices)]
    lines += ["f " + " ".join(str(i + 1) for i in face) for face in faces]
    return "\n".join(lines).encode()


def off(vertices, faces) -> bytes:
    lines = ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [f"{x} {y} {z}" for x, y, z in vertices]
    return "\n".join(lines + [" ".join(map(str, [len(f), *f])) for f in faces]).encode()


def ply(vertices, faces, form: str = "ascii", normals=None, num_faces: int | None = None) -> bytes:
    names = ["x", "y", "z"] + (["nx", "ny", "nz"] if normals is not None else [])
    rows = np.asarray(vertices) if normals is None else np.c_[vertices, normals]
    header = [
        "ply",
        f"format {form} 1.0",
        "comment made for a test",
        f"element vertex {len(rows)}",
        *(f"property float {name}" for name in names),
        f"element face {len(faces) if num_faces is None else num_faces}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    if form == "ascii":
        lines = [" ".join(map(str, row)) for row in rows.tolist()]
        lines += [" ".join(map(str, [len(face), *face])) for face in faces]
        body = "\n".join(lines).encode()
    else:
        order = "<" if "little" in form else ">"
        body = rows.astype(order + "f4").tobytes() if len(rows) else b""
        body += b"".join(struct.pack(f"{order}B{len(f)}i", len(f), *f) for f in faces)
    return "\n".join(header).encode() + body


def stl(vertices, faces, num_faces: int | None = None) -> bytes:
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *np.asarray(vertices)[f].reshape(-1), 0) for f in split(faces)
    )
    return bytes(80) + struct.pack("<I", num_faces or len(split(faces))) + body


def stl_ascii(vertices, faces) -> bytes:
    lines = ["solid a"]
    for face in split(faces):
        lines += ["facet normal 0 0 0", "outer loop"]
        lines += ["vertex {} {} {}".format(*vertices[i]) for i in face]
        lines += ["endloop", "endfacet"]
    return "\n".join([*lines, "endsolid a"]).encode()


def glb(vertices, faces, change=lambda tree: None) -> bytes:
    """One mesh at one node; `change` may alter the tree of values before it is written."""
    import json

    places = np.asarray(vertices, "<f4").tobytes()
    numbers = np.asarray(split(faces), "<u4").tobytes()
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(places) + len(numbers)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(places)},
            {"buffer": 0, "byteOffset": len(places), "byteLength": len(numbers)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": len(numbers) // 4, "type": "SCALAR"},
        ],
    }
    change(tree)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    body = places + numbers
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def xyz(points, normals=None) -> bytes:
    rows = points if normals is None else np.c_[points, normals]
    return "\n".join(" ".join(map(str, row)) for row in np.asarray(rows).tolist()).encode()
