"""STL, OFF and GLB, read by trimesh, which is kept from everything outside the file."""

import io
import warnings
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from .._inputs import check_claim, import_extra
from ._contents import Contents

_BYTES_A_FACE = 24


class _Nothing:
    """A resolver for trimesh that has no file, so that no file may lead to another one."""

    def __getitem__(self, name: str) -> NoReturn:
        raise KeyError(name)

    get = __getitem__

    def keys(self) -> tuple[str, ...]:
        return ()

    def namespaced(self, name: str) -> "_Nothing":
        return self


def read_by_trimesh(path: Path, data: bytes, kind: str) -> Contents:
    """All meshes of a file, where its scene places them, joined to one.

    Args:
        path: Of the file, for messages and for its size.
        data: What is in it.
        kind: stl, off or glb.

    Raises:
        SignalError: If trimesh is not installed, or the scene repeats its meshes too often.
        Exception: Of any type, if the file is damaged.
    """
    trimesh = import_extra("trimesh", "mesh", path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
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
            vertices.append(np.asarray(mesh.vertices) @ matrix[:3, :3].T + matrix[:3, 3])
            turned = np.linalg.det(matrix[:3, :3]) < 0
            faces.append(np.asarray(mesh.faces)[:, :: -1 if turned else 1] + begin)
            begin += len(mesh.vertices)
    return Contents(np.concatenate(vertices), np.concatenate(faces), None, num_faces)


def _placed(scene: Any) -> Any:
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if hasattr(mesh, "faces"):
            yield mesh, np.asarray(matrix)
