"""STL and GLB, read by trimesh without access to anything outside the file."""

import io
import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .._inputs import check_claim, import_extra
from ._contents import Contents

_BYTES_A_FACE = 24
_STL_HEAD, _STL_FACE = 84, 50
_GLB_HEAD = 20
_GLB_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_GLB_VALUES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_GLB_PACKED = ("draco", "meshopt", "quantization")


class _Nothing:
    """A resolver for trimesh that opens nothing, so that no file refers to another one."""

    def __getitem__(self, name: str) -> NoReturn:
        raise ValueError(f"it needs the file {name}; save it with everything in one")

    get = __getitem__

    def keys(self) -> tuple[str, ...]:
        return ()

    def namespaced(self, name: str) -> "_Nothing":
        return self


def read_by_trimesh(path: Path, data: bytes, kind: str) -> Contents:
    """Read all meshes of a file, transformed by its scene and joined to one.

    Args:
        path: Path of the file, for messages and its size.
        data: Contents of the file.
        kind: Format, "stl" or "glb".

    Raises:
        SignalError: If trimesh is not installed, or the scene repeats its meshes too often.
        Exception: If the file is damaged, an exception of any type.
    """
    trimesh = import_extra("trimesh", "mesh", path)
    _CHECKS[kind](path, data)
    with _quiet():
        scene = trimesh.load_scene(
            io.BytesIO(data),
            file_type=kind,
            resolver=_Nothing(),
            process=False,
            maintain_order=True,
            skip_materials=True,
        )
        placed = list(_placed(scene))
    num_faces = sum(len(mesh.faces) for mesh, _ in placed)
    check_claim(path, _BYTES_A_FACE * num_faces)
    vertices, faces, begin = [np.empty((0, 3))], [np.empty((0, 3), dtype=np.int64)], 0
    for mesh, matrix in placed:
        with np.errstate(all="ignore"):  # Values that are not finite are refused later.
            vertices.append(np.asarray(mesh.vertices) @ matrix[:3, :3].T + matrix[:3, 3])
            turned = np.linalg.det(matrix[:3, :3]) < 0
        faces.append(np.asarray(mesh.faces)[:, :: -1 if turned else 1] + begin)
        begin += len(mesh.vertices)
    return Contents(np.concatenate(vertices), np.concatenate(faces), None, num_faces)


def _placed(scene: Any) -> Iterator[tuple[Any, np.ndarray]]:
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if hasattr(mesh, "faces"):
            yield mesh, np.asarray(matrix)


@contextmanager
def _quiet() -> Iterator[None]:
    """Turn warnings of trimesh into errors, and silence its log."""
    logger = logging.getLogger("trimesh")
    before = logger.level
    logger.setLevel(logging.CRITICAL)  # The loggers below it follow.
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        logger.setLevel(before)


def _check_stl(path: Path, data: bytes) -> None:
    num_faces = int.from_bytes(data[_STL_HEAD - 4 : _STL_HEAD], "little")
    if len(data) >= _STL_HEAD and len(data) == _STL_HEAD + _STL_FACE * num_faces:
        return
    if not data.lstrip()[:5].lower() == b"solid" or not _is_text(data):
        raise ValueError(
            f"its header declares {num_faces:,} triangles, its length says "
            f"{max(0, len(data) - _STL_HEAD) / _STL_FACE:,.0f}"
        )


def _check_glb(path: Path, data: bytes) -> None:
    magic, _, whole, length, kind = struct.unpack_from("<4sII I4s", data)
    if (magic, kind) != (b"glTF", b"JSON") or whole != len(data):
        raise ValueError("it is no whole GLB file")
    tree = json.loads(data[_GLB_HEAD : _GLB_HEAD + length].decode("utf-8"))
    named = " ".join(map(str, tree.get("extensionsRequired", [])))
    if any(word in named for word in _GLB_PACKED) or any("sparse" in a for a in _accessors(tree)):
        raise ValueError(f"its meshes are packed by {named or 'sparse accessors'}; save it plain")
    claimed = 0
    for accessor in _accessors(tree):
        one = _GLB_BYTES[accessor["componentType"]] * _GLB_VALUES[accessor["type"]]
        claimed += one * int(accessor["count"])
        # Without a view, trimesh would read zeros.
        if "bufferView" not in accessor or not 0 <= one * int(accessor["count"]) <= 8 * len(data):
            raise ValueError(f"it declares {accessor['count']:,} numbers that it does not hold")
    check_claim(path, claimed)


def _accessors(tree: Any) -> list[dict[str, Any]]:
    return tree.get("accessors", [])


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


_CHECKS = {"stl": _check_stl, "glb": _check_glb}
