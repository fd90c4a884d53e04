"""One case for every public component: how to build it, and what it takes.

Sizes are different primes, so that swapped axes cannot pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurafield import Field
from neurafield.encodings import Positional, RandomFourier
from neurafield.networks import MLP, Siren, activations


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


ENCODING_CASES = [
    Case("positional", lambda g: Positional(3, 5), 3, 33),
    Case("positional-bare", lambda g: Positional(2, 3, include_input=False), 2, 12),
    Case("random-fourier", lambda g: RandomFourier(3, 7, sigma=1.5, generator=g), 3, 14),
]

NETWORK_CASES = [
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
