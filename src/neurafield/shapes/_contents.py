"""The contents of a shape's file before they are checked."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Contents:
    """Vertices, triangles and normals as they were read.

    Args:
        vertices: Positions, possibly not finite.
        faces: Indices of vertices, possibly out of range; none if the file has points alone.
        normals: One normal of any length per vertex, if the file has them.
        num_polygons: Number of faces in the file, of any number of corners.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "v 3"] | None = None
    num_polygons: int = 0


def triangles(counts: Int[np.ndarray, " p"], corners: Int[np.ndarray, " c"]) -> np.ndarray:
    """Cut polygons into fans of triangles around their first corners, which suits convex polygons.

    Args:
        counts: Number of corners of each polygon; fewer than three make no triangle.
        corners: Indices of vertices, polygon after polygon.
    """
    num_triangles = np.maximum(counts - 2, 0)
    first = np.repeat(np.cumsum(counts) - counts, num_triangles)
    step = np.arange(len(first)) - np.repeat(
        np.cumsum(num_triangles) - num_triangles, num_triangles
    )
    return corners[np.stack([first, first + step + 1, first + step + 2], axis=1)]


def numbers(text: str) -> Float[np.ndarray, " n"]:
    """All numbers of a text, separated by spaces or line ends.

    Raises:
        ValueError: If the text contains anything else.
    """
    with warnings.catch_warnings():
        # NumPy stops at anything but a number, with no more than a warning.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ") if text.strip() else np.empty(0)
        except DeprecationWarning as error:
            raise ValueError("expected numbers alone, got other text") from error


def whole(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Convert whole numbers to integers.

    Raises:
        ValueError: If a number is not whole.
    """
    if not (np.abs(values) < 2**53).all() or (values != np.rint(values)).any():
        raise ValueError("expected indices of vertices to be whole numbers, got others")
    return values.astype(np.int64)
