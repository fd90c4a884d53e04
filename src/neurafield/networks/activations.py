"""Activations, each with the gain of the initialisation that belongs to it.

Layers drawn with variance `gain**2 / fan_in` roughly keep the size of a signal on its way
through the network.
"""

import math
from abc import ABC, abstractmethod

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class AbstractActivation(nn.Module, ABC):
    """An elementwise nonlinearity."""

    gain: float

    @abstractmethod
    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Apply to every element."""


class ReLU(AbstractActivation):
    """max(0, x). Gain sqrt(2): He et al., Delving Deep into Rectifiers, ICCV 2015, section 2.2."""

    gain = math.sqrt(2)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x.relu()


class Tanh(AbstractActivation):
    """tanh x. Gain 5/3, as LeCun et al., Efficient BackProp, 1998, section 4.4, scale theirs."""

    gain = 5 / 3

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x.tanh()


class Sigmoid(AbstractActivation):
    """1 / (1 + exp(-x)). Gain 4, since its slope at 0 is 1/4."""

    gain = 4.0

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x.sigmoid()


class SiLU(AbstractActivation):
    """x * sigmoid(x), called Swish too. Gain as for ReLU, which it approaches far from 0."""

    gain = math.sqrt(2)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return F.silu(x)


class Softplus(AbstractActivation):
    """log(1 + exp(x)). Gain as for ReLU, which it approaches far from 0."""

    gain = math.sqrt(2)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return F.softplus(x)


class GELU(AbstractActivation):
    """x * P(Z <= x) for a standard normal Z, exact, not the tanh form. Gain as for ReLU."""

    gain = math.sqrt(2)

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return F.gelu(x)


BY_NAME: dict[str, type[AbstractActivation]] = {
    cls.__name__: cls for cls in (ReLU, Tanh, Sigmoid, SiLU, Softplus, GELU)
}
"""All that a field file can name."""


def by_name(name: str) -> AbstractActivation:
    """Build an activation from its class name, as it stands in a field file.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in BY_NAME:
        raise ValueError(f"activations: expected one of {', '.join(BY_NAME)}, got {name!r}.")
    return BY_NAME[name]()
