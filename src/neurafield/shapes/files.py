"""Shapes from files: whatever is wrong with one becomes one sentence with its name."""

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
"""Of the files that are read."""

_OWN: dict[str, Callable[[bytes], Contents]] = {
    ".obj": read_obj,
    ".off": read_off,
    ".ply": read_ply,
    ".xyz": read_xyz,
}
_LARGEST = 1e100
"""Of a coordinate: areas are its square."""

_LEAST_AREA = 1e-14
"""Of a triangle, as a fraction of its longest edge's square."""

_LEAST_POINTS = 4


def read_shape(path: str | Path) -> Mesh | PointCloud:
    """Read a mesh, or points where the file has no faces.

    - Polygons become fans of triangles; meshes of one file are joined where its scene places them.
    - Vertices that no face uses are dropped, and so are faces without area and those between
      vertices of an earlier face. The order of all others stays. The triangles of an STL file,
      which cannot share vertices, are joined where these are equal to the last digit.
    - Directions of points get unit length; a zero, NaN or infinite one becomes the mean of its
      neighbours'. Where the file has none, `normals` is None: see `estimate_normals`.
    - No other file is opened: materials and textures say nothing of a shape.

    Args:
        path: OBJ, PLY (ASCII or binary), STL, OFF or GLB; points also as XYZ.

    Raises:
        SignalError: If the file is missing or damaged, of another kind, holds NaN or infinity,
            names vertices that do not exist, has no triangle of any area, or has fewer than four
            points or all at one place.
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
    except Exception as error:  # Each reader raises almost anything on damaged files.
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
    _check_places(path, vertices)
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
    _check_places(path, points)
    if (points == points[0]).all():
        raise SignalError(f"{path}: expected points at several places, got all at one place.")
    cloud = PointCloud(torch.from_numpy(points))
    if found.normals is None:
        return cloud
    normals = np.where(np.isfinite(found.normals).all(axis=1, keepdims=True), found.normals, 0)
    # Files with three columns of zeros know as little as those with none.
    return (
        repair_normals(replace(cloud, normals=torch.from_numpy(normals)))
        if normals.any()
        else cloud
    )


def _check_places(path: Path, places: np.ndarray) -> None:
    with np.errstate(invalid="ignore"):
        good = (np.abs(places) <= _LARGEST).all(axis=1)
    if not good.all():
        raise SignalError(
            f"{path}: expected finite coordinates, got {int((~good).sum()):,} vertices with NaN, "
            f"infinity or more than {_LARGEST:g}, the first {places[~good][0].tolist()}. Remove "
            "them where the file was made."
        )


def _have_area(corners: np.ndarray) -> np.ndarray:
    """Whether triangles are more than lines, to the rounding of 64 bits."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    longest = np.maximum((a**2).sum(1), np.maximum((b**2).sum(1), ((a + b) ** 2).sum(1)))
    return np.linalg.norm(np.cross(a, b), axis=1) > _LEAST_AREA * longest


def _distinct(faces: np.ndarray) -> np.ndarray:
    """Without those between vertices of an earlier one, in any order."""
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return faces[np.sort(first)]


def _used(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the vertices that no face uses; NaN among these does no harm."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    return np.ascontiguousarray(vertices[used]), (np.cumsum(used) - 1)[faces]


def _joined(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """With one vertex for all that are equal, in the order in which these come first."""
    _, first, place = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return vertices[np.sort(first)], rank[place.reshape(-1)][faces]
