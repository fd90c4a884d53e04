"""One case for every public component: how to build it, and what it takes.

Sizes are different primes, so that swapped axes cannot pass.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurafield import Field
from neurafield.encodings import (
    DenseGrid,
    Enrichment,
    HashGrid,
    Positional,
    RandomFourier,
    SplineGrid,
)
from neurafield.networks import MLP, Linear, Siren, activations


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[torch.Generator], nn.Module]
    in_dim: int
    out_dim: int
    smooth: bool = True

    def build(self, seed: int = 0) -> nn.Module:
        return self.make(torch.Generator().manual_seed(seed))

    def coords(self, *batch: int, seed: int = 1) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return 2 * torch.rand(*batch, self.in_dim, generator=generator) - 1

    def __str__(self) -> str:
        return self.name


def hash_grid(in_dim: int, **options: Any) -> HashGrid:
    """A small one whose coarse levels are dense and whose fine ones overflow."""
    return HashGrid(
        in_dim,
        num_levels=5,
        log2_table_size=7,
        base_resolution=[3, 2, 5][:in_dim],
        finest_resolution=[31, 37, 41][:in_dim],
        **options,
    )


ENCODING_CASES = [
    Case("positional", lambda g: Positional(3, 5), 3, 33),
    Case("positional-bare", lambda g: Positional(2, 3, include_input=False), 2, 12),
    Case("enrichment-points", lambda g: Enrichment(3, points=[[0.1, -0.2, 0.3]]), 3, 4),
    Case(
        "enrichment-shapes",
        lambda g: Enrichment(
            2,
            points=[[0.1, -0.2], [1.5, 0.0]],
            radius=0.05,
            scale=0.7,
            balls=[[0.2, 0.3, 0.4]],
            boxes=[[-0.1, 0.2, 0.5, 0.7]],
            jump=11.0,
        ),
        2,
        6,
    ),
    Case("random-fourier", lambda g: RandomFourier(3, 7, sigma=1.5, generator=g), 3, 14),
    Case("dense-grid", lambda g: DenseGrid(2, resolution=[5, 7], generator=g), 2, 2),
    Case(
        "dense-grid-smoothstep",
        lambda g: DenseGrid(
            3, resolution=[2, 3, 5], features=4, interpolation="smoothstep", generator=g
        ),
        3,
        4,
    ),
    Case("hash-grid", lambda g: hash_grid(3, generator=g), 3, 10),
    Case("hash-grid-tiled", lambda g: hash_grid(2, overflow="tiled", generator=g), 2, 10),
    Case(
        "spline-grid",
        lambda g: SplineGrid(2, resolution=[5, 7], features=3, degree=3, generator=g),
        2,
        3,
    ),
    Case(
        "spline-grid-mirror",
        lambda g: SplineGrid(3, resolution=[2, 3, 5], degree=4, border="mirror", generator=g),
        3,
        1,
    ),
]

NETWORK_CASES = [
    Case("linear", lambda g: Linear(3, 5, generator=g), 3, 5),
    Case("siren", lambda g: Siren(3, 5, width=11, depth=3, generator=g), 3, 5),
    Case(
        "siren-omegas",
        lambda g: Siren(2, 3, width=7, depth=2, omega_0=5.0, omega=20.0, generator=g),
        2,
        3,
    ),
    *(
        Case(
            f"mlp-{name}",
            lambda g, name=name: MLP(3, 5, width=11, depth=2, activation=name, generator=g),
            3,
            5,
            smooth=name != "ReLU",
        )
        for name in sorted(activations.BY_NAME)
    ),
]


def _composite(g: torch.Generator) -> Field:
    encoding = RandomFourier(2, 5, sigma=1.0, generator=g)
    return Field(MLP(10, 3, width=7, depth=2, activation="Tanh", generator=g), encoding=encoding)


FIELD_CASES = [
    Case("field-siren", lambda g: Field(Siren(2, 3, width=7, depth=2, generator=g)), 2, 3),
    Case("field-composite", _composite, 2, 3),
]

COMPONENT_CASES = [*ENCODING_CASES, *NETWORK_CASES]
ALL_CASES = [*COMPONENT_CASES, *FIELD_CASES]
