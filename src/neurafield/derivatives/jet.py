"""The jet: a value, its first derivatives, and weighted sums of its second derivatives."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import check_floating


@dataclass(frozen=True)
class Jet:
    r"""A function's value and derivatives at points, all in the root coordinates $x$.

    The streams follow each other along the first axis: the value $y$, the $d$ derivatives
    $\partial_k y$, and one $\sum_k w_{sk}\, \partial_k^2 y$ for each row of `weights`. As one
    tensor they pass through an affine layer in one product.

    Args:
        streams: Value, first and second derivatives: $1 + d + s$ streams.
        weights: $w$. One row of ones gives the Laplacian, the unit matrix each pure second
            derivative by itself, no rows only first derivatives.

    Example:
        >>> from neurafield.derivatives import rules
        >>> x = Jet.root(torch.tensor([[0.5, 2.0]]))
        >>> y = rules.product(x, x)  # The square of each coordinate.
        >>> y.value.tolist(), y.jacobian.tolist(), y.laplacian.tolist()
        ([[0.25, 4.0]], [[[1.0, 0.0], [0.0, 4.0]]], [[2.0, 2.0]])

    Reference:
        Li et al., A Computational Framework for Neural Network-based Variational Monte Carlo with
        Forward Laplacian, Nature Machine Intelligence 2024, section 2. We add the weights, for
        equations whose second derivatives have different coefficients.
    """

    streams: Float[Tensor, "p *batch c"]
    weights: Float[Tensor, "s d"]

    def __post_init__(self) -> None:
        num_second, dim = self.weights.shape
        if len(self.streams) != 1 + dim + num_second:
            raise ValueError(
                f"Jet: expected {1 + dim + num_second} streams for weights of shape "
                f"{tuple(self.weights.shape)}, got {len(self.streams)}."
            )

    @classmethod
    def root(
        cls, x: Float[Tensor, "*batch d"], weights: Float[Tensor, "s _"] | None = None
    ) -> "Jet":
        """The coordinates themselves: the identity's derivatives.

        Args:
            x: Coordinates.
            weights: Weights of the second derivatives; None for the Laplacian.

        Raises:
            TypeError: If `x` does not hold floating-point numbers.
            ValueError: If `weights` does not have a column for each coordinate.
        """
        check_floating("Jet.root", x=x)
        dim = x.shape[-1]
        weights = x.new_ones(1, dim) if weights is None else weights.to(x)
        if weights.ndim != 2 or weights.shape[1] != dim:
            raise ValueError(
                f"Jet.root: expected weights of shape (s, {dim}), a column for each coordinate, "
                f"got {tuple(weights.shape)}."
            )
        unit = torch.eye(dim, dtype=x.dtype, device=x.device)
        unit = unit.reshape(dim, *[1] * (x.ndim - 1), dim).expand(dim, *x.shape)
        zero = x.new_zeros(len(weights), *x.shape)
        return cls(torch.cat([x[None], unit, zero]), weights)

    @classmethod
    def of_value(cls, value: Float[Tensor, "*batch c"]) -> "Jet":
        """A jet without derivatives, for a rule that should compute values alone.

        Example:
            >>> Jet.of_value(torch.zeros(7, 2)).streams.shape
            torch.Size([1, 7, 2])
        """
        return cls(value[None], value.new_zeros(0, 0))

    @property
    def dim(self) -> int:
        """Number of root coordinates."""
        return self.weights.shape[1]

    @property
    def value(self) -> Float[Tensor, "*batch c"]:
        """The function's value."""
        return self.streams[0]

    @property
    def first(self) -> Float[Tensor, "d *batch c"]:
        """First derivatives, the coordinate in front."""
        return self.streams[1 : 1 + self.dim]

    @property
    def second(self) -> Float[Tensor, "s *batch c"]:
        """Weighted sums of second derivatives, the sum in front."""
        return self.streams[1 + self.dim :]

    @property
    def jacobian(self) -> Float[Tensor, "*batch c d"]:
        """First derivatives: channel, then coordinate."""
        return self.first.movedim(0, -1)

    @property
    def weighted_hessian(self) -> Float[Tensor, "*batch c s"]:
        """Weighted sums of second derivatives: channel, then row of `weights`."""
        return self.second.movedim(0, -1)

    @property
    def laplacian(self) -> Float[Tensor, "*batch c"]:
        """The sum of all pure second derivatives.

        Raises:
            ValueError: If the weights do not add up to the Laplacian.
        """
        if not len(self.weights) or not bool((self.weights.sum(0) == 1).all()):
            raise ValueError(
                "Jet.laplacian: expected weights that add up to the Laplacian, got "
                f"{self.weights.tolist()}. Take the sums from `weighted_hessian`."
            )
        return self.second.sum(0)
