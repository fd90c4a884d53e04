"""The nearest point of a triangle mesh, and how often the mesh goes round a point."""

from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .. import dispatch
from . import native, reference


class Triangles:
    """Triangles made ready for questions.

    Args:
        corners: Their places, finite, best around 0 and within [-1, 1]: the compiled version looks
            for the nearest triangle in 32 bits.

    Raises:
        ValueError: If there is none, or the shape is another.
        TypeError: If they are not float64.
    """

    def __init__(self, corners: Float[Tensor, "f 3 3"]) -> None:
        if corners.ndim != 3 or corners.shape[1:] != (3, 3) or not len(corners):
            raise ValueError(
                f"Triangles: expected corners of shape (1 or more, 3, 3), got "
                f"{tuple(corners.shape)}."
            )
        if corners.dtype != torch.float64:
            raise TypeError(f"Triangles: expected float64 corners, got {corners.dtype}.")
        # A copy, so that what the tree was made of cannot be changed.
        self.corners = corners.detach().clone(memory_format=torch.contiguous_format)

    @cached_property
    def tree(self) -> Any:
        """For the compiled version; made when first asked for."""
        return native.make_tree(self.corners)


def closest_points(
    triangles: Triangles, x: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Int64[Tensor, " n"]]:
    """The point nearest to each x of all triangles, and the triangle's number.

    A point that is not finite has the nearest point NaN, of triangle -1.

    Neither result has a gradient.

    Args:
        triangles: At least one; those without area count as the segments that they are.
        x: Points, float64.

    Example:
        >>> one = Triangles(torch.eye(3, dtype=torch.float64)[None])
        >>> points, numbers = closest_points(one, torch.zeros(1, 3, dtype=torch.float64))
        >>> points, numbers
        (tensor([[0.3333, 0.3333, 0.3333]], dtype=torch.float64), tensor([0]))

    Reference:
        Ericson, Real-Time Collision Detection, 2004, section 5.1. Our segments are tried always,
        so that a triangle without area needs no case of its own.
    """
    x = _nearer(x)
    if _use_native(triangles, x):
        return native.closest_points(triangles.tree, x.contiguous())
    return reference.closest_points(triangles.corners, x)


def winding_numbers(
    triangles: Triangles, x: Float[Tensor, "n 3"], *, accuracy: float
) -> Float[Tensor, " n"]:
    r"""$w(x) = \frac{1}{4\pi} \sum_t \Omega_t(x)$, the solid angles of all triangles.

    1 inside a closed mesh whose faces go round counterclockwise from outside, 0 outside. NaN for a
    point that is not finite.

    The result has no gradient.

    Args:
        triangles: At least one.
        x: Points, float64.
        accuracy: A group of triangles farther than so many of its radii, 1 or more, counts by its
            moments. The error falls with the cube of it; the reference leaves nothing out.

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
    if _use_native(triangles, x):
        return native.winding_numbers(triangles.tree, x.contiguous(), accuracy)
    return reference.winding_numbers(triangles.corners, x)


FAR = 1e6
"""From where on points are moved towards 0, to here: what is nearest, and 0 turns, stays."""


def _nearer(x: Tensor) -> Tensor:
    x = x.detach()
    return x * (FAR / x.abs().amax(1, keepdim=True).clamp(min=FAR))


def _use_native(triangles: Triangles, x: Tensor) -> bool:
    return dispatch.use_native("mesh_distance", x, triangles.corners, dtype=torch.float64)
