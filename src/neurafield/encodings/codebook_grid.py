"""Grids whose vertices hold an index into a learned codebook."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from .._checks import check_count
from ..kernels.grid import MAX_LEVELS, make_levels
from ._grid import AbstractGrid, check_grid, check_rows, plain, resolution_per_axis
from .hash_grid import growing_resolutions

MAX_BITS = 8


class CodebookGrid(AbstractGrid):
    r"""Interpolate rows of a small codebook, which the vertices of grids choose from.

    Vertex $i$ of level $l$ has the row $D_l[\arg\max_k C_{ik}]$ of that level's codebook of
    $2^b$ rows; levels grow and are interpolated as `HashGrid`'s, and the output holds all, the
    coarsest first. While it is trained a vertex has $2^b$ logits $C_i$. The values are those of the
    row chosen, the gradient that reaches $C$ is that of the mean
    $\sum_k \mathrm{softmax}(C_i)_k D_l[k]$ (straight through). `harden` keeps the choices alone.
    Beyond [-1, 1] the border's value goes on; a NaN coordinate gives NaN features.

    Use when the field's file is to be small: hardened, a vertex costs $b$ bits whatever the number
    of features, and $b$ sets rate against quality.
    Fails when memory or time of training is short: $2^b$ numbers a vertex, three times that with
    Adam, and a pass over all of them each step.

    Cost: $\prod_a (n_{l,a} + 1)$ vertices a level, of $2^b$ floats, hardened of $b$ bits, and
    $2^b$ rows of `features` a level. A call first makes the rows of all vertices, as floats, then a
    query reads $2^d$ of them in each level: calls with many points are cheap.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        bits: $b$, 1 to 8.
        num_levels: Up to 64.
        features: Channels of each level: 1, 2, 4 or 8. The output has `num_levels * features`.
        base_resolution: Cells of the coarsest level along each axis, one number for all or one for
            each.
        finest_resolution: Cells of the finest level, in the same way.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        hardened: Whether the choices are made: the state then holds `indices`, bytes into which
            `bits` of each vertex are packed, the lowest first, and no logits.
        generator: Source of the first values: logits N(0, 0.03), codebooks U(-0.3, 0.3). None takes
            torch's global one.

    Raises:
        ValueError: If a size is out of range, the finest level is coarser than the first, or the
            interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> grid = CodebookGrid(2, bits=3, num_levels=2, finest_resolution=32, generator=g)
        >>> hard, x = grid.harden(), torch.rand(5, 2, generator=g)
        >>> torch.equal(hard(x), grid(x)), hard.indices.dtype, hard.num_bits
        (True, torch.uint8, 6182)

        To make a file small, of about `num_bits / 8` bytes and the network's, harden the grid of
        the fitted field and save that:

        >>> from neurafield import Field, networks
        >>> field = Field(networks.MLP(grid.out_dim, 3, width=8, depth=1), encoding=grid)
        >>> small = Field(field.network, encoding=field.encoding.harden())
        >>> torch.equal(small(x), field(x)), small.num_parameters < field.num_parameters
        (True, True)

    Reference:
        Takikawa et al., Variable Bitrate Neural Fields, SIGGRAPH 2022, equations 3 to 5. Their
        vertices are those of an octree around the surface; ours of full grids. They add levels up,
        we put them behind one another.
    """

    indices: UInt8[Tensor, " bytes"]

    def __init__(
        self,
        in_dim: int,
        *,
        bits: int = 6,
        num_levels: int = 4,
        features: int = 4,
        base_resolution: int | Sequence[int] = 16,
        finest_resolution: int | Sequence[int] = 128,
        interpolation: str = "linear",
        hardened: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_grid(
            self, in_dim=in_dim, features=features, interpolation=interpolation, sparse=False
        )
        check_count(self, bits=bits, high=MAX_BITS)
        check_count(self, num_levels=num_levels, high=MAX_LEVELS)
        if not isinstance(hardened, bool):
            raise TypeError(f"CodebookGrid: expected hardened to be a bool, got {hardened!r}.")
        base = resolution_per_axis(self, in_dim, "base_resolution", base_resolution)
        finest = resolution_per_axis(self, in_dim, "finest_resolution", finest_resolution)
        self.in_dim = in_dim
        self.bits = bits
        self.num_levels = num_levels
        self.features = features
        self.base_resolution = plain(base_resolution)
        self.finest_resolution = plain(finest_resolution)
        self.interpolation = interpolation
        self.sparse = False
        self.hardened = hardened
        self.out_dim = num_levels * features
        resolutions = growing_resolutions(base, finest, num_levels, owner="CodebookGrid")
        self.levels = make_levels(resolutions, max_rows=None)
        check_rows(self, self.levels)
        self.codebooks = nn.Parameter(
            torch.empty(num_levels, 2**bits, features).uniform_(-0.3, 0.3, generator=generator)
        )
        num_rows = self.levels.num_rows
        if hardened:
            # A byte more than the bits fill, so that two can be read from any on.
            num_bytes = -(-num_rows * bits // 8) + 1
            self.register_buffer("indices", torch.zeros(num_bytes, dtype=torch.uint8))
        else:
            logits = 0.03 * torch.randn(num_rows, 2**bits, generator=generator)
            self.logits = nn.Parameter(logits)

    @property
    def num_bits(self) -> int:
        """Size of the hardened grid: `bits` a vertex, and 32 for each number of the codebooks."""
        return self.bits * self.levels.num_rows + 32 * self.codebooks.numel()

    def rows(self) -> Float[Tensor, "rows features"]:
        sizes = [level.size for level in self.levels.levels]
        if self.hardened:
            chosen = unpack(self.indices, self.levels.num_rows, self.bits).split(sizes)
            rows = [
                book.index_select(0, index)
                for book, index in zip(self.codebooks, chosen, strict=True)
            ]
        else:
            rows = [
                _straight_through(book, logits)
                for book, logits in zip(self.codebooks, self.logits.split(sizes), strict=True)
            ]
        return torch.cat(rows)

    def harden(self) -> "CodebookGrid":
        """A grid with the same values, of the indices alone. Its codebooks can be trained on."""
        if self.hardened:
            state = self.state_dict()
        else:
            indices = pack(self.logits.detach().argmax(-1), self.bits)
            state = {"codebooks": self.codebooks, "indices": indices}
        with torch.device("meta"):
            hard = CodebookGrid(**{**self.hyperparams(), "hardened": True})
        hard.load_state_dict({k: v.detach().clone() for k, v in state.items()}, assign=True)
        return hard

    def hyperparams(self) -> dict[str, Any]:
        return {
            "in_dim": self.in_dim,
            "bits": self.bits,
            "num_levels": self.num_levels,
            "features": self.features,
            "base_resolution": self.base_resolution,
            "finest_resolution": self.finest_resolution,
            "interpolation": self.interpolation,
            "hardened": self.hardened,
        }


def _straight_through(
    codebook: Float[Tensor, "k features"], logits: Float[Tensor, "rows k"]
) -> Float[Tensor, "rows features"]:
    """The row chosen, with the gradient of the mean over the codebook for the logits."""
    hard = codebook.index_select(0, logits.argmax(-1))
    if not torch.is_grad_enabled():
        return hard
    soft = logits.softmax(-1) @ codebook.detach()
    return hard + (soft - soft.detach())


def pack(indices: Int64[Tensor, " rows"], bits: int) -> UInt8[Tensor, " bytes"]:
    """Whole numbers below `2**bits`, their lowest bits first, one behind the other; and a zero."""
    stream = (indices[:, None] >> torch.arange(bits, device=indices.device)) & 1
    stream = nn.functional.pad(stream.flatten(), (0, -stream.numel() % 8 + 8)).reshape(-1, 8)
    return (stream << torch.arange(8, device=indices.device)).sum(-1).to(torch.uint8)


def unpack(packed: UInt8[Tensor, " bytes"], count: int, bits: int) -> Int64[Tensor, " rows"]:
    """The first numbers of what `pack` made. One spans two bytes at most."""
    start = bits * torch.arange(count, device=packed.device)
    byte = start // 8
    pair = packed[byte].long() | packed[byte + 1].long() << 8
    return (pair >> start % 8) & (2**bits - 1)
