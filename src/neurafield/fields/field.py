"""Field of an encoding and a network."""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from .. import encodings, networks
from .._checks import check_last_axis
from .._component import build, spec_of
from ..derivatives import Jet
from ..encodings import AbstractEncoding
from ..networks import AbstractNetwork
from ._base import AbstractField


class Field(AbstractField):
    """A neural field: an encoding followed by a network, from coordinates in [-1, 1] to values.

    Args:
        network: Network from features, or from coordinates if there is no encoding, to values.
        encoding: Encoding from coordinates to features.

    Raises:
        TypeError: If `network` is not an `AbstractNetwork`, or `encoding` not an
            `AbstractEncoding`.
        ValueError: If the network's `in_dim` differs from the encoding's `out_dim`, or both have
            several levels of detail.

    Example:
        >>> import torch
        >>> from neurafield import encodings, networks
        >>> g = torch.Generator().manual_seed(0)
        >>> lift = encodings.RandomFourier(2, 64, sigma=5.0, generator=g)
        >>> field = Field(networks.MLP(lift.out_dim, 3, generator=g), encoding=lift)
        >>> field(torch.zeros(7, 2)).shape
        torch.Size([7, 3])
    """

    def __init__(
        self, network: AbstractNetwork, *, encoding: AbstractEncoding | None = None
    ) -> None:
        super().__init__()
        _check_part("network", network, AbstractNetwork)
        if encoding is not None:
            _check_part("encoding", encoding, AbstractEncoding)
        if encoding is not None and encoding.out_dim != network.in_dim:
            raise ValueError(
                f"Field: expected a network with in_dim {encoding.out_dim}, the out_dim of "
                f"{type(encoding).__name__}, got {network.in_dim}. Build it with "
                "in_dim=encoding.out_dim."
            )
        if encoding is not None and min(encoding.num_lods, network.num_lods) > 1:
            raise ValueError(
                f"Field: expected levels of detail in one part at most, got {encoding.num_lods} in "
                f"{type(encoding).__name__} and {network.num_lods} in {type(network).__name__}."
            )
        self.encoding = encoding
        self.network = network
        self.in_dim = network.in_dim if encoding is None else encoding.in_dim
        self.out_dim = network.out_dim

    @property
    def num_lods(self) -> int:
        """Number of levels of detail of the encoding or the network, or 1."""
        return max(self.network.num_lods, 1 if self.encoding is None else self.encoding.num_lods)

    def lipschitz_bound(self) -> float | None:
        """Bound of the network if it has one and there is no encoding; else None."""
        return self.network.lipschitz_bound() if self.encoding is None else None

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Values at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        return self.network(x if self.encoding is None else self.encoding(x))

    def jet_after(self, x: Jet) -> Jet:
        return self.network.jet(x if self.encoding is None else self.encoding.jet(x))

    @classmethod
    def from_parts(cls, parts: Sequence[AbstractField], **hyperparams: Any) -> "Field":
        """Builds a field from descriptions of its network and encoding."""
        if parts or hyperparams.keys() != {"network", "encoding"}:
            raise ValueError("Field: expected a network and an encoding, and no other fields.")
        encoding = hyperparams["encoding"]
        if encoding is not None:
            encoding = build(encodings, AbstractEncoding, encoding)
        return cls(build(networks, AbstractNetwork, hyperparams["network"]), encoding=encoding)

    def hyperparams(self) -> dict[str, Any]:
        encoding = None if self.encoding is None else spec_of(self.encoding)
        return {"network": spec_of(self.network), "encoding": encoding}


def _check_part(name: str, part: object, base: type) -> None:
    if not isinstance(part, base):
        cls, kind = (part, "the class ") if isinstance(part, type) else (type(part), "a ")
        raise TypeError(
            f"Field: expected {name} to be one of neurafield.{name}s, or of a class of your own "
            f"derived from {base.__name__}, got {kind}{cls.__module__}.{cls.__qualname__}."
        )
