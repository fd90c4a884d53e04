r"""The Helmholtz equation in an open medium, closed by an absorbing layer.

Notation: k the wave number where the squared slowness m is 1, so that the wavelength is 2 pi / k
there; waves leave as $e^{-ikr}$ (time dependence $e^{+i\omega t}$). In the absorbing layer, from
|x| = 1/2 to the walls at 1, coordinates are stretched by $e(x) = 1 - i a_0 (2|x| - 1)^2$, which
makes $e^{-ikr}$ decay. A complex value takes two channels, real part first.

$$\partial_x \left(\frac{e_y}{e_x} \partial_x u\right)
+ \partial_y \left(\frac{e_x}{e_y} \partial_y u\right) + e_x e_y k^2 m\, u = f$$
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ..derivatives import Derivatives

LAYER = 0.5
"""Magnitude of a coordinate at which the absorbing layer begins."""


def uniform_medium(x: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
    """The squared slowness of a medium in which every wave has speed 1."""
    return torch.ones_like(x[:, 0])


@dataclass(frozen=True)
class HelmholtzEquation:
    r"""Left side of the Helmholtz equation, for a `Residual`; one wave per pair of channels.

    Args:
        wavenumber: Wave number k, in radians per unit of coordinate.
        absorption: Strength $a_0$ of the absorbing layer.
        squared_slowness: Function from points `(n, 2)` to m.

    Example:
        >>> from neurafield.maps import Residual
        >>> equation = Residual(HelmholtzEquation(wavenumber=3.0, absorption=0.0))
        >>> wave = lambda x: torch.cat([(3 * x[:, :1]).cos(), (3 * x[:, :1]).sin()], dim=1)
        >>> equation(wave, torch.tensor([[0.3, -0.2]])).abs().max().item() < 1e-5
        True

    Reference:
        Sitzmann et al., Implicit Neural Representations with Periodic Activation Functions,
        NeurIPS 2020, supplement 6; Bérenger, A Perfectly Matched Layer for the Absorption of
        Electromagnetic Waves, Journal of Computational Physics 1994, for the layer.
    """

    wavenumber: float
    absorption: float
    squared_slowness: Callable[[Float[Tensor, "n 2"]], Float[Tensor, " n"]] = uniform_medium

    def __call__(self, u: Derivatives, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        (ex, dex), (ey, dey) = (self._stretch(x[:, axis]) for axis in (0, 1))
        mass = self.wavenumber**2 * self.squared_slowness(x)
        left = (
            (ey / ex)[:, None] * as_complex(u.d(0, 0))
            - (ey * dex / ex**2)[:, None] * as_complex(u.d(0))
            + (ex / ey)[:, None] * as_complex(u.d(1, 1))
            - (ex * dey / ey**2)[:, None] * as_complex(u.d(1))
            + (ex * ey * mass)[:, None] * as_complex(u.value)
        )
        return torch.view_as_real(left).flatten(1)

    def _stretch(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The stretching factor e(x) and its derivative."""
        depth = (x.abs() - LAYER).clamp(min=0) / (1 - LAYER)
        stretch = torch.complex(torch.ones_like(x), -self.absorption * depth.square())
        slope = -2 * self.absorption / (1 - LAYER) * depth * x.sign()
        return stretch, torch.complex(torch.zeros_like(x), slope)


def as_complex(values: Float[Tensor, "n c"]) -> Complex[Tensor, "n s"]:
    """Pairs of channels as complex numbers.

    Example:
        >>> as_complex(torch.tensor([[1.0, 2.0]]))
        tensor([[1.+2.j]])
    """
    return torch.view_as_complex(values.unflatten(1, (-1, 2)).contiguous())
