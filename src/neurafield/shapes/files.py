"""Reading shapes from files, with one-sentence errors that name the file."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from .._inputs import check_readable, one_line
from ..errors import SignalError
from ._contents import Contents
from ._obj import read_obj
from ._off import read_off
from ._ply import read_ply
from ._trimesh import read_by_trimesh
from ._xyz import read_xyz
from .mesh import Mesh
from .normals import repair_normals
from .points import PointCloud

SUFFIXES = (".obj", ".ply", ".stl", ".off", ".glb", ".xyz")
"""Suffixes of the files that can be read."""

_OWN: dict[str, Callable[[bytes], Contents]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".xyz": read_xyz,
}
_LARGEST = 1e100
"""Largest coordinate: areas are its square."""

_LEAST_AREA = 1e-14
"""Smallest area of a triangle, as a fraction of the square of its longest edge."""

_LEAST_POINTS = 4


def read_shape(path: str | Path) -> Mesh | PointCloud:
    """Read a mesh, or points if the file has no faces.

    - Polygons become fans of triangles. All meshes in a file are joined, each with its transform.
    - Unused vertices, faces without area, and faces between the vertices of an earlier face are
      dropped. The order of all others stays. The triangles of an STL file, which cannot share
      vertices, are joined where vertices are exactly equal.
    - Normals of points get unit length; one that is zero, NaN or infinite becomes the mean of its
      neighbours'. If the file has none, `normals` is None: see `estimate_normals`.
    - No other file is opened, such as materials or textures.

    Args:
        path: OBJ, PLY (ASCII or binary), STL, OFF or GLB file; points also as XYZ.

    Raises:
        SignalError: If the file is missing, damaged or of another kind, contains NaN or infinity,
            refers to vertices that do not exist, has no triangle with an area, or has fewer than
            four points or only equal ones.
    """
    path = Path(path)
    check_readable(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SignalError(f"{path}: expected one of {', '.join(SUFFIXES)}, got {suffix!r}.")
    try:
        data = path.read_bytes()
        read = _OWN.get(suffix)
        found = read(data) if read else read_by_trimesh(path, data, suffix[1:])
    except SignalError:
        raise
    except Exception as error:  # Readers raise exceptions of any type for a damaged file.
        raise SignalError(
            f"{path}: cannot be read as a shape ({one_line(error)}). Is it complete?"
        ) from error
    if found.num_polygons:
        return _mesh(path, found)
    if suffix in (".stl", ".glb"):
        raise SignalError(f"{path}: expected a mesh, got one without triangles.")
    return _cloud(path, found)


def _mesh(path: Path, found: Contents) -> Mesh:
    vertices, faces = found.vertices, found.faces
    if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise SignalError(
            f"{path}: a face names vertex {faces.max() if faces.min() >= 0 else faces.min()}, but "
            f"there are {len(vertices):,}, from 0 on. It is damaged; take another copy."
        )
    if path.suffix.lower() == ".stl":
        vertices, faces = _joined(vertices, faces)
    faces = _distinct(faces)
    vertices, faces = _used(vertices, faces)
    _check_points(path, vertices)
    faces = faces[_have_area(vertices[faces])]
    if not len(faces):
        raise SignalError(
            f"{path}: expected a mesh, got {found.num_polygons:,} faces without any area."
        )
    vertices, faces = _used(vertices, faces)
    return Mesh(torch.from_numpy(vertices), torch.from_numpy(faces))


def _cloud(path: Path, found: Contents) -> PointCloud:
    points = np.ascontiguousarray(found.vertices)
    if len(points) < _LEAST_POINTS:
        raise SignalError(
            f"{path}: expected a mesh or at least {_LEAST_POINTS} points, got {len(points)} points."
        )
    _check_points(path, points)
    if (points == points[0]).all():
        raise SignalError(f"{path}: expected distinct points, got equal ones alone.")
    cloud = PointCloud(torch.from_numpy(points))
    if found.normals is None:
        return cloud
    normals = np.where(np.isfinite(found.normals).all(axis=1, keepdims=True), found.normals, 0)
    # Normals that are all zero count as none.
    return (
        repair_normals(replace(cloud, normals=torch.from_numpy(normals)))
        if normals.any()
        else cloud
    )


def _check_points(path: Path, points: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        good = (np.abs(points) <= _LARGEST).all(axis=1)
    if not good.all():
        raise SignalError(
            f"{path}: expected finite coordinates, got {int((~good).sum()):,} vertices with NaN, "
            f"infinity or more than {_LARGEST:g}, the first {points[~good][0].tolist()}. Remove "
            "them where the file was made."
        )


def _have_area(corners: np.ndarray) -> np.ndarray:
    """True for triangles with an area, up to the rounding of 64 bits."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    longest = np.maximum((a**2).sum(1), np.maximum((b**2).sum(1), ((a + b) ** 2).sum(1)))
    return np.linalg.norm(np.cross(a, b), axis=1) > _LEAST_AREA * longest


def _distinct(faces: np.ndarray) -> np.ndarray:
    """Faces without those between the vertices of an earlier one, in any order."""
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return faces[np.sort(first)]


def _used(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices that a face uses, and the faces; unused vertices may be NaN."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    return np.ascontiguousarray(vertices[used]), (np.cumsum(used) - 1)[faces]


def _joined(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices with equal ones joined, in the order of their first occurrence, and the faces."""
    _, first, place = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return vertices[np.sort(first)], rank[place.reshape(-1)][faces]
