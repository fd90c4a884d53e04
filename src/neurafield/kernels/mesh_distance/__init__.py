"""Closest points and winding numbers of a triangle mesh.

A further version is a module with the functions of `Implementation` and an entry of
`IMPLEMENTATIONS`.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .. import dispatch
from . import native, reference


@runtime_checkable
class Implementation(Protocol):
    """The functions that a version has, usually as a module; nothing else of it is used.

    Tensors are contiguous and float64; results have no gradient.
    """

    def unserved(self) -> str:
        """Reason why the version cannot serve any call, or ""."""
        ...

    def prepare(self, corners: Tensor, /) -> Any:
        """A search structure over corners `(f, 3, 3)`, made once for each mesh."""
        ...

    def closest_points(self, prepared: Any, x: Tensor, /) -> tuple[Tensor, Tensor]:
        """Nearest points `(n, 3)` and the numbers of their triangles `(n)`."""
        ...

    def winding_numbers(self, prepared: Any, x: Tensor, accuracy: float, /) -> Tensor:
        """Winding numbers `(n)`."""
        ...


IMPLEMENTATIONS: dict[str, Implementation] = {"native": native}
"""Versions beside the reference, by their names in `dispatch.VERSIONS`."""


class Triangles:
    """Triangles, with a search structure that is built at the first query.

    Args:
        corners: Finite coordinates, best around 0 and within [-1, 1]: the native version searches
            for the nearest triangle in 32 bits.

    Raises:
        ValueError: If there is no triangle, or the shape is wrong.
        TypeError: If the corners are not float64.
    """

    def __init__(self, corners: Float[Tensor, "f 3 3"]) -> None:
        if corners.ndim != 3 or corners.shape[1:] != (3, 3) or not len(corners):
            raise ValueError(
                f"Triangles: expected corners of shape (1 or more, 3, 3), got "
                f"{tuple(corners.shape)}."
            )
        if corners.dtype != torch.float64:
            raise TypeError(f"Triangles: expected float64 corners, got {corners.dtype}.")
        # A copy: the corners from which search structures were built must not change.
        self.corners = corners.detach().clone(memory_format=torch.contiguous_format)
        self._prepared: dict[str, Any] = {}

    def prepared(self, version: str) -> Any:
        """The search structure of a version, built once."""
        if version not in self._prepared:
            self._prepared[version] = IMPLEMENTATIONS[version].prepare(self.corners)
        return self._prepared[version]


def closest_points(
    triangles: Triangles, x: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Int64[Tensor, " n"]]:
    """The nearest point on the triangles for each x, and the number of its triangle.

    If x is not finite, its nearest point is NaN and the number is -1. The results have no gradient.

    Args:
        triangles: One or more triangles; those without area count as segments.
        x: Points, float64.

    Example:
        >>> one = Triangles(torch.eye(3, dtype=torch.float64)[None])
        >>> points, numbers = closest_points(one, torch.zeros(1, 3, dtype=torch.float64))
        >>> points, numbers
        (tensor([[0.3333, 0.3333, 0.3333]], dtype=torch.float64), tensor([0]))

    Reference:
        Ericson, Real-Time Collision Detection, 2004, section 5.1. We always test the three sides,
        so that a triangle without area needs no special case.
    """
    x = _nearer(x)
    name = _choose(triangles, x)
    if name == dispatch.REFERENCE:
        return reference.closest_points(triangles.corners, x)
    return IMPLEMENTATIONS[name].closest_points(triangles.prepared(name), x.contiguous())


def winding_numbers(
    triangles: Triangles, x: Float[Tensor, "n 3"], *, accuracy: float
) -> Float[Tensor, " n"]:
    r"""$w(x) = \frac{1}{4\pi} \sum_t \Omega_t(x)$, the solid angles of all triangles.

    1 inside a closed mesh whose faces are counterclockwise as seen from outside, 0 outside. NaN for
    a point that is not finite. The result has no gradient.

    Args:
        triangles: One or more triangles.
        x: Points, float64.
        accuracy: Distance, in radii of a group of triangles, from which on the group counts by its
            moments; 1 or more. The error falls with the cube of it. The reference sums every
            triangle.

    Raises:
        ValueError: If the accuracy is less than 1.

    Example:
        >>> one = Triangles(torch.eye(3, dtype=torch.float64)[None])
        >>> winding_numbers(one, torch.zeros(1, 3, dtype=torch.float64), accuracy=2.0)
        tensor([0.1250], dtype=torch.float64)

    Reference:
        Jacobson, Kavan and Sorkine-Hornung, Robust Inside-Outside Segmentation using Generalized
        Winding Numbers, SIGGRAPH 2013. Barill et al., Fast Winding Numbers for Soups and Clouds,
        SIGGRAPH 2018; our moments leave out what the Laplace equation makes zero.
    """
    if not accuracy >= 1:
        raise ValueError(f"winding_numbers: expected an accuracy of 1 or more, got {accuracy}.")
    x = _nearer(x)
    name = _choose(triangles, x)
    if name == dispatch.REFERENCE:
        return reference.winding_numbers(triangles.corners, x)
    return IMPLEMENTATIONS[name].winding_numbers(triangles.prepared(name), x.contiguous(), accuracy)


FAR = 1e6
"""Largest coordinate of a query. Points farther away are moved towards 0, up to here, which changes
neither the nearest triangle nor the winding number, 0."""


def _nearer(x: Tensor) -> Tensor:
    x = x.detach()
    return x * (FAR / x.abs().amax(1, keepdim=True).clamp(min=FAR))


def _choose(triangles: Triangles, x: Tensor) -> str:
    return dispatch.choose(
        "mesh_distance", IMPLEMENTATIONS, (x, triangles.corners), dtype=torch.float64
    ).version
