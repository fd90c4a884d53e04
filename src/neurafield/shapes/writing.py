"""Writing meshes to files, atomically."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .._files import write_atomically
from .._inputs import import_extra
from ..errors import SignalError
from .mesh import Mesh

_STL = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("colour", "<u2")])


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh; the suffix chooses the format.

    PLY (binary) and OBJ store 64-bit vertices and the normals at vertices; OFF stores 64-bit
    vertices and no normals; GLB stores 32-bit vertices and normals; STL stores 32-bit vertices,
    separately for each triangle, and the triangles' normals.

    Args:
        mesh: Mesh in the user's units.
        path: Output file .ply, .obj, .stl, .off or .glb; it is replaced if it exists.

    Raises:
        SignalError: If the suffix is another, or the mesh has no faces.
        OSError: If the file cannot be written; no partial file is left then.
    """
    path = Path(path)
    check_suffix(path)
    if not len(mesh.faces):
        raise SignalError(f"{path}: expected a mesh with faces, got none. Nothing is written.")
    write_atomically(path, _ENCODERS[path.suffix.lower()](mesh, path))


def check_suffix(path: Path) -> None:
    """Require a suffix that `write_mesh` supports, before a mesh is computed.

    Raises:
        SignalError: If the suffix is another.
    """
    if path.suffix.lower() not in _ENCODERS:
        raise SignalError(f"{path}: expected one of {', '.join(_ENCODERS)}, got {path.suffix!r}.")


def rounding(mesh: Mesh, path: Path) -> float:
    """Largest change of a vertex by `write_mesh`, in the user's units: 0 in formats of 64 bits."""
    if path.suffix.lower() not in (".stl", ".glb"):
        return 0.0
    return float((mesh.vertices - mesh.vertices.float().double()).abs().max())


def _ply(mesh: Mesh, path: Path) -> bytes:
    names = ["x", "y", "z"] + ([] if mesh.normals is None else ["nx", "ny", "nz"])
    columns = mesh.vertices.numpy()
    if mesh.normals is not None:
        columns = np.concatenate([columns, mesh.normals.numpy()], axis=1)
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(mesh.vertices)}",
        *(f"property double {name}" for name in names),
        f"element face {len(mesh.faces)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    faces["count"], faces["corners"] = 3, mesh.faces.numpy()
    return "\n".join(header).encode() + columns.astype("<f8").tobytes() + faces.tobytes()


def _obj(mesh: Mesh, path: Path) -> bytes:
    lines = _rows("v ", mesh.vertices.numpy())
    # The format gives each corner the index of a normal.
    corner = "{0}" if mesh.normals is None else "{0}//{0}"
    if mesh.normals is not None:
        lines += _rows("vn ", mesh.normals.numpy())
    named = [corner.format(number + 1) for number in range(len(mesh.vertices))]
    lines += [f"f {named[a]} {named[b]} {named[c]}" for a, b, c in mesh.faces.tolist()]
    return ("\n".join(lines) + "\n").encode()


def _off(mesh: Mesh, path: Path) -> bytes:
    lines = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    lines += _rows("", mesh.vertices.numpy()) + _rows("3 ", mesh.faces.numpy())
    return ("\n".join(lines) + "\n").encode()


def _rows(begin: str, table: np.ndarray) -> list[str]:
    return [f"{begin}{a!r} {b!r} {c!r}" for a, b, c in table.tolist()]


def _stl(mesh: Mesh, path: Path) -> bytes:
    vectors = mesh.face_vectors
    triangles = np.zeros(len(mesh.faces), dtype=_STL)
    triangles["normal"] = (vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-300)).numpy()
    triangles["corners"] = mesh.corners.numpy()
    header = b"neurafield".ljust(80) + len(triangles).to_bytes(4, "little")
    return header + triangles.tobytes()


def _glb(mesh: Mesh, path: Path) -> bytes:
    trimesh = import_extra("trimesh", "mesh", path)
    normals = None if mesh.normals is None else mesh.normals.numpy()
    scene = trimesh.Trimesh(
        mesh.vertices.numpy(), mesh.faces.numpy(), vertex_normals=normals, process=False
    )
    return io.BytesIO(scene.export(file_type="glb", include_normals=normals is not None)).getvalue()


_ENCODERS: dict[str, Callable[[Mesh, Path], bytes]] = {
    ".ply": _ply,
    ".obj": _obj,
    ".stl": _stl,
    ".off": _off,
    ".glb": _glb,
}

SUFFIXES = tuple(_ENCODERS)
"""Suffixes of the meshes that can be written."""
