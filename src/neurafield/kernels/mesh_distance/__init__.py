"""The nearest point of a triangle mesh, and how often the mesh goes round a point."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from . import reference


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
        self.corners = corners.detach().contiguous()


def closest_points(
    triangles: Triangles, x: Float[Tensor, "n 3"]
) -> tuple[Float[Tensor, "n 3"], Int64[Tensor, " n"]]:
    """The point nearest to each x of all triangles, and the triangle's number.

    A point that is not finite has the nearest point NaN, of triangle -1.

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
    return reference.closest_points(triangles.corners, x)


def winding_numbers(
    triangles: Triangles, x: Float[Tensor, "n 3"], *, accuracy: float
) -> Float[Tensor, " n"]:
    r"""$w(x) = \frac{1}{4\pi} \sum_t \Omega_t(x)$, the solid angles of all triangles.

    1 inside a closed mesh whose faces go round counterclockwise from outside, 0 outside. NaN for a
    point that is not finite.

    Args:
        triangles: At least one.
        x: Points, float64.
        accuracy: A group of triangles farther than so many of its radii counts by its moments.
            The error falls with the cube of it; the reference leaves nothing out.

    Example:
        >>> one = Triangles(torch.eye(3, dtype=torch.float64)[None])
        >>> winding_numbers(one, torch.zeros(1, 3, dtype=torch.float64), accuracy=2.0)
        tensor([0.1250], dtype=torch.float64)

    Reference:
        Jacobson, Kavan and Sorkine-Hornung, Robust Inside-Outside Segmentation using Generalized
        Winding Numbers, SIGGRAPH 2013. Barill et al., Fast Winding Numbers for Soups and Clouds,
        SIGGRAPH 2018; our moments leave out what the Laplace equation makes zero.
    """
    return reference.winding_numbers(triangles.corners, x)
