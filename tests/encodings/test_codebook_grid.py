"""Codebook grids against sums over their codebooks, and the size of what they store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from neurafield import Field, field_file
from neurafield.encodings import CodebookGrid, DenseGrid
from neurafield.encodings.codebook_grid import pack, unpack
from neurafield.networks import Linear


def grid(**options: Any) -> CodebookGrid:
    g = torch.Generator().manual_seed(0)
    sizes = {"num_levels": 1, "base_resolution": [5, 7], "finest_resolution": [5, 7]}
    return CodebookGrid(2, **{**sizes, **options}, generator=g).double()


def points() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 2.4 * torch.rand(101, 2, generator=generator, dtype=torch.float64) - 1.2


def dense(rows: Tensor) -> DenseGrid:
    """A plain grid of given rows; that it is `grid_sample` has a test of its own."""
    plain = DenseGrid(2, resolution=[5, 7], features=rows.shape[1]).double()
    plain.table.data = rows.detach()
    return plain


def test_values_are_those_of_the_rows_chosen() -> None:
    one = grid(bits=3, features=2)
    best = [max(range(8), key=row.__getitem__) for row in one.logits.tolist()]
    assert_close(one(points()), dense(one.codebooks[0][best])(points()))


def check_gradients(one: CodebookGrid) -> None:
    """Codebooks: those of the values. Logits: those of the mean over the codebook."""
    x = points()
    weight = torch.linspace(-1, 2, 101, dtype=torch.float64)[:, None]
    (weight * one(x)).sum().backward()
    # What a unit of each vertex's features does to the loss.
    plain = dense(torch.zeros(one.levels.num_rows, one.features, dtype=torch.float64))
    (weight * plain(x)).sum().backward()
    at_rows = plain.table.grad
    best = one.logits.argmax(-1)
    book = torch.zeros_like(one.codebooks[0])
    for row, index in zip(at_rows, best.tolist(), strict=True):
        book[index] += row
    assert_close(one.codebooks.grad[0], book)
    # d/dC_k of sum_j p_j D_j is p_k (D_k - mean).
    share = torch.exp(one.logits) / torch.exp(one.logits).sum(-1, keepdim=True)
    centred = one.codebooks[0] - (share @ one.codebooks[0])[:, None]
    assert_close(one.logits.grad, share * (centred * at_rows[:, None]).sum(-1))


def test_gradients_are_straight_through() -> None:
    check_gradients(grid(bits=3, features=2))


def test_check_gradients_can_fail() -> None:
    one = grid(bits=3, features=2)
    one.logits.register_hook(lambda grad: 1.01 * grad)
    with pytest.raises(AssertionError):
        check_gradients(one)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("count", [1, 7, 8, 101])
def test_packing_is_numpys(bits: int, count: int) -> None:
    generator = torch.Generator().manual_seed(bits)
    indices = torch.randint(2**bits, (count,), generator=generator)
    packed = pack(indices, bits)
    assert len(packed) == -(-count * bits // 8) + 1
    stream = np.unpackbits(packed.numpy(), bitorder="little")[: count * bits].reshape(count, bits)
    assert (stream @ 2 ** np.arange(bits) == indices.numpy()).all()
    assert torch.equal(unpack(packed, count, bits), indices)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_hardened_gives_the_same_values_to_the_last_bit(bits: int) -> None:
    state = torch.get_rng_state()
    one = grid(bits=bits, num_levels=3, finest_resolution=[11, 13]).float()
    hard, x = one.harden(), points().float()
    assert torch.equal(hard(x), one(x))
    with torch.no_grad():
        assert torch.equal(hard(x), one(x))
    assert torch.equal(torch.get_rng_state(), state)
    assert list(hard.state_dict()) == ["codebooks", "indices"]
    assert hard.hyperparams() == {**one.hyperparams(), "hardened": True}
    # A copy: training on changes one of the two.
    hard.codebooks.data += 1
    assert not torch.equal(hard(x), one(x))
    assert torch.equal(hard.harden()(x), hard(x))
    assert hard.codebooks.requires_grad


def test_a_hardened_field_has_a_small_file(tmp_path: Path) -> None:
    g = torch.Generator().manual_seed(0)
    one = CodebookGrid(
        2, bits=3, num_levels=2, base_resolution=64, finest_resolution=128, generator=g
    )
    network = Linear(one.out_dim, 3, generator=g)
    for name, encoding in (("soft", one), ("hard", one.harden())):
        field_file.save(tmp_path / name, Field(network, encoding=encoding))
    vertices = 65**2 + 129**2
    assert one.num_bits == 3 * vertices + 32 * 2 * 8 * 4
    small, large = ((tmp_path / name).stat().st_size for name in ("hard", "soft"))
    # What else is in a file: the header, and the network.
    assert 0 < small - one.num_bits / 8 < 1500
    assert large > 32 * vertices
    loaded = field_file.load(tmp_path / "hard").field
    x = points().float()
    assert torch.equal(loaded(x), Field(network, encoding=one)(x))


def test_choices_can_be_learned() -> None:
    # The target is a grid of four values; only vertices matter.
    g = torch.Generator().manual_seed(3)
    values = torch.tensor([-1.0, -0.3, 0.2, 0.9])
    x = torch.cartesian_prod(torch.linspace(-1, 1, 6), torch.linspace(-1, 1, 8))
    target = values[torch.randint(4, (48,), generator=g)][:, None]
    one = grid(bits=2, features=1).float()
    before = (one(x) - target).square().mean().item()
    optimizer = torch.optim.Adam(one.parameters(), lr=0.02)
    for _ in range(400):
        optimizer.zero_grad()
        (one(x) - target).square().mean().backward()
        optimizer.step()
    assert (one.harden()(x) - target).square().mean().item() < 0.1 * before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "bits between 1 and 8, got 0"),
        ({"bits": 9}, "bits between 1 and 8, got 9"),
        ({"features": 3}, "features to be one of 1, 2, 4, 8, got 3"),
        ({"finest_resolution": 3}, "CodebookGrid: expected finest_resolution to be at"),
        ({"num_levels": 2, "finest_resolution": 2**24}, "at most 68719476736 rows"),
    ],
)
def test_codebook_grid_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        grid(**options)


def test_codebook_grid_refuses_what_is_no_bool() -> None:
    with pytest.raises(TypeError):
        grid(hardened=1)
