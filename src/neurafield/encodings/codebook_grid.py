"""Grids whose vertices hold indices into a learned codebook."""

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
    r"""Interpolate between grid vertices that each choose a row of a small codebook.

    Vertex $i$ of level $l$ has the row $D_l[\arg\max_k C_{ik}]$ of that level's codebook of $2^b$
    rows; levels grow and are interpolated as in `HashGrid`, and the output concatenates them, the
    coarsest first. During training a vertex has $2^b$ logits $C_i$. Values are those of the chosen
    row; the gradient for $C$ is that of the mean $\sum_k \mathrm{softmax}(C_i)_k D_l[k]$
    (straight-through). `harden` keeps the chosen indices only. Outside [-1, 1] the border value is
    repeated; a NaN coordinate gives NaN features.

    Use when the file must be small: hardened, a vertex costs $b$ bits for any number of features;
    $b$ trades rate for quality.
    Fails when training memory or time is short: $2^b$ values per vertex, three times that with
    Adam, and a pass over all of them per step.

    Cost: $\prod_a (n_{l,a} + 1)$ vertices per level, each of $2^b$ floats ($b$ bits when hardened),
        and $2^b$ rows of `features` per level. A call first computes the rows of all vertices, then
        each query reads $2^d$ of them per level: large batches are cheap.

    Args:
        in_dim: Number of coordinates, each in [-1, 1]; 1 to 4.
        bits: $b$, 1 to 8.
        num_levels: Number of levels, up to 64.
        features: Channels of each level: 1, 2, 4 or 8. The output has `num_levels * features`.
        base_resolution: Cells of the coarsest level along each axis, one value for all or one per
            axis.
        finest_resolution: Cells of the finest level, in the same way.
        interpolation: "linear", or "smoothstep", whose first derivative has no jumps.
        hardened: True for a grid of fixed choices: its state holds no logits but `indices`, bytes
            that pack `bits` per vertex, lowest bits first.
        generator: Source of the initial values: logits N(0, 0.03), codebooks U(-0.3, 0.3). None
            takes torch's global one.

    Raises:
        ValueError: If a size is out of range, the finest level is coarser than the first, or the
            interpolation unknown.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> grid = CodebookGrid(2, bits=3, num_levels=2, finest_resolution=32, generator=g)
        >>> hard, x = grid.harden(), torch.rand(5, 2, generator=g)
        >>> torch.equal(hard(x), grid(x)), hard.indices.dtype, hard.num_bits
        (True, torch.uint8, 6182)

        For a small file, of about `num_bits / 8` bytes plus the network, harden the grid of the
        fitted field before saving:

        >>> from neurafield import Field, networks
        >>> field = Field(networks.MLP(grid.out_dim, 3, width=8, depth=1), encoding=grid)
        >>> small = Field(field.network, encoding=field.encoding.harden())
        >>> torch.equal(small(x), field(x)), small.num_parameters < field.num_parameters
        (True, True)

    Reference:
        Takikawa et al., Variable Bitrate Neural Fields, SIGGRAPH 2022, equations 3 to 5. Their
        vertices are those of an octree around the surface, ours those of full grids. They sum the
        levels, we concatenate them.
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
            # One byte more than the bits fill, so that two bytes can be read at any offset.
            num_bytes = -(-num_rows * bits // 8) + 1
            self.register_buffer("indices", torch.zeros(num_bytes, dtype=torch.uint8))
        else:
            logits = 0.03 * torch.randn(num_rows, 2**bits, generator=generator)
            self.logits = nn.Parameter(logits)

    @property
    def num_bits(self) -> int:
        """Size of the hardened grid: `bits` per vertex and 32 per codebook entry."""
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
        """A grid with the same values that stores indices only. Its codebooks remain trainable."""
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
    """The chosen row, with the gradient of the softmax mean over the codebook for the logits."""
    hard = codebook.index_select(0, logits.argmax(-1))
    if not torch.is_grad_enabled():
        return hard
    soft = logits.softmax(-1) @ codebook.detach()
    return hard + (soft - soft.detach())


def pack(indices: Int64[Tensor, " rows"], bits: int) -> UInt8[Tensor, " bytes"]:
    """Packs integers below `2**bits` into bytes, lowest bits first, followed by a zero byte."""
    stream = (indices[:, None] >> torch.arange(bits, device=indices.device)) & 1
    stream = nn.functional.pad(stream.flatten(), (0, -stream.numel() % 8 + 8)).reshape(-1, 8)
    return (stream << torch.arange(8, device=indices.device)).sum(-1).to(torch.uint8)


def unpack(packed: UInt8[Tensor, " bytes"], count: int, bits: int) -> Int64[Tensor, " rows"]:
    """The first `count` integers of packed bytes. Each spans at most two bytes."""
    start = bits * torch.arange(count, device=packed.device)
    byte = start // 8
    pair = packed[byte].long() | packed[byte + 1].long() << 8
    return (pair >> start % 8) & (2**bits - 1)
