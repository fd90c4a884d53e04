"""Architectures of a network alone; the size is the width of its hidden layers."""

from collections.abc import Callable

import torch

from .. import activations
from ..activations import AbstractActivation
from ..errors import ArgumentError
from ..fields.field import Field
from ..geometry import Extent
from ..networks import MLP, AbstractNetwork, Bacon, Finer, Lipschitz, Siren, Wire
from ._base import Architecture, Build, described

DEPTH = 4
MAX_WIDTH = 4096

MakeNetwork = Callable[[Extent, int, torch.Generator | None], AbstractNetwork]
"""Function from an extent, a width and a generator to a network on the coordinates."""


def network(
    about: str, make: MakeNetwork, *, lr: float = 1e-3, trains_levels: bool = False
) -> Architecture:
    """A network on bare coordinates."""

    def build(extent: Extent, width: int, generator: torch.Generator | None) -> Field:
        return Field(make(extent, width, generator))

    return of_width(about, build, lr=lr, trains_levels=trains_levels)


def of_width(about: str, build: Build, *, lr: float, trains_levels: bool = False) -> Architecture:
    """An architecture whose size is a width."""

    def size(extent: Extent, num_parameters: int | None, _: object) -> int:
        if num_parameters is None:
            return default_width(extent)
        return matching_width(build, extent, num_parameters)

    return Architecture(
        about=about,
        build=build,
        size=size,
        lr=lr,
        trains_levels=trains_levels,
        batch_size=lambda num_samples: 4096,
        micro_batch=8192,
        steps=lambda num_samples: 2000,
    )


def default_width(extent: Extent) -> int:
    """Units in a hidden layer: 64, 128 or 256, growing with the number of values."""
    values = extent.num_values
    return 64 if values < 2**14 else 128 if values < 2**21 else 256


def matching_width(build: Build, extent: Extent, num_parameters: int) -> int:
    """The width whose field comes closest to a number of parameters.

    Raises:
        ValueError: If even a width of 1 has more, or the widest has fewer.
    """

    def size(width: int) -> int:
        return described(build, extent, width).num_parameters

    if not size(1) <= num_parameters <= size(MAX_WIDTH):
        raise ArgumentError(
            f"params: expected {size(1):,} to {size(MAX_WIDTH):,} for this architecture, got "
            f"{num_parameters:,}."
        )
    low, high = 1, MAX_WIDTH
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= num_parameters else (low, middle)
    return min((low, high), key=lambda width: abs(size(width) - num_parameters))


def perceptron(activation: Callable[[], AbstractActivation]) -> MakeNetwork:
    """An `MLP` with an activation, at its defaults."""

    def make(extent: Extent, width: int, generator: torch.Generator | None) -> MLP:
        return MLP(
            extent.in_dim,
            extent.out_dim,
            width=width,
            depth=DEPTH,
            activation=activation(),
            generator=generator,
        )

    return make


def _siren(extent: Extent, width: int, generator: torch.Generator | None) -> Siren:
    return Siren(
        extent.in_dim,
        extent.out_dim,
        width=width,
        depth=DEPTH,
        omega_0=first_frequency(extent),
        generator=generator,
    )


def first_frequency(extent: Extent) -> float:
    """The factor of a first layer of sines, in radians per unit of its pre-activation."""
    # Measured: 30, as in the paper, suits pictures of 256 pixels, and 60 those of 512. Sound has
    # many more samples per axis; the paper takes 3,000 for seven seconds.
    longest = max(extent.shape)
    if extent.in_dim == 1:
        return min(3000.0, max(30.0, longest / 100))
    return min(90.0, max(30.0, 0.12 * longest))


def _finer(extent: Extent, width: int, generator: torch.Generator | None) -> Finer:
    return Finer(
        extent.in_dim,
        extent.out_dim,
        width=width,
        depth=DEPTH,
        omega_0=first_frequency(extent),
        generator=generator,
    )


def _lipschitz(extent: Extent, width: int, generator: torch.Generator | None) -> Lipschitz:
    return Lipschitz(extent.in_dim, extent.out_dim, width=width, depth=DEPTH, generator=generator)


def _wire(extent: Extent, width: int, generator: torch.Generator | None) -> Wire:
    return Wire(extent.in_dim, extent.out_dim, width=width, depth=DEPTH - 1, generator=generator)


def _bacon(extent: Extent, width: int, generator: torch.Generator | None) -> Bacon:
    # The sum is half a cycle per sample, the most that samples determine.
    shares = (16, 16, 8, 8, 8)
    bandwidths = [[max(1, count // share) for count in extent.shape] for share in shares]
    return Bacon(
        extent.in_dim, extent.out_dim, bandwidths=bandwidths, width=width, generator=generator
    )


NETWORKS: dict[str, Architecture] = {
    "relu": network("ReLU", perceptron(activations.ReLU)),
    "prelu": network("ReLU with a trained slope below 0", perceptron(activations.PReLU)),
    "sine": network("sines of one frequency factor", perceptron(activations.Sine)),
    "tanh": network("hyperbolic tangents", perceptron(activations.Tanh)),
    "sigmoid": network("logistic functions", perceptron(activations.Sigmoid)),
    "silu": network("x sigmoid(x)", perceptron(activations.SiLU)),
    "softplus": network("log(1 + e^x)", perceptron(activations.Softplus)),
    "gelu": network("x times the normal distribution", perceptron(activations.GELU)),
    "gaussian": network("Gaussian bells", perceptron(activations.Gaussian), lr=3e-3),
    "super-gaussian": network(
        "powers of Gaussian bells, both constants trained",
        perceptron(lambda: activations.SuperGaussian(trained=True)),
        lr=3e-3,
    ),
    "laplacian": network("two-sided exponentials", perceptron(activations.Laplacian), lr=3e-3),
    "quadratic": network("1 / (1 + (ax)^2)", perceptron(activations.Quadratic), lr=3e-3),
    "multiquadric": network("1 / sqrt(1 + (ax)^2)", perceptron(activations.Multiquadric), lr=3e-3),
    "exp-sine": network("exponentials of sines", perceptron(activations.ExpSine)),
    "siren": network("sines; the first layer's frequency follows from the signal", _siren),
    "wire": network("complex Gabor wavelets", _wire, lr=3e-3),
    "bacon": network("products of sines of bounded frequency", _bacon, lr=1e-2, trains_levels=True),
    "finer": network("sines whose frequency grows away from 0", _finer),
    "lipschitz": network("hyperbolic tangents, with a trained Lipschitz bound", _lipschitz),
}
"""Architectures of a network on bare coordinates."""
