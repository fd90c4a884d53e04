r"""Rigid motions: rotations and poses in three dimensions.

Notation: a pose is $x \mapsto R x + t$; $\omega$ is a rotation vector (axis times angle), $v$ the
translational part of a twist $(\omega, v)$; $[\omega]$ the matrix of the cross product
$\omega \times$, and $\theta = |\omega|$.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

_SMALL = 1e-2
"""Angle below which series replace sin and cos; their error is then below 1e-13."""


@dataclass(frozen=True, eq=False)
class Pose:
    r"""Rigid motions $x \mapsto R x + t$, differentiable with respect to $R$ and $t$.

    Args:
        rotation: Rotation matrices $R$.
        translation: Translations $t$.

    Raises:
        ValueError: If the shapes do not match.

    Example:
        >>> quarter = Pose.exp(torch.tensor([0.0, 0.0, torch.pi / 2, 1.0, 0.0, 0.0]))
        >>> there_and_back = quarter.compose(quarter.inverse())
        >>> bool((there_and_back.apply(torch.ones(3)) - torch.ones(3)).abs().max() < 1e-6)
        True
    """

    rotation: Float[Tensor, "*batch 3 3"]
    translation: Float[Tensor, "*batch 3"]

    def __post_init__(self) -> None:
        if (*self.translation.shape, 3) != tuple(self.rotation.shape) or self.translation.shape[
            -1:
        ] != (3,):
            raise ValueError(
                f"Pose: expected a rotation (..., 3, 3) and a translation (..., 3), got "
                f"{tuple(self.rotation.shape)} and {tuple(self.translation.shape)}."
            )

    @classmethod
    def exp(cls, twist: Float[Tensor, "*batch 6"]) -> "Pose":
        r"""Exponential map: the pose reached by a constant twist $(\omega, v)$ in unit time.

        $R = e^{[\omega]}$ and $t = V v$ with $V = I + b [\omega] + c [\omega]^2$,
        $b = (1 - \cos\theta) / \theta^2$, $c = (\theta - \sin\theta) / \theta^3$.

        Reference:
            Blanco-Claraco, A tutorial on SE(3) transformation parameterizations and on-manifold
            optimization, 2010, section 9.4.1.
        """
        omega, v = twist[..., :3], twist[..., 3:]
        cross = cross_matrix(omega)
        _, b, c = _coefficients(omega)
        left = torch.eye(3).to(omega) + b * cross + c * cross @ cross
        return cls(rotation_exp(omega), (left @ v[..., None])[..., 0])

    def log(self) -> Float[Tensor, "*batch 6"]:
        """Logarithm: the twist whose `exp` is this pose, with an angle from 0 to just below pi."""
        omega = rotation_log(self.rotation)
        cross = cross_matrix(omega)
        _, b, c = _coefficients(omega)
        left = torch.eye(3).to(omega) + b * cross + c * cross @ cross
        v = torch.linalg.solve(left, self.translation[..., None])[..., 0]
        return torch.cat([omega, v], dim=-1)

    def compose(self, first: "Pose") -> "Pose":
        """The motion that applies `first`, then this one."""
        return Pose(
            self.rotation @ first.rotation,
            (self.rotation @ first.translation[..., None])[..., 0] + self.translation,
        )

    def inverse(self) -> "Pose":
        """The inverse motion."""
        back = self.rotation.mT
        return Pose(back, -(back @ self.translation[..., None])[..., 0])

    def apply(self, x: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Moves points."""
        return (self.rotation @ x[..., None])[..., 0] + self.translation


def cross_matrix(omega: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    r"""$[\omega]$, with $[\omega] x = \omega \times x$."""
    x, y, z = omega.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def rotation_exp(omega: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    r"""Rotation matrix of a rotation vector: $I + a [\omega] + b [\omega]^2$ (Rodrigues).

    $a = \sin\theta / \theta$. Gradients are finite at 0 too.
    """
    cross = cross_matrix(omega)
    a, b, _ = _coefficients(omega)
    return torch.eye(3).to(omega) + a * cross + b * cross @ cross


def rotation_log(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of a rotation matrix, with an angle from 0 to just below pi.

    Precision is lost within about 1e-3 of half a turn: the axis is computed from the antisymmetric
    part of the matrix, which vanishes there.
    """
    r = rotation
    turn = torch.stack(
        [
            r[..., 2, 1] - r[..., 1, 2],
            r[..., 0, 2] - r[..., 2, 0],
            r[..., 1, 0] - r[..., 0, 1],
        ],
        dim=-1,
    )
    # Half of `turn` is sin(theta) times the axis.
    sine = turn.norm(dim=-1) / 2
    cosine = (r.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    theta = torch.atan2(sine, cosine)
    # theta / sin(theta), by its series near 0; `where` on the input keeps the gradient finite.
    small = theta < _SMALL
    safe = torch.where(small, 1.0, sine)
    ratio = torch.where(small, 1 + theta**2 / 6 + 7 * theta**4 / 360, theta / safe)
    return turn / 2 * ratio[..., None]


def quaternion_to_matrix(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix of a quaternion (w, x, y, z) of any length but 0."""
    with np.errstate(invalid="ignore", divide="ignore"):
        w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _coefficients(omega: Float[Tensor, "*batch 3"]) -> tuple[Tensor, Tensor, Tensor]:
    r"""$\sin\theta / \theta$, $(1 - \cos\theta) / \theta^2$, $(\theta - \sin\theta) / \theta^3$."""
    squared = omega.square().sum(-1)[..., None, None]
    small = squared < _SMALL**2
    # The square root of 1, since that of 0 has an infinite gradient.
    theta = torch.where(small, 1.0, squared).sqrt()
    series = (
        1 - squared / 6 + squared**2 / 120,
        1 / 2 - squared / 24 + squared**2 / 720,
        1 / 6 - squared / 120 + squared**2 / 5040,
    )
    exact = (
        theta.sin() / theta,
        2 * (theta / 2).sin().square() / theta**2,
        (theta - theta.sin()) / theta**3,
    )
    a, b, c = (torch.where(small, s, e) for s, e in zip(series, exact, strict=True))
    return a, b, c
