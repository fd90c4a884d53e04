"""Poses against the matrix exponential, SciPy's rotations, and autodiff."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.testing import assert_close

from neurafield.geometry import Pose
from neurafield.geometry.poses import (
    cross_matrix,
    quaternion_to_matrix,
    rotation_exp,
    rotation_log,
)


def twists(count: int, size: float) -> Tensor:
    g = torch.Generator().manual_seed(0)
    return size * torch.randn(count, 6, generator=g, dtype=torch.float64)


def matrices(twist: Tensor) -> Tensor:
    """The 4 x 4 matrices of the Lie algebra."""
    lower = torch.cat([cross_matrix(twist[:, :3]), twist[:, 3:, None]], dim=-1)
    return torch.cat([lower, torch.zeros_like(lower[:, :1])], dim=1)


def check_exp(found: Pose, twist: Tensor) -> None:
    expected = torch.linalg.matrix_exp(matrices(twist))
    assert_close(found.rotation, expected[:, :3, :3], rtol=1e-10, atol=1e-12)
    assert_close(found.translation, expected[:, :3, 3], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 5e-3, 0.02, 0.3, 2.0])
def test_exp_is_the_matrix_exponential(size: float) -> None:
    check_exp(Pose.exp(twists(7, size)), twists(7, size))


def test_check_exp_can_fail() -> None:
    twist = twists(7, 0.3)
    with pytest.raises(AssertionError):
        check_exp(Pose(rotation_exp(twist[:, :3]), twist[:, 3:]), twist)


@pytest.mark.parametrize("size", [1e-9, 1e-4, 5e-3, 0.02, 0.3, 1.0])
def test_log_is_the_inverse_of_exp(size: float) -> None:
    twist = twists(11, size)
    twist = twist[twist[:, :3].norm(dim=1) < 3.1]
    assert len(twist) > 5
    assert_close(Pose.exp(twist).log(), twist, rtol=1e-8, atol=1e-12)


def test_rotations_are_those_of_scipy() -> None:
    omega = twists(11, 1.0)[:, :3]
    expected = torch.from_numpy(Rotation.from_rotvec(omega.numpy()).as_matrix())
    assert_close(rotation_exp(omega), expected)
    assert_close(
        rotation_log(expected), torch.from_numpy(Rotation.from_matrix(expected).as_rotvec())
    )
    for q in np.random.default_rng(0).normal(size=(5, 4)):
        turned = Rotation.from_quat(q, scalar_first=True).as_matrix()
        assert np.allclose(quaternion_to_matrix(q), turned)


def test_poses_form_a_group() -> None:
    a, b, c = (Pose.exp(twists(3, 1.0)[k : k + 1]) for k in range(3))
    x = torch.tensor([[0.3, -2.0, 1.0]], dtype=torch.float64)
    assert_close(a.compose(b).apply(x), a.apply(b.apply(x)))
    assert_close(a.inverse().apply(a.apply(x)), x)
    left, right = a.compose(b).compose(c), a.compose(b.compose(c))
    assert_close(left.rotation, right.rotation)
    assert_close(left.translation, right.translation)


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.00999, 0.01001, 0.5])
def test_gradients_are_finite_and_right(size: float) -> None:
    twist = size * torch.tensor([0.6, 0.0, 0.8, 1.0, 2.0, 3.0], dtype=torch.float64)
    twist.requires_grad_()
    x = torch.tensor([0.3, -2.0, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda t: Pose.exp(t).apply(x), twist)
    assert torch.autograd.gradcheck(lambda t: Pose.exp(t).log(), twist)


def test_batches_are_kept() -> None:
    pose = Pose.exp(twists(6, 1.0).reshape(2, 3, 6))
    assert pose.apply(torch.zeros(2, 3, 3, dtype=torch.float64)).shape == (2, 3, 3)
    assert Pose.exp(torch.zeros(0, 6)).log().shape == (0, 6)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    message = r"rotation \(\.\.\., 3, 3\).*\(2, 3, 3\) and \(3,\)"
    with pytest.raises((ValueError, TypeError), match=f"{message}|^Type-check error"):
        Pose(torch.eye(3).expand(2, 3, 3), torch.zeros(3))
