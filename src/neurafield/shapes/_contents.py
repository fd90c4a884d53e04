"""What a file of a shape says, before it is judged."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, eq=False)
class Contents:
    """Vertices, triangles between them, and directions, as they were read.

    Args:
        vertices: Of any values; NaN has not been looked for yet.
        faces: Numbers of vertices, not yet known to exist; none where the file has points alone.
        normals: One for each vertex, of any length, where the file has them.
        num_polygons: How many faces the file itself has, of any number of corners.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    normals: Float[np.ndarray, "v 3"] | None = None
    num_polygons: int = 0


def triangles(counts: Int[np.ndarray, " p"], corners: Int[np.ndarray, " c"]) -> np.ndarray:
    """Cut polygons into fans of triangles about their first corners, which suits convex ones.

    Args:
        counts: How many corners each polygon has; below three it gives no triangle.
        corners: Numbers of vertices, polygon after polygon.
    """
    num_triangles = np.maximum(counts - 2, 0)
    first = np.repeat(np.cumsum(counts) - counts, num_triangles)
    step = np.arange(len(first)) - np.repeat(
        np.cumsum(num_triangles) - num_triangles, num_triangles
    )
    return corners[np.stack([first, first + step + 1, first + step + 2], axis=1)]


def numbers(text: str) -> Float[np.ndarray, " n"]:
    """All numbers of a text, with spaces or ends of lines between.

    Raises:
        ValueError: If there is anything else.
    """
    with warnings.catch_warnings():
        # NumPy stops at what is no number, and only warns of it.
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ") if text.strip() else np.empty(0)
        except DeprecationWarning as error:
            raise ValueError("expected numbers alone, got other text") from error


def whole(values: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same as integers.

    Raises:
        ValueError: If one is not.
    """
    if not (np.abs(values) < 2**53).all() or (values != np.rint(values)).any():
        raise ValueError("expected whole numbers of vertices, got others")
    return values.astype(np.int64)
