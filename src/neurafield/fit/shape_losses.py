r"""Losses that make a field a signed distance if only the surface is known.

All take a field's value $f$ and gradient together, as `maps.ValueAndGradient` returns them.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .._checks import check_not_negative


class _Weighted:
    """A loss that its weights determine completely."""

    def __post_init__(self) -> None:
        check_not_negative(self, **vars(self))

    @property
    def __name__(self) -> str:
        """Name that contains the weights, so that a run resumes with equal weights only."""
        return repr(self)


@dataclass(frozen=True)
class OnSurface(_Weighted):
    r"""$a\,|f| + b\,(1 - \cos(\nabla f, n)) + c\,\big|\|\nabla f\| - 1\big|$, mean over points.

    Args:
        value: Weight a.
        normal: Weight b; 0 if normals are not known.
        eikonal: Weight c.

    Raises:
        ValueError: If a weight is negative.

    Example:
        >>> up = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
        >>> OnSurface()(torch.tensor([[0.1, 0.0, 0.0, 3.0]]), up).item()
        400.0

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, equation 6, with the weights of their code.
    """

    value: float = 3e3
    normal: float = 1e2
    eikonal: float = 5e1

    def __call__(
        self, prediction: Float[Tensor, "n 4"], target: Float[Tensor, "n 4"]
    ) -> Float[Tensor, ""]:
        """Loss for targets of a 0, then the normal."""
        gradient, normal = prediction[:, 1:], target[:, 1:]
        turned = 1 - functional.cosine_similarity(gradient, normal, dim=1)
        return (
            self.value * prediction[:, 0].abs()
            + self.normal * turned
            + self.eikonal * eikonal(gradient)
        ).mean()


@dataclass(frozen=True)
class OffSurface(_Weighted):
    r"""$a\,\exp(-s\,|f|) + c\,\big|\|\nabla f\| - 1\big|$, mean over points; the target is unused.

    Args:
        value: Weight a of the penalty on values near zero away from the surface.
        sharpness: Sharpness s.
        eikonal: Weight c.

    Raises:
        ValueError: If a weight is negative.

    Example:
        >>> level = torch.tensor([[0.0, 0.0, 0.0, 1.0]])
        >>> OffSurface()(level, torch.zeros(1, 4)).item()
        100.0

    Reference:
        See `OnSurface`.
    """

    value: float = 1e2
    sharpness: float = 1e2
    eikonal: float = 5e1

    def __call__(
        self, prediction: Float[Tensor, "n 4"], target: Float[Tensor, "n 4"]
    ) -> Float[Tensor, ""]:
        near = (-self.sharpness * prediction[:, 0].abs()).exp()
        return (self.value * near + self.eikonal * eikonal(prediction[:, 1:])).mean()


def eikonal(gradient: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
    r"""$\big|\|\nabla f\| - 1\big|$, which is zero for a distance.

    Example:
        >>> eikonal(torch.tensor([[0.0, 3.0]])).item()
        2.0
    """
    return (gradient.norm(dim=-1) - 1).abs()
