"""Linearisation of a map in a field's values and derivatives: affine maps as matrices."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..maps import AbstractMap

_TOLERANCE = 1e-8


class Taylor:
    r"""A function with given values and derivatives at points, as a Taylor polynomial.

    $y(x) = v + \sum_i J_i (x - a)_i + \sum_{i \ge j} H_{ij} (x - a)_i (x - a)_j / (1 + [i = j])
    + t\, r(x - a)$, where all derivatives of $r$ of third and higher order are nonzero at 0, and
    those below are zero. It may be evaluated at the points $a$ only, where its derivatives, by any
    method, are its coefficients.

    Args:
        at: Points $a$.
        coefficients: Coefficients $v$, all $J_i$, all $H_{ij}$ in the order of `pairs`, and $t$.
    """

    def __init__(self, at: Float[Tensor, "n d"], coefficients: Float[Tensor, "p n c"]) -> None:
        self.at = at
        self.coefficients = coefficients
        self.out_dim = coefficients.shape[-1]

    def __call__(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        if x.shape != self.at.shape or not torch.equal(x, self.at):
            raise ValueError(
                "expected a map that evaluates the field at the points of its query only, got one "
                "that evaluates it elsewhere."
            )
        step = x - self.at
        powers = [torch.ones_like(step[:, 0]), *step.unbind(-1)]
        for i, j in pairs(self.at.shape[1]):
            powers.append(step[:, i] * step[:, j] / (2 if i == j else 1))
        # A direction without simple ratios, so that no combination of high derivatives vanishes.
        slanted = step @ torch.linspace(1, 2, step.shape[1]).to(step).sqrt()
        powers.append(slanted.exp() - 1 - slanted - slanted.square() / 2)
        return torch.einsum("pn,pnc->nc", torch.stack(powers), self.coefficients)


def pairs(dim: int) -> list[tuple[int, int]]:
    """Axes of all second derivatives in the order of `Taylor`: the pure ones first."""
    return [(i, i) for i in range(dim)] + [(i, j) for i in range(dim) for j in range(i)]


def linearise(
    map: AbstractMap, x: Float[Tensor, "n d"], out_dim: int, *, name: str
) -> tuple[Float[Tensor, "n m p c"], Float[Tensor, "n m"]]:
    r"""Writes a map's prediction at points as $\mathrm{offset} + \sum_{pc} S_{pc}\, y_{pc}$.

    $y_{pc}$ are the field's channels and their derivatives at the same point, in `Taylor`'s order.
    The prediction at a point is flattened to m values.

    Args:
        map: Map that takes points.
        x: Points.
        out_dim: Number of channels of the field.
        name: Name of the map in errors.

    Returns:
        $S$ and the offset.

    Raises:
        ValueError: If the prediction at a point is not an affine function of $y_{pc}$.
    """
    dim = x.shape[1]
    shape = (2 + dim + len(pairs(dim)), len(x), out_dim)
    zero = x.new_zeros(shape).requires_grad_()
    probe = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(x)
    try:
        with torch.no_grad():
            # A residual finds out at one point which derivatives it needs.
            map(Taylor(x[:1], probe[:, :1]), x[:1])
        with torch.enable_grad():
            offset = map(Taylor(x, zero), x).reshape(len(x), -1)
            slopes = [
                torch.autograd.grad(offset[:, m].sum(), zero, retain_graph=True)[0]
                for m in range(offset.shape[1])
            ]
        with torch.no_grad():
            found = map(Taylor(x, probe), x).reshape(len(x), -1)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    # (m, p, n, c) to (n, m, p, c).
    slope = torch.stack(slopes).movedim(2, 0)
    offset = offset.detach()
    if _size(slope[:, :, -1]) > _TOLERANCE * _size(slope):
        raise ValueError(
            f"{name}: expected derivatives up to the second order, got some beyond. Take an "
            "optimizer instead."
        )
    expected = offset + torch.einsum("nmpc,pnc->nm", slope, probe)
    if not torch.allclose(found, expected, rtol=_TOLERANCE, atol=_TOLERANCE * _size(expected)):
        raise ValueError(
            f"{name}: expected a map that is affine in the field's values and derivatives, point "
            "by point, got another. Take an optimizer instead, Gauss-Newton for one."
        )
    return slope[:, :, :-1], offset


def _size(values: Tensor) -> float:
    return float(values.abs().max()) if values.numel() else 0.0
