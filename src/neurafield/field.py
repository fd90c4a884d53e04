"""The field: an encoding, then a network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ._checks import check_count, check_last_axis
from .derivatives import Jet
from .encodings import AbstractEncoding
from .networks import AbstractNetwork


class Field(nn.Module):
    """A map from coordinates in [-1, 1] to values.

    Args:
        network: From features, or from bare coordinates when there is no encoding, to values.
        encoding: From coordinates to features.

    Raises:
        TypeError: If one of them is not such a component, the library's or one of your own.
        ValueError: If the network does not take what the encoding gives, or both have several
            levels of detail.

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

    @property
    def in_dim(self) -> int:
        """Number of coordinates."""
        return self.network.in_dim if self.encoding is None else self.encoding.in_dim

    @property
    def out_dim(self) -> int:
        """Number of values."""
        return self.network.out_dim

    @property
    def num_parameters(self) -> int:
        """Trained numbers."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def num_lods(self) -> int:
        """Levels of detail: those of the encoding, or those of the network; 1 if neither has."""
        return max(self.network.num_lods, 1 if self.encoding is None else self.encoding.num_lods)

    def lipschitz_bound(self) -> float | None:
        """L so that no value changes by more than L times the distance of two points.

        That of the network, if it has one and sees bare coordinates; None where nothing is known.
        """
        return self.network.lipschitz_bound() if self.encoding is None else None

    def at_lod(self, lod: int) -> "Field":
        """The field read at a level of detail, 0 the coarsest; it shares all parameters.

        To be saved is the whole field; a cut one is refused.

        Args:
            lod: From 0 to `num_lods - 1`, which is the whole field.

        Raises:
            ValueError: If there is no such level.

        Example:
            >>> from neurafield import encodings, networks
            >>> grid = encodings.HashGrid(2, num_levels=4, finest_resolution=64)
            >>> field = Field(networks.MLP(grid.out_dim, 3, width=16, depth=1), encoding=grid)
            >>> field.num_lods, field.at_lod(0)(torch.zeros(7, 2)).shape
            (4, torch.Size([7, 3]))
        """
        check_count(self, low=0, high=self.num_lods - 1, lod=lod)
        network, encoding = self.network, self.encoding
        if network.num_lods > 1:
            network = network.at_lod(lod)
        elif encoding is not None and encoding.num_lods > 1:
            encoding = encoding.at_lod(lod)
        return Field(network, encoding=encoding)

    def forward(self, x: Float[Tensor, "*batch in_dim"]) -> Float[Tensor, "*batch out_dim"]:
        """Values at coordinates `x`; batch axes are kept."""
        check_last_axis(self, x, self.in_dim)
        return self.network(x if self.encoding is None else self.encoding(x))

    def jet(
        self, x: Float[Tensor, "*batch in_dim"] | Jet, weights: Float[Tensor, "s _"] | None = None
    ) -> Jet:
        """Values with their first derivatives, and weighted sums of their second ones.

        Exact, in one pass forward, and differentiable with respect to the parameters.

        Args:
            x: Coordinates; or a jet, to go on from what they were computed from.
            weights: Which sums of pure second derivatives: a row each. None for the Laplacian,
                the unit matrix for each second derivative by itself, no rows for none. A jet
                brings its own.

        Raises:
            ValueError: If the last axis of `x` is not `in_dim`, or `weights` has another number
                of columns.

        Example:
            >>> import torch
            >>> from neurafield import networks
            >>> field = Field(networks.Siren(2, 3, width=16, depth=2))
            >>> found = field.jet(torch.zeros(7, 2))
            >>> found.value.shape, found.jacobian.shape, found.laplacian.shape
            (torch.Size([7, 3]), torch.Size([7, 3, 2]), torch.Size([7, 3]))
        """
        if isinstance(x, Jet):
            if weights is not None:
                raise ValueError("Field.jet: expected no weights beside a jet, got some.")
        else:
            check_last_axis(self, x, self.in_dim)
            x = Jet.root(x, weights)
        # Second derivatives need all digits, whatever autocast says.
        with torch.autocast(x.streams.device.type, enabled=False):
            return self.network.jet(x if self.encoding is None else self.encoding.jet(x))


def _check_part(name: str, part: object, base: type) -> None:
    if not isinstance(part, base):
        cls, kind = (part, "the class ") if isinstance(part, type) else (type(part), "a ")
        raise TypeError(
            f"Field: expected {name} to be one of neurafield.{name}s, or of a class of your own "
            f"derived from {base.__name__}, got {kind}{cls.__module__}.{cls.__qualname__}."
        )
