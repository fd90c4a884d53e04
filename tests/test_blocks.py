"""Values in blocks: the same as at once, without gradients, where the function is."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurafield._blocks import in_blocks


def check_blocks(num_points: int, size: int, expected: list[int]) -> None:
    """The function is called with blocks of these lengths, and the values are those at once."""
    x, lengths = torch.rand(num_points, 3), []

    def function(block: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        lengths.append(len(block))
        return block.square()

    torch.testing.assert_close(in_blocks(function, x, size=size), x.square(), rtol=0, atol=0)
    assert lengths == expected


@pytest.mark.parametrize(
    ("num_points", "size", "expected"),
    [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 3, [2]), (0, 3, [0])],
)
def test_blocks_cover_all_points_in_order(num_points: int, size: int, expected: list[int]) -> None:
    check_blocks(num_points, size, expected)


def test_check_blocks_can_fail() -> None:
    with pytest.raises(AssertionError):
        check_blocks(7, 3, [3, 3, 3])


def test_a_module_gets_points_of_its_own_type() -> None:
    layer = nn.Linear(2, 1).double()
    found = in_blocks(layer, torch.rand(5, 2), size=2)
    assert (found.dtype, found.requires_grad) == (torch.float64, False)
    assert in_blocks(lambda x: x, torch.rand(5, 2).half()).dtype == torch.float16


def test_values_can_be_targets_of_a_fit() -> None:
    """Values computed in inference mode could not be."""
    with torch.inference_mode():
        x = torch.rand(4, 2)
    weight = torch.ones(1, requires_grad=True)
    values = in_blocks(lambda x: 2 * x, x.clone())
    (weight * values).sum().backward()
    assert weight.grad is not None


def test_anything_with_a_length_and_slices() -> None:
    squares = in_blocks(lambda r: torch.tensor([k * k for k in r]), range(2, 7), size=2)
    assert squares.tolist() == [4, 9, 16, 25, 36]
    arrays = in_blocks(torch.from_numpy, np.arange(5.0), size=2)
    assert arrays.tolist() == [0, 1, 2, 3, 4]
