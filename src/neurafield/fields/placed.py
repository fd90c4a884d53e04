"""Fields with a pose and a scale in a scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._checks import check_count, check_positive
from .._text import shortened
from ..geometry.poses import quaternion_to_matrix
from ._base import AbstractField


@dataclass(frozen=True)
class Placed:
    r"""A field and its pose in a scene: $x = s R y + t$ for the field's coordinates $y$.

    Args:
        field: Any field. Its box is [-1, 1] on each axis of $y$.
        translation: Position $t$ of the centre of its box.
        rotation: Rotation $R$: a matrix, or in three dimensions a quaternion (w, x, y, z) of any
            length; None for no rotation.
        scale: Scale $s$, half the side of its box in the scene.

    Raises:
        TypeError: If `field` is not a field.
        ArgumentError: If the field has more than 64 coordinates.
        ValueError: If a size does not fit, the matrix is not a rotation, or `scale` not positive.

    Example:
        >>> from neurafield import Field, networks
        >>> field = Field(networks.Siren(3, 1, width=8, depth=1))
        >>> turned = Placed(field, (0.5, 0, 0), rotation=(1, 0, 0, 1), scale=0.25)
        >>> turned.matrix.round(3).tolist()
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    field: AbstractField
    translation: Sequence[float]
    rotation: Sequence[float] | Sequence[Sequence[float]] | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.field, AbstractField):
            raise TypeError(
                f"Placed: expected a field, got {type(self.field).__name__}. Wrap it: "
                "fields.as_field(module)."
            )
        dim = self.field.in_dim
        # A hostile file may name any size, and a matrix grows with its square.
        check_count(self, high=64, in_dim=dim)
        check_positive(self, scale=self.scale)
        shift = np.asarray(self.translation, dtype=float)
        if shift.shape != (dim,) or not np.isfinite(shift).all():
            raise ValueError(
                f"Placed: expected a translation of {dim} finite numbers, got "
                f"{shortened(self.translation)}."
            )
        matrix = self.matrix
        if (
            matrix.shape != (dim, dim)
            or not np.allclose(matrix @ matrix.T, np.eye(dim), atol=1e-6)
            or np.linalg.det(matrix) < 0
        ):
            raise ValueError(
                f"Placed: expected a rotation in {dim} dimensions, as a matrix or, in three, a "
                f"quaternion, got {shortened(self.rotation)}."
            )

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Rotation matrix."""
        if self.rotation is None:
            return np.eye(len(self.translation))
        given = np.asarray(self.rotation, dtype=float)
        return quaternion_to_matrix(given) if given.shape == (4,) else given

    def spec(self) -> dict[str, Any]:
        """The pose and the scale as JSON values."""
        return {
            "translation": [float(value) for value in self.translation],
            "rotation": self.matrix.tolist(),
            "scale": float(self.scale),
        }
