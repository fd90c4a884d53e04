"""Pinhole cameras.

Axes are right-handed, as in OpenCV: x right, y down, z forward. Positions in a picture are (row,
column) in pixels, from 0 to its size; the centre of the first pixel is at (0.5, 0.5).
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_count, check_positive
from .rays import Rays

_SQUARE = 1e-6
"""Tolerance for axes being orthogonal and of unit length."""


@dataclass(frozen=True, eq=False)
class Camera:
    r"""A pinhole camera: `pixel = focal * (y, x) / z + centre` in camera axes.

    Args:
        position: Position of the pinhole.
        axes: Rows are right, down and forward, so that $x_{camera} = A (x - p)$.
        size: Rows and columns of the picture.
        focal: Focal lengths in pixels, for rows and for columns.
        centre: Principal point as (row, column); None for the centre of the picture.

    Raises:
        ValueError: If the axes are not right-handed and orthonormal, or a size or focal length is
            not positive.

    Example:
        >>> camera = Camera.orbit(0.0, 0.0, 4.0, size=(100, 200))
        >>> camera.project(torch.zeros(1, 3).double())
        (tensor([[ 50., 100.]], dtype=torch.float64), tensor([4.], dtype=torch.float64))
    """

    position: Float[Tensor, "3"]
    axes: Float[Tensor, "3 3"]
    size: tuple[int, int]
    focal: tuple[float, float]
    centre: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_count(self, rows=self.size[0], columns=self.size[1])
        check_positive(self, row_focal=self.focal[0], column_focal=self.focal[1])
        if self.position.shape != (3,) or self.axes.shape != (3, 3):
            raise ValueError(
                f"Camera: expected a position of shape (3,) and axes of (3, 3), got "
                f"{tuple(self.position.shape)} and {tuple(self.axes.shape)}."
            )
        axes = self.axes.detach().double()
        off = float((axes @ axes.mT - torch.eye(3).to(axes)).abs().max())
        if not off <= _SQUARE or float(torch.linalg.det(axes)) < 0:
            raise ValueError(
                "Camera: expected right, down and forward at right angles, of unit length and "
                "right-handed, got other axes. Camera.look_at makes them."
            )

    @classmethod
    def look_at(
        cls,
        position: Float[Tensor, "3"],
        target: Float[Tensor, "3"],
        up: Float[Tensor, "3"],
        *,
        size: tuple[int, int],
        fov: float,
    ) -> "Camera":
        """Build a camera with the target in the centre of its picture, and `up` pointing upward.

        Args:
            position: Position of the camera.
            target: Point in the centre of the picture.
            up: Upward direction, of any length, not along the line of sight.
            size: Rows and columns of the picture.
            fov: Field of view across the shorter side, in degrees, between 0 and 180.

        Raises:
            ValueError: If the camera is at the target, or looks along `up`.
        """
        forward = target - position
        right = torch.linalg.cross(forward, up)
        if not float(right.norm()) > _SQUARE * float(forward.norm() * up.norm()):
            raise ValueError(
                "Camera.look_at: expected a target away from the camera, not along `up`, got one "
                "at the camera or along `up`."
            )
        right, forward = right / right.norm(), forward / forward.norm()
        axes = torch.stack([right, torch.linalg.cross(forward, right), forward])
        return cls(position, axes, size, _focal(size, fov))

    @classmethod
    def orbit(
        cls,
        azimuth: float,
        elevation: float,
        distance: float,
        *,
        size: tuple[int, int],
        fov: float = 35.0,
        target: tuple[float, float, float] = (0.0, 0.0, 0.0),
        up: Literal["y", "z"] = "y",
    ) -> "Camera":
        """Build a camera on a sphere around a target, in float64.

        Args:
            azimuth: Azimuth in degrees. At 0 the camera looks along -z (`up="y"`) or +y (`up="z"`),
                with +x on the right; it moves toward +x as the angle grows.
            elevation: Elevation above the horizon, in degrees from -90 to 90.
            distance: Distance from the target, positive.
            size: Rows and columns of the picture.
            fov: Field of view across the shorter side, in degrees, between 0 and 180.
            target: Point in the centre of the picture.
            up: Axis that points up.

        Raises:
            ValueError: If an argument is out of range.
        """
        check_positive("Camera.orbit", distance=distance)
        if up not in ("y", "z"):
            raise ValueError(f"Camera.orbit: expected up to be y or z, got {up!r}.")
        if not (math.isfinite(azimuth) and -90 <= elevation <= 90):
            raise ValueError(
                f"Camera.orbit: expected a finite azimuth and an elevation of -90 to 90, got "
                f"{azimuth} and {elevation}."
            )
        a, e = math.radians(azimuth), math.radians(elevation)
        # No cross product with `up`, so that straight above is not a special case.
        axes = torch.tensor(
            [
                [math.cos(a), 0.0, -math.sin(a)],
                [math.sin(e) * math.sin(a), -math.cos(e), math.sin(e) * math.cos(a)],
                [-math.cos(e) * math.sin(a), -math.sin(e), -math.cos(e) * math.cos(a)],
            ],
            dtype=torch.float64,
        )
        if up == "z":
            axes = torch.stack([axes[:, 0], -axes[:, 2], axes[:, 1]], dim=1)
        position = torch.tensor(target, dtype=torch.float64) - distance * axes[2]
        return cls(position, axes, size, _focal(size, fov))

    @property
    def principal_point(self) -> tuple[float, float]:
        """Image of the forward direction, as (row, column)."""
        return self.centre or (self.size[0] / 2, self.size[1] / 2)

    def project(
        self, points: Float[Tensor, "*n 3"]
    ) -> tuple[Float[Tensor, "*n 2"], Float[Tensor, "*n"]]:
        """Project points to (row, column) in the picture, and their depth along forward.

        Points that are not in front of the camera have a depth of at most 0; their pixel is
        meaningless.
        """
        x, y, z = ((points - self.position.to(points)) @ self.axes.to(points).mT).unbind(-1)
        own = torch.stack([y / z, x / z], dim=-1)
        return own * points.new_tensor(self.focal) + points.new_tensor(self.principal_point), z

    def unproject(
        self, pixels: Float[Tensor, "*n 2"], along: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n 3"]:
        """Points at the given pixels and depths along forward."""
        y, x = (
            (pixels - pixels.new_tensor(self.principal_point)) / pixels.new_tensor(self.focal)
        ).unbind(-1)
        own = torch.stack([x, y, torch.ones_like(x)], dim=-1) * along[..., None]
        return own @ self.axes.to(pixels) + self.position.to(pixels)

    def rays(self, pixels: Float[Tensor, "*n 2"]) -> Rays:
        """Rays through positions in the picture, as (row, column)."""
        origins = self.position.to(pixels).expand(*pixels.shape[:-1], 3)
        toward = self.unproject(pixels, torch.ones_like(pixels[..., 0])) - origins
        return Rays(origins, toward / toward.norm(dim=-1, keepdim=True))


def _focal(size: tuple[int, int], fov: float) -> tuple[float, float]:
    if not 0 < fov < 180:
        raise ValueError(f"Camera: expected a field of view between 0 and 180, got {fov}.")
    focal = min(size) / 2 / math.tan(math.radians(fov) / 2)
    return focal, focal
